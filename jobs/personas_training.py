"""From a file of events to a bundle of personas."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from jobs.bundle_writer import refuse_existing
from jobs.personas_clusters import Clustering, ClusterSettings, choose, judged, ways
from jobs.personas_described import described, means_of
from jobs.personas_fit import project
from jobs.personas_html import page
from jobs.personas_report import PersonasReport, markdown, tried
from jobs.personas_steadiness import steadiness
from jobs.personas_vectors import PersonaVectors, replay_vectors
from jobs.personas_writer import write_personas
from jobs.training_events import NothingToLearnError, TrainingEvents, read_training_events
from jobs.training_people import VISITORS, People
from operators.bundle_reference import reference_to
from operators.ingest_settings import IngestSettings
from operators.persona import PersonaSettings
from operators.persona_arithmetic import Floats
from operators.persona_bundle import PersonaManifest, PersonaSpan, read_persona_manifest
from operators.persona_vector import DIMENSIONS
from operators.user_step import StepSettings
from schemas.errors import HeadraceError

LEAST_USERS = 50
SHOWN_POINTS = 1_500

ProgressOf = Callable[[str, int, int | None], None]


class PersonasUnclear(HeadraceError):  # noqa: N818 (named for what it says)
    """No clustering of the users may be served."""


@dataclass(frozen=True)
class PersonaTrainingSettings:
    """How personas are found: `variance` is the share of it that the principal components keep."""

    variance: float = 0.9
    clusters: ClusterSettings = field(default_factory=ClusterSettings)


class PersonaTraining:
    """One training with its settings; `personas`, `step` and `ingest` are the job's."""

    def __init__(
        self,
        settings: PersonaTrainingSettings,
        personas: PersonaSettings | None = None,
        step: StepSettings | None = None,
        ingest: IngestSettings | None = None,
        people: People = VISITORS,
    ) -> None:
        self._settings = settings
        self._personas = personas or PersonaSettings()
        self._step = step or StepSettings()
        self._ingest = ingest or IngestSettings()
        self._people = people
        self._seconds: dict[str, float] = {}

    def run(
        self,
        file: Path,
        items_file: Path | None,
        folder: Path,
        previous: Path | None = None,
        progress: ProgressOf = lambda stage, done, of: None,
    ) -> PersonasReport:
        """Train on a file and write the bundle to `folder`, which ends in the bundle's name and version.

        Personas that are found again in the bundle `previous` keep their id and name. Raises `FileRefused` or
        `NothingToLearnError` for what cannot be learned from, `PersonasUnclear` where no clustering may be served,
        `BundleExists` where the folder is there already, `BundleRefused` for a bad `previous`.
        """
        refuse_existing(folder)
        before = None if previous is None else read_persona_manifest(previous)
        start = time.perf_counter()
        data = read_training_events(
            file, items_file, self._ingest, lambda row, rows: progress("read", row, rows), people=self._people
        )
        start = self._done("read", start)
        vectors = replay_vectors(
            data.events, data.items, self._step, self._personas,
            lambda done: progress("replay", done, len(data.events)),
        )  # fmt: skip
        self._done("replay", start)
        return self.learn(data, vectors, folder, before, progress)

    def learn(
        self,
        data: TrainingEvents,
        vectors: PersonaVectors,
        folder: Path,
        before: PersonaManifest | None,
        progress: ProgressOf = lambda stage, done, of: None,
    ) -> PersonasReport:
        """`run` from the replayed vectors on."""
        latest = vectors.vectors[vectors.latest]
        if len(latest) < LEAST_USERS:
            raise NothingToLearnError(
                f"{len(latest)} users have {self._personas.first} events or more; personas need {LEAST_USERS}: "
                "give a longer history"
            )
        start = time.perf_counter()
        projection = project(latest, self._settings.variance)
        clusterings = self._clusterings(projection.points, progress)
        chosen = choose(clusterings)
        self._done("clusters", start)
        if chosen is None:
            raise PersonasUnclear(_why_none(clusterings))
        chosen = _by_size(chosen)
        arithmetic = projection.arithmetic(chosen)
        personas, next_id = described(latest, chosen, projection, before)
        follows = steadiness(vectors, personas, arithmetic)
        steady = next(one for one in follows if one.chosen)
        span = PersonaSpan(
            events=len(data.events),
            users=len({event.user_id for event in data.events}),
            vectors=len(latest),
            first=data.events[0].time,
            last=data.events[-1].time,
        )
        settings = self._settings.clusters
        manifest = PersonaManifest(
            name=folder.parent.name,
            version=folder.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            algorithm=f"{chosen.way.algorithm}, {chosen.way.setting}",
            metric=chosen.way.metric,
            data=span,
            features=tuple(dimension.name for dimension in DIMENSIONS),
            personas=tuple(personas),
            margin=steady.margin,
            next_id=next_id,
            previous=None if before is None else before.full_name,
            metrics={"silhouette": round(chosen.silhouette, 4), "davies_bouldin": round(chosen.davies_bouldin, 4),
                     "stability": round(chosen.stability, 4), "changes": steady.changes, "agreement": steady.agreement},
            settings={"seed": settings.seed, "variance": self._settings.variance,
                      "first": self._personas.first, "every": self._personas.every},
            files={},
        )  # fmt: skip
        old = {persona.id for persona in before.personas} if before is not None else set()
        ids = {persona.id for persona in personas}
        report = PersonasReport(
            bundle=str(folder),
            name=manifest.full_name,
            reference=None,
            data=span,
            unused_rows=data.unused,
            algorithm=manifest.algorithm,
            tried=[tried(one, one.way is chosen.way) for one in clusterings],
            personas=personas,
            previous=manifest.previous,
            new=sorted(ids - old),
            gone=sorted(old - ids),
            components=projection.points.shape[1],
            explained=round(float(projection.explained.sum()), 4),
            steadiness=follows,
            seconds=self._seconds,
        )
        means = means_of(projection.frame.standardised(latest), chosen.labels)
        html = page(report, projection.points[:SHOWN_POINTS], chosen.labels[:SHOWN_POINTS].tolist(), means)
        write_personas(folder, manifest, arithmetic, latest, markdown(report), html)
        return msgspec.structs.replace(report, reference=reference_to(folder))

    def _clusterings(self, points: Floats, progress: ProgressOf) -> list[Clustering]:
        settings = self._settings.clusters
        tried = list(ways(points, settings))
        found = []
        for number, way in enumerate(tried):
            progress("clusters", number, len(tried))
            clustering = judged(points, way, settings)
            if clustering is not None:
                found.append(clustering)
        return found

    def _done(self, stage: str, start: float) -> float:
        now = time.perf_counter()
        self._seconds[stage] = round(now - start, 1)
        return now


def _by_size(chosen: Clustering) -> Clustering:
    """The same clustering, the largest cluster first, so that ids are given in an order that means something."""
    order = np.argsort(-np.bincount(chosen.labels), kind="stable")
    return Clustering(**{
        **vars(chosen), "centroids": chosen.centroids[order], "labels": np.argsort(order)[chosen.labels],
    })  # fmt: skip


def _why_none(clusterings: Sequence[Clustering]) -> str:
    nearly = max(clusterings, key=lambda one: one.silhouette, default=None)
    said = "no two clusters were found" if nearly is None else (
        f"the clearest, {nearly.way.algorithm} with {len(nearly.centroids)}, has {nearly.refused}"
    )  # fmt: skip
    return f"no clustering of these users may be served: {said}; give a longer history or other --fewest and --most"
