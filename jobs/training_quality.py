"""The report on a new bundle's lists, on the events that its ranker did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import msgspec

from jobs.evaluate_stream import Split, evaluate_fully
from jobs.headrace_list import HeadraceList
from jobs.quality_files import write_report
from jobs.quality_report import Origin, QualityReport
from jobs.recommenders import BASELINES, BLEND
from jobs.settings import Settings
from jobs.training_bundle import LEFT_OUT
from jobs.training_events import TrainingEvents
from jobs.training_splits import with_splits
from operators.bundle import load_bundle
from operators.feature_plan import known_features
from operators.held_out import held_out
from operators.segments.rules_file import ready_rules
from schemas.records import Event

FOLDER = "report"
"""Where in the bundle's folder the report is."""

MOST_EVENTS = 10_000
"""So many events, about, are judged; where there are more, what some users took at one time is drawn."""

_WHOLE = 1 << 32


def write_quality(
    folder: Path,
    data: TrainingEvents,
    settings: Settings,
    origin: Origin,
    progress: Callable[[int], None] = lambda events: None,
) -> QualityReport:
    """Judge the bundle in `folder`, trained on `data`, beside the blend and the baselines, and write the report.

    Users who were left out of the training are judged in a run of their own. `progress` hears of events taken in.
    """
    bundle = load_bundle(folder, known_features(settings.step))
    until = bundle.manifest.data.ranker_until
    # Its factors and its ranker learned from what came before `until`: as far as that goes, the rest is new to it.
    learned = msgspec.structs.replace(bundle.manifest.data, last=until - 1)
    judged = replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, data=learned))
    rules, later = ready_rules(), [event for event in data.events if event.time >= until]

    def judged_by(only: tuple[str, ...], split: Split, share: float) -> QualityReport:
        return evaluate_fully(
            data,
            only,
            judged,
            lambda trial: progress(trial.events),
            settings,
            split,
            rules,
            origin,
            f"Quality of the lists of {bundle.name}",
            judges=drawn(share),
            notes=[
                "Judged were events after those that factors and ranker learned from. The ranker was chosen among"
                " others by lists of these events, so its figures may flatter it a little; later events judge it"
                " better."
            ],
            unseen=split is Split.TIME,
        )[1]

    own = (HeadraceList.name, BLEND)
    users: QualityReport | None = None
    report = judged_by((*own, *BASELINES), Split.TIME, MOST_EVENTS / max(len(later), 1))
    left_out = sum(map(held_out, later))
    if LEFT_OUT in bundle.manifest.settings and left_out:
        users = judged_by(own, Split.USERS, MOST_EVENTS / left_out)
    report = with_splits(report, users)
    write_report(report, folder / FOLDER)
    return report


def drawn(share: float) -> Callable[[Event], bool]:
    """Whether an event is judged, of a share of all: by user and time, so that baskets stay whole.

    >>> chosen = drawn(0.25)
    >>> sum(chosen(Event(event_id="", user_id="ann", type="view", time=n)) for n in range(1_000))
    226
    """
    bound = share * _WHOLE
    return lambda event: crc32(f"{event.user_id} {event.time}".encode("utf-8", "surrogatepass")) < bound
