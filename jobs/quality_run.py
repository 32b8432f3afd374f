"""What a report on the quality of lists is made of, gathered beside a run that judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from jobs.judgement_groups import Sorted, by_item_past, by_segment, by_user_past, over_time
from jobs.list_variety import by_audience, by_category, by_text
from jobs.quality_figures import QualityFigures
from jobs.quality_report import Origin, QualityReport
from jobs.segment_watch import SegmentWatch
from operators.judgements import JudgementLog, Judgements
from operators.numbering import Numbering
from operators.segments import SegmentRule
from operators.user_bootstrap import DRAWS
from operators.user_step import StepSettings
from schemas.records import Event, Item


class QualityRun:
    """Give `log` to the trial; after each event that it took call `took`, and in the end `report`.

    `names` are those of the recommenders, the one that the report is about first. Users are followed by `rules`
    over items of this catalogue.
    """

    def __init__(
        self,
        names: Sequence[str],
        catalogue: Sequence[Item],
        rules: Sequence[SegmentRule],
        step: StepSettings,
    ) -> None:
        self.log = JudgementLog(names)
        self._catalogue = catalogue
        self._watch = SegmentWatch(rules, catalogue, step)
        self._held: list[frozenset[str]] = []
        self._users: set[str] = set()
        self._events = 0
        self._first, self._last = 0, 0

    def took(self, events: Sequence[Event]) -> None:
        """The trial has taken these events, in order of time, and judged by them what it would.

        Where there are several, the segments of their user are told as of the first.
        """
        judged = len(self.log) - len(self._held)
        if judged:
            self._held += [self._watch.held(events[0].user_id, events[0].time)] * judged
        for event in events:
            self._watch.learn(event)
            self._users.add(event.user_id)
        self._first = self._first if self._events else events[0].time
        self._last = max(self._last, events[-1].time)
        self._events += len(events)

    def report(
        self,
        title: str,
        protocol: Sequence[str],
        origin: Origin,
        items: Numbering,
        unused_rows: int,
        models: Mapping[str, str],
        seconds: float,
        more: Sequence[Sorted] = (),
        draws: int = DRAWS,
    ) -> QualityReport:
        """All figures. `items` is the numbering of the trial, `more` are groupings beside the usual ones."""
        judged = self.log.judgements(len(items))
        sorts = [by_user_past(judged), by_item_past(judged), *more, by_segment(self._held, self._watch.names)]
        figures = QualityFigures(judged, self._vectors(judged, items), [over_time(judged), *sorts], draws)
        first, *others = figures.groupings()
        return QualityReport(
            title=title,
            protocol=protocol,
            origin=origin,
            events=self._events,
            users=len(self._users),
            items=int(np.count_nonzero(np.bincount(judged.touches, minlength=1))),
            unused_rows=unused_rows,
            first=self._first,
            last=self._last,
            judgements=len(judged),
            judged_users=figures.users,
            baskets=figures.baskets,
            draws=draws,
            seconds=seconds,
            models=models,
            strategies=figures.strategies(),
            over_time=first,
            groupings=others,
        )

    def _vectors(self, judged: Judgements, items: Numbering) -> dict[str, object]:
        found = {
            "variety_category": by_category(self._catalogue, items),
            "variety_text": by_text(self._catalogue, items),
            "variety_audience": by_audience(judged.touch_user, judged.touches, len(items)),
        }
        return {name: vectors for name, vectors in found.items() if vectors is not None}
