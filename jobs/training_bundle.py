"""A bundle's folder from what a training made: its manifest, golden rows, and what the manifest says of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobs.bundle_writer import write_bundle
from jobs.deep_rankers import columns
from jobs.deep_recipes import DEEP
from jobs.train_ranker import TriedRanker
from jobs.training_events import TrainingEvents
from jobs.training_report import metrics
from jobs.training_set import TrainingLists
from jobs.training_settings import TrainingSettings
from operators.bundle_manifest import DataSpan, Manifest
from operators.features import (
    AUTOENCODER_FEATURES,
    BOOSTED_FEATURES,
    SEQUENCE_FEATURES,
    SEQUENCE_PROFILE,
)
from operators.held_out import ONE_IN
from operators.onnx_scorer import OnnxScorer

GOLDEN_ROWS = 64

LEFT_OUT = "users_left_out"
"""In a manifest's settings: one user of so many taught nothing; not there where all did."""


def span_of(data: TrainingEvents, made: TrainingLists) -> DataSpan:
    """What a bundle was made from, and until when its parts learned."""
    return DataSpan(
        events=len(data.events),
        users=len({event.user_id for event in data.events}),
        items=len(made.factors.item_ids),
        first=data.events[0].time,
        factors_until=made.factors_until,
        ranker_until=made.ranker_until,
        last=data.events[-1].time,
    )


def write_trained(
    folder: Path,
    made: TrainingLists,
    names: tuple[str, ...],
    chosen: TriedRanker,
    features: tuple[str, ...],
    tried: Sequence[TriedRanker],
    span: DataSpan,
    settings: TrainingSettings,
    noted: Mapping[str, int | str],
) -> None:
    """Write the bundle of the chosen ranker, which takes `features`; the lists have the columns `names`."""
    inputs: npt.NDArray[np.float32] = np.zeros((0, len(features)), np.float32)
    outputs: npt.NDArray[np.float32] = np.zeros(0, np.float32)
    if chosen.graph is not None:
        rows = columns(made.validation, names, features).rows
        inputs = rows[np.linspace(0, len(rows) - 1, GOLDEN_ROWS).astype(np.int64)]
        outputs = OnnxScorer(chosen.graph, len(features)).score(inputs)
    left_out: Mapping[str, int | str] = {LEFT_OUT: ONE_IN} if settings.leaves_users_out else {}
    manifest = Manifest(
        name=folder.parent.name,
        version=folder.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        ranker=chosen.kind,
        data=span,
        features=features,
        metrics={ranker.label: metrics(ranker) for ranker in tried},
        settings={"seed": settings.seed, "lists": settings.lists, "validation": settings.validation,
                  "factors": settings.factors.factors, "chosen": chosen.label, **left_out, **noted},
        files={},
        libraries={"torch": version("torch")} if _takes_torch(settings) else {},
    )  # fmt: skip
    models = [
        None if set(features).isdisjoint(own) else model
        for model, own in (
            (made.sequence, (*SEQUENCE_FEATURES, *SEQUENCE_PROFILE)),
            (made.autoencoder, AUTOENCODER_FEATURES),
            (None if made.boosted is None else made.boosted.exported, BOOSTED_FEATURES),
        )
    ]
    write_bundle(folder, manifest, made.factors, chosen.graph, inputs, outputs, *models)


def _takes_torch(settings: TrainingSettings) -> bool:
    return bool(settings.deep_features) or not set(DEEP).isdisjoint(settings.rankers.rankers)
