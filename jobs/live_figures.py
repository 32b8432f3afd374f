"""What `headrace evaluate --live` found: the job's lists beside `evaluate`'s, and why they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.prequential_score import Score, hit_rate, mean_reciprocal_rank

QUANTILES = (0.5, 0.9, 0.99)


class Ratio(msgspec.Struct, frozen=True):
    """A figure of the live job over that of `evaluate`; `error` is its standard error, the events being paired."""

    value: float
    error: float


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Counting events of one kind: `current` where the list covered all earlier events of the user, `stale` where it
    did not, `none` where there was no list (`marked` of them by users known as bots or internal traffic, who get none).

    `hit_rate` and `mrr` are by recommender.
    """

    name: str
    events: int
    marked: int
    hit_rate: dict[str, float | None]
    mrr: dict[str, float | None]


class LiveEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One judgement of a live job. Durations are wall clock in ms, at the 50th, 90th and 99th percentile.

    `scores` are those of `evaluate`, of `evaluate` with no more of the user's events known than to the live list, and
    of the live job, over the same `counting` events. `age` is how old lists were when their event was sent, `delay` how
    long it took from an event to the first list that covers it, `gap` the time between two live events of a user;
    `rapid` is the share of gaps shorter than the least interval between two lists. `behind_s` is how far
    the sender was behind its pace at worst, `without` how many users' last events are in no list, `amiss` of how many
    Redis holds another list than the log's newest; `load` are the machine's load averages at the end.
    """

    pace: str
    history: int
    live: int
    counting: int
    strict: int
    scores: list[Score]
    hit_rate: Ratio | None
    mrr: Ratio | None
    strict_hit_rate: Ratio | None
    strict_mrr: Ratio | None
    groups: list[Group]
    age: list[float]
    delay: list[float]
    gap: list[float]
    rapid: float
    behind_s: float
    without: int
    amiss: int
    model: str | None
    seconds: float
    load: list[float]


def ratio(live: NDArray[np.float64], plain: NDArray[np.float64]) -> Ratio | None:
    """The mean of `live` over that of `plain`, event by event the same; None where that has no meaning.

    The standard error is that of the mean of the differences from the ratio (Cochran, "Sampling Techniques", 6.4).

    >>> ratio(np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0]))
    Ratio(value=0.667, error=0.333)
    """
    base = float(plain.mean()) if len(plain) else 0.0
    if base == 0.0 or len(plain) < 2:
        return None
    value = float(live.mean()) / base
    spread = float(np.sqrt(np.sum((live - value * plain) ** 2) / (len(plain) - 1) / len(plain)))
    return Ratio(round(value, 3), round(spread / base, 3))


def reciprocal(ranks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """float64[n]: 1/rank, 0 for rank 0."""
    return np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=ranks > 0)


def ratios(
    live: NDArray[np.uint8], plain: NDArray[np.uint8], where: NDArray[np.bool_]
) -> tuple[Ratio | None, Ratio | None]:
    """Of HR@20 and of MRR@20, over the events in `where`."""
    live, plain = live[where], plain[where]
    hits = ratio((live > 0).astype(np.float64), (plain > 0).astype(np.float64))
    return hits, ratio(reciprocal(live), reciprocal(plain))


def groups(
    ranks: Mapping[str, NDArray[np.uint8]],
    known: Sequence[int],
    covered: Sequence[int],
    marked: Sequence[bool],
) -> list[Group]:
    """Counting event k came after `known[k]` events of its user, of which its list covered `covered[k]` (0: no list).

    >>> ranks = {"live": np.array([1, 0, 2], np.uint8)}
    >>> [(each.name, each.events, each.hit_rate) for each in groups(ranks, [1, 2, 2], [1, 0, 1], [False] * 3)]
    [('current', 1, {'live': 1.0}), ('stale', 1, {'live': 1.0}), ('none', 1, {'live': 0.0})]
    """
    made, all_known, barred = np.array(covered), np.array(known), np.array(marked)
    kinds = {
        "current": made >= all_known,
        "stale": (made > 0) & (made < all_known),
        "none": made == 0,
    }
    return [
        Group(
            name=name,
            events=int(where.sum()),
            marked=int((where & barred).sum()),
            hit_rate={who: hit_rate(each[where]) for who, each in ranks.items()},
            mrr={who: mean_reciprocal_rank(each[where]) for who, each in ranks.items()},
        )
        for name, where in kinds.items()
    ]


def quantiles(durations: Sequence[int]) -> list[float]:
    """The durations at `QUANTILES`; empty without any.

    >>> quantiles([5, 1, 3])
    [3.0, 5.0, 5.0]
    """
    if not durations:
        return []
    return [float(each) for each in np.quantile(durations, QUANTILES, method="higher")]
