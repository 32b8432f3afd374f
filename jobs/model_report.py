"""What `headrace model` prints."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from jobs.model_readings import ModelReadings
from jobs.send_progress import recorded_time
from operators.bundle_reference import BundleReference
from operators.model_reference import ModelRecord, Slot
from operators.ranker import NO_BUNDLE
from schemas.worker_models import ShadowReading, WorkerModels

WORDS: dict[Slot, str] = {"serve": "in force", "shadow": "compared"}


class Put(msgspec.Struct, frozen=True):
    """What became of a message: whether a job `answered`; of each worker that dealt with it why it refused, or None."""

    slot: Slot
    bundle: BundleReference | None
    version: int
    answered: bool
    workers: Mapping[str, str | None]


def lines_of_put(told: Put) -> list[str]:
    """For people."""
    what = "nothing" if told.bundle is None else told.bundle.folder
    lines = [f"{WORDS[told.slot]}: {what}, version {told.version}"]
    if not told.answered:
        return [*lines, "no job answered: one that is started later takes it from the control topic"]
    if not told.workers:
        return [*lines, "no worker has answered yet; `headrace model list` shows what each uses"]
    return [*lines, *(f"{name}: {'refused' if why else 'done'}" for name, why in told.workers.items())]


def lines_of(found: ModelReadings) -> list[str]:
    """For people: the slots, then each worker."""
    lines = [_slot(slot, found.records.get(slot)) for slot in WORDS]
    for name, models in found.workers.items():
        lines += _worker(name, models)
    return lines if found.workers else [*lines, "no worker has told anything in the last 15 s"]


def _slot(slot: Slot, record: ModelRecord | None) -> str:
    if record is None or record.bundle is None:
        empty = "as the settings say (model.bundle)" if slot == "serve" else "nothing"
        return f"{WORDS[slot]}: {empty}"
    words = f"{WORDS[slot]}: {record.bundle.folder}, version {record.version}"
    if slot == "shadow":
        return f"{words}, on {record.share:.2%} of the lists"
    return words if record.former is None else f"{words}; before it {record.former.folder}"


def _worker(name: str, models: WorkerModels) -> list[str]:
    serve, shadow = models.serve, models.shadow
    lines = [f"{name}: ranks with {serve.model or NO_BUNDLE} since {recorded_time(serve.since)} UTC"]
    if shadow.model is not None:
        lines.append(f"  {_comparison(shadow)}")
    for rule in models.rules or ():
        lines.append(f"  refused rule {rule.name} at {recorded_time(rule.at)} UTC: {rule.why}")
    for reading in (serve, shadow):
        if reading.refused is not None:
            lines.append(f"  refused at {recorded_time(reading.refused_at)} UTC: {reading.refused}")
    return lines


def _comparison(shadow: ShadowReading) -> str:
    if not shadow.lists:
        return f"compares {shadow.model}: no list yet"
    return (
        f"compares {shadow.model} with {shadow.against}: {shadow.lists:,} lists,"
        f" {shadow.overlap / shadow.lists:.1%} of the items shared,"
        f" {shadow.same_first / shadow.lists:.1%} the same first, {shadow.micros / shadow.lists:.0f} µs a list"
    )
