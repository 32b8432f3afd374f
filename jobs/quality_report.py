"""What a report on the quality of lists holds: every figure, before it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from operators.user_bootstrap import Interval

CUTOFFS = (5, 10, 20)

ACCURACY_NAMES = {
    "hr": "HR",
    "precision": "Precision",
    "recall": "Recall",
    "ndcg": "NDCG",
    "mrr": "MRR",
}
"""Figures of what was wanted, as they are headed."""

CHARACTER_NAMES = {
    "coverage": "Coverage",
    "gini": "Gini",
    "novelty": "Novelty (bits)",
    "serendipity": "Serendipity",
    "variety_category": "Variety by category",
    "variety_text": "Variety by text",
    "variety_audience": "Variety by audience",
}
"""Figures of what lists are like, as they are headed."""

GROUP_FIGURES = ("hr@20", "mrr@20")
"""What is told of each group."""

LEAST_USERS = 10
"""A group of fewer users has figures without bounds, and is not drawn: so few users say little of others."""

Figures = Mapping[str, Interval | None]
"""By figure and cut-off, such as 'hr@20'; None where nothing entered."""


class StrategyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All of one strategy. `by_event` over all judgements, `by_basket` over baskets, empty where each is one event.

    `of_lists` has what no single judgement has (coverage, Gini). `ahead` is by how much the first strategy is
    ahead of this one, on the same judgements; empty for the first. `places` is the share of judgements whose
    item stood at each place of the list.
    """

    name: str
    by_event: Figures
    by_basket: Figures
    of_lists: Mapping[str, float | None]
    ahead: Figures
    places: Sequence[float]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the judgements, of so many users; `figures` by strategy."""

    name: str
    judgements: int
    users: int
    figures: Mapping[str, Figures]


class Grouping(msgspec.Struct, frozen=True, kw_only=True):
    """Judgements by one property; `note` says how. With `overlapping` one judgement may be in several groups."""

    title: str
    note: str
    groups: Sequence[Group]
    overlapping: bool = False


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What one needs to make the report again. `sha256` is of each of the `files`, empty for a folder."""

    command: str
    files: Sequence[str]
    sha256: Sequence[str]
    made: str
    versions: Mapping[str, str]


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole report. Times are ms; `strategies` has the one that the report is about first.

    `events` were taken in, of `users` users and `items` items, `first` to `last`; of them `judgements` were
    judged, of `judged_users` users, in `baskets` baskets. `protocol` says how, sentence by sentence. `models`
    names the bundle of each strategy that has one.
    """

    title: str
    protocol: Sequence[str]
    origin: Origin
    events: int
    users: int
    items: int
    unused_rows: int
    first: int
    last: int
    judgements: int
    judged_users: int
    baskets: int
    draws: int
    seconds: float
    models: Mapping[str, str]
    strategies: Sequence[StrategyFigures]
    over_time: Grouping
    groupings: Sequence[Grouping]
