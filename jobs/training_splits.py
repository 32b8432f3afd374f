"""A new bundle's figures by what it is new to: later events, users who were left out, items that it has not seen.

None of them leaks. Judged are events later than all that factors and ranker learned from. Users who were left out
taught neither of them anything, nor what items go together while they are judged. An item is unseen where nobody
touched it before.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from jobs.evaluate_stream import UNSEEN
from jobs.quality_report import GROUP_FIGURES, Group, Grouping, QualityReport
from operators.cold_start import UNSEEN_ITEMS

BY_SPLIT = "By split"
LATER = "later events"
LEFT_OUT_USERS = "users left out of training"
NOTE = (
    "Later events are those after all that factors and ranker learned from, and so are those of the other groups. Users"
    " who were left out taught them nothing, and nothing to what items go together while they were judged."
)


class SplitFigures(msgspec.Struct, frozen=True, kw_only=True):
    """HR@20 and MRR@20 of each recommender over the judged events of a split; None where there were none."""

    split: str
    judged: int
    hr: dict[str, float | None]
    mrr: dict[str, float | None]


def with_splits(report: QualityReport, users: QualityReport | None) -> QualityReport:
    """The report with a grouping by split before the others; `users` is that on users who were left out."""
    names = [strategy.name for strategy in report.strategies]
    groups = [_whole(LATER, report, names)]
    if users is not None:
        groups.append(_whole(LEFT_OUT_USERS, users, names))
    unseen = next((grouping for grouping in report.groupings if grouping.title == UNSEEN), None)
    if unseen is not None:
        groups += [group for group in unseen.groups if group.name == UNSEEN_ITEMS]
    others = [grouping for grouping in report.groupings if grouping is not unseen]
    by_split = Grouping(title=BY_SPLIT, note=NOTE, groups=groups, overlapping=True)
    return msgspec.structs.replace(report, groupings=[by_split, *([unseen] if unseen else []), *others])


def split_figures(report: QualityReport) -> list[SplitFigures]:
    """What the grouping by split comes to, in short; empty where a report has none."""
    found = [grouping for grouping in report.groupings if grouping.title == BY_SPLIT]
    return [
        SplitFigures(
            split=group.name, judged=group.judgements, hr=_told(group, "hr@20"), mrr=_told(group, "mrr@20")
        )
        for group in (found[0].groups if found else ())
    ]


def _told(group: Group, figure: str) -> dict[str, float | None]:
    told = {name: figures[figure] for name, figures in group.figures.items()}
    return {name: None if found is None else round(found.value, 4) for name, found in told.items()}


def _whole(name: str, report: QualityReport, names: Sequence[str]) -> Group:
    """All of a report as a group, with no figure of those of `names` that were not judged in it."""
    judged = {strategy.name: strategy.by_event for strategy in report.strategies}
    figures = {each: {figure: judged.get(each, {}).get(figure) for figure in GROUP_FIGURES} for each in names}
    return Group(name=name, judgements=report.judgements, users=report.judged_users, figures=figures)


def names_of(splits: Sequence[SplitFigures]) -> list[str]:
    """The recommenders that were judged on every split where anything was, in their order."""
    told = [split for split in splits if split.judged]
    first = told[0].hr if told else {}
    return [name for name in first if all(split.hr.get(name) is not None for split in told)]
