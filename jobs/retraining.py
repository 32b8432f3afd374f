"""What becomes of a request for a retraining: a bundle that is as good as the one in force, or none."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jobs.bundle_trial import judge
from jobs.bundle_writer import newest_version, next_version
from jobs.handled_requests import HandledRequests
from jobs.settings import Settings
from jobs.train import training_by
from jobs.training_schedule import SCHEDULE
from jobs.training_settings import ProgressOf, TrainingSettings
from operators.bundle import load_bundle
from operators.bundle_manifest import Manifest, read_manifest
from operators.bundle_reference import MODEL, BundleReference, reference_to
from operators.feature_plan import known_features
from operators.ranker import NO_BUNDLE
from operators.retrain_policy import RetrainRequest
from schemas.errors import HeadraceError
from schemas.records import Control

ASKED_AT = "asked_at"
"""In a manifest's settings: the time of the request that the bundle answers (event time, ms)."""

LEAST_LISTS = 100
"""On fewer lists no bundle is judged."""

TRIAL = ".trial"
"""Where a bundle lies until it is found good enough: in the folder of the versions, hidden."""


class CannotJudge(HeadraceError):  # noqa: N818 (named like the other refusals)
    """Too little was held back from both bundles to say which is better."""


class Retraining(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request: HR@20 of the new bundle, and of the one `in_force` at the same `lists` events.

    `bundle` is the folder of the new bundle, and `reference` what was offered; both None where it was worse.
    """

    request: RetrainRequest
    bundle: str | None
    reference: BundleReference | None
    in_force: str
    hr: float
    hr_in_force: float
    lists: int
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether the bundle is to be offered."""
        return self.reference is not None


@dataclass
class Retrainer:
    """Trains from `source` (a lake's folder or a file) and keeps what is good enough as the next version in `models`.

    `settings` are asked at each request, so that the bundle in force is that of now. A request whose bundle was
    judged, good or not, is handled: it is remembered in `models`, and left alone when it is sent again.
    """

    source: Path
    items: Path | None
    models: Path
    settings: Callable[[], Settings]
    sizes: TrainingSettings

    def why_not(self, request: RetrainRequest) -> str | None:
        """Why a request is left alone: it was handled, the newest bundle answers it, or the last is too near.

        None where it counts. What the schedule asks for counts: it looks at the newest bundle itself.
        """
        if request.scope == SCHEDULE:
            return None
        handled = HandledRequests(self.models)
        if request in handled:
            return f"request {request.id} was handled before"
        newest = newest_version(self.models)
        asked = [] if handled.latest_at is None else [handled.latest_at]
        if newest is not None:
            manifest = read_manifest(newest)
            if request.at <= answered_until(manifest):
                return f"bundle {newest} is newer"
            if ASKED_AT in manifest.settings:
                asked.append(int(manifest.settings[ASKED_AT]))
        if asked and request.at < max(asked) + self.settings().retrain.cool_down:
            return f"one of {max(asked)} was answered, less than retrain.cool_down before"
        return None

    def answer(
        self, request: RetrainRequest, progress: ProgressOf = lambda stage, done, of: None
    ) -> Retraining:
        """Train, and keep the bundle where its HR@20 is at least that of the bundle in force on the same events.

        Judged are events that neither has learned from; where no bundle is in force, lists are by the blend.
        Raises `HeadraceError` where there is nothing to learn or to judge from.
        """
        started = time.monotonic()
        settings = self.settings()
        known = known_features(settings.step)
        in_force = None if settings.model.bundle is None else load_bundle(settings.model.bundle, known)
        training = training_by(settings, self.sizes)
        data = training.read(self.source, self.items, progress)
        # Of the schedule's own requests, which are of no time: they ask for what is known by now.
        asked_at = request.at or data.events[-1].time
        folder = next_version(self.models)
        aside = self.models / TRIAL
        candidate = aside / self.models.resolve().name / folder.name
        shutil.rmtree(aside, ignore_errors=True)
        try:
            training.learn(data, candidate, progress, {ASKED_AT: asked_at})
            new = load_bundle(candidate, known)
            trial = judge(data, (new, in_force), settings, self.sizes.validation, self.sizes.seed, progress)
            if trial.lists < LEAST_LISTS:
                raise CannotJudge(
                    f"{self.source}: {trial.lists} lists to judge by that neither the new bundle nor the one in"
                    f" force has learned from; {LEAST_LISTS} are needed: ask again when there are more events"
                )
            hr, hr_in_force = trial.hit_rates
            if accepted := hr >= hr_in_force:
                candidate.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        HandledRequests(self.models).add(msgspec.structs.replace(request, at=asked_at))
        return Retraining(
            request=request,
            bundle=str(folder) if accepted else None,
            reference=reference_to(folder) if accepted else None,
            in_force=NO_BUNDLE if in_force is None else in_force.name,
            hr=round(hr, 4),
            hr_in_force=round(hr_in_force, 4),
            lists=trial.lists,
            seconds=round(time.monotonic() - started, 1),
        )


def offer(reference: BundleReference, now: int) -> Control:
    """The control message that offers a bundle; `now` (ms since 1970) is its version: the latest offer holds.

    >>> control = offer(BundleReference(folder="/models/shop/2", sha256="ab"), now=5)
    >>> control.kind, control.name, control.version, control.body
    ('model', 'shop', 5, '{"folder":"/models/shop/2","sha256":"ab"}')
    """
    body = msgspec.json.encode(reference).decode()
    return Control(kind=MODEL, name=Path(reference.folder).parent.name, version=now, body=body)


def answered_until(manifest: Manifest) -> int:
    """The time (event time, ms) of the latest request that a bundle answers.

    The lake is a checkpoint behind the stream, so a bundle may answer a request that is later than its data.
    """
    return max(manifest.data.last, int(manifest.settings.get(ASKED_AT, 0)))
