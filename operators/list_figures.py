"""How much better one way to make lists is than another, judged by the same events."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.judged_events import JudgedEvents

FIGURES = ("hit_rate", "mrr", "strict_hit_rate", "strict_mrr")
"""The figures of `Score`, in the order of the columns here."""

RESAMPLES = 2_000
CONFIDENCE = 0.95
_AT_ONCE = 100


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """A share of a figure, `by` 0.02: 2 % more; with the bounds of its 95 % confidence interval."""

    by: float
    low: float
    high: float


class FigureGain(msgspec.Struct, frozen=True, kw_only=True):
    """A figure by the default and the tuned settings, and the gain; None where no event of its kind was judged."""

    name: str
    default: float | None
    tuned: float | None
    gain: Gain | None


def parts(ranks: NDArray[np.uint8], events: JudgedEvents) -> NDArray[np.float64]:
    """float64[n, 4]: what each judged event adds to the sums behind `FIGURES`, by its weight.

    `ranks` uint8[n] are 0 where the item was not in the list.
    """
    listed = ranks > 0
    reciprocal = np.where(listed, 1.0 / np.maximum(ranks, 1), 0.0)
    both = np.stack([listed.astype(np.float64), reciprocal], axis=1) * events.weight[:, None]
    return np.concatenate([both, both * events.strict[:, None]], axis=1)


def figures(ranks: NDArray[np.uint8], events: JudgedEvents) -> NDArray[np.float64]:
    """float64[4] by `FIGURES`; NaN where no event of the kind was judged.

    >>> events = JudgedEvents(*(np.arange(4),) * 3, np.array([True, False, False, True]), np.ones(4))
    >>> figures(np.array([1, 0, 2, 0], np.uint8), events).tolist()
    [0.5, 0.375, 0.5, 0.5]
    """
    weights = np.array([events.weight.sum()] * 2 + [events.weight[events.strict].sum()] * 2)
    sums = parts(ranks, events).sum(axis=0)
    return np.divide(sums, weights, out=np.full(4, np.nan), where=weights > 0.0)


def objective(sums: NDArray[np.float64], default: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[...]: the mean over `FIGURES` of what is by what the default has; 1.0 is as good as the default.

    Both are float64[..., 4], figures or the sums behind them: of the same events, so the ratios are the same. A
    figure of which the default has nothing tells nothing, and is left out; with none left, 1.0.

    >>> float(objective(np.array([0.22, 0.1, 0.1, 0.1]), np.array([0.2, 0.1, 0.1, 0.0])).round(4))
    1.0333
    """
    known = default > 0.0
    ratios = np.divide(
        sums, default, out=np.zeros(np.broadcast_shapes(sums.shape, default.shape)), where=known
    )
    count = known.sum(axis=-1)
    means: NDArray[np.float64] = np.where(count > 0, ratios.sum(axis=-1) / np.maximum(count, 1), 1.0)
    return means


def gains(
    default: NDArray[np.uint8], tuned: NDArray[np.uint8], events: JudgedEvents, seed: int
) -> tuple[Gain, list[FigureGain]]:
    """The gain of the objective, and of each figure, with paired bootstrap intervals.

    Users are drawn, not events: those of one user are alike (Field and Welsh, "Bootstrapping clustered data",
    2007). Both ways are judged by the same users in each of `RESAMPLES` draws, so what these have in common cancels.
    Intervals are percentile ones. Raises `ValueError` without an event.
    """
    if not len(events):
        raise ValueError("no event to compare by")
    users, of_user = np.unique(events.user, return_inverse=True)
    columns = np.concatenate([parts(default, events), parts(tuned, events)], axis=1)
    by_user = np.zeros((len(users), columns.shape[1]))
    np.add.at(by_user, of_user, columns)
    random = np.random.default_rng(seed)
    drawn = [
        random.multinomial(len(users), np.full(len(users), 1.0 / len(users)), size=_AT_ONCE) @ by_user
        for _ in range(RESAMPLES // _AT_ONCE)
    ]
    sums, whole = np.concatenate(drawn), by_user.sum(axis=0)
    before, after = figures(default, events), figures(tuned, events)
    each = []
    for column, name in enumerate(FIGURES):
        judged = not np.isnan(before[column])
        gain = None
        if judged and whole[column] > 0.0:
            gain = _gain(whole[4 + column] / whole[column], _ratio(sums[:, 4 + column], sums[:, column]))
        each.append(
            FigureGain(
                name=name,
                default=float(before[column]) if judged else None,
                tuned=float(after[column]) if judged else None,
                gain=gain,
            )
        )
    return _gain(float(objective(whole[4:], whole[:4])), objective(sums[:, 4:], sums[:, :4])), each


def _ratio(tuned: NDArray[np.float64], default: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(tuned, default, out=np.ones(len(tuned)), where=default > 0.0)


def _gain(ratio: float, draws: NDArray[np.float64]) -> Gain:
    outside = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(draws, [outside, 1.0 - outside])
    return Gain(by=float(ratio) - 1.0, low=float(low) - 1.0, high=float(high) - 1.0)
