"""What each source of candidates costs a list: all of them, and all but one, in turn over the same users."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import msgspec

from jobs.bench_events import Traffic
from jobs.bench_plain import PlainSettings, followed
from operators.candidates import SOURCES
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from schemas.state import UserState, decode_state

BATCH = 64
WHERE_ON = 20
"""Candidates of a source that is off by default, where it is measured."""


class SourceCosts(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time in µs a list, in batches of 64 users; medians over rounds.

    `list_us` is a list as the settings have it; `saved` what is saved without a source that is on, and `added` what one
    that is off would cost with `WHERE_ON` candidates.
    """

    users: int
    list_us: float
    saved: dict[str, float]
    added: dict[str, float]


def without(rank: RankSettings, source: str) -> RankSettings:
    """The settings with that source switched off.

    >>> without(RankSettings(), "similar").candidates.similar
    0
    """
    return _with_limit(rank, source, 0)


def _with_limit(rank: RankSettings, source: str, limit: int) -> RankSettings:
    return replace(rank, candidates=replace(rank.candidates, **{source: limit}))


def measure_sources(
    traffic: Traffic, settings: PlainSettings, users: int = 1_024, rounds: int = 9
) -> SourceCosts:
    """Measure on the users of `traffic`, after all of it. No model bundle is used: the source `factors` is empty."""
    loop = followed(traffic, settings)
    states = [decode_state(stored) for stored in list(loop.states.values())[:users]]
    rank = settings.worker.rank
    on = [source for source in SOURCES if getattr(rank.candidates, source)]
    off = [source for source in SOURCES if source not in on]
    variants = {"": rank}
    variants |= {source: without(rank, source) for source in on}
    variants |= {source: _with_limit(rank, source, WHERE_ON) for source in off}
    rankers = {name: Ranker(loop.worker.shelf, each, step=settings.step) for name, each in variants.items()}
    spent = _rounds(rankers, states, rounds)
    # Of each round the difference: what else the machine does weighs on both alike.
    gaps = {
        source: median(all_of - one for all_of, one in zip(spent[""], spent[source], strict=True))
        for source in SOURCES
    }
    return SourceCosts(
        users=len(states),
        list_us=median(spent[""]),
        saved={source: gaps[source] for source in on},
        added={source: -gaps[source] for source in off},
    )


def _rounds(
    rankers: Mapping[str, Ranker], states: Sequence[UserState], rounds: int
) -> dict[str, list[float]]:
    """µs a list by ranker and round; the first round warms up and is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in rankers}
    for number in range(rounds + 1):
        for name, ranker in rankers.items():
            began = time.thread_time()
            for first in range(0, len(states), BATCH):
                some = states[first : first + BATCH]
                ranker.rank(some, [state.last for state in some])
            if number:
                spent[name].append((time.thread_time() - began) / len(states) * 1e6)
    return spent
