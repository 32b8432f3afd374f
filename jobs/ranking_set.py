"""Lists of candidates with the item that came, and how well scores put that item near the top."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

LIST_LENGTH = 20

NEVER = np.iinfo(np.int64).max
"""When something happened that did not."""

_NOT_KNOWN: npt.NDArray[np.int64] = np.zeros(0, np.int64)

Scores = npt.NDArray[np.float32] | npt.NDArray[np.float64]


class ListsOutOfOrder(ValueError):  # noqa: N818 (named for what it says)
    """Lists that are not in order of time: a part of them would know the future of another."""


@dataclass(frozen=True, eq=False)
class RankingSet:
    """Candidate lists of `counted` sampled events, those with the hit among the candidates kept.

    `rows` float32[n, width] are the features of all kept lists, one list after the other; list g is
    `rows[starts[g]:starts[g + 1]]` and its hit is row `hits[g]`. `blend` float32[n] are the scores that
    order a list where no model serves. `strict` bool[g] marks events strictly later than their user's
    previous one, of which `counted_strict` were sampled. `times` int64[g] are the times (ms) of the events, in
    their order, empty where they are not known. `bought_at` int64[g] are the times (ms) when the user put what
    came in the cart or bought it, `NEVER` where they did not, empty where that is not known.
    """

    rows: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]
    hits: npt.NDArray[np.int64]
    blend: npt.NDArray[np.float32]
    strict: npt.NDArray[np.bool_]
    counted: int
    counted_strict: int
    times: npt.NDArray[np.int64] = field(default_factory=_NOT_KNOWN.copy)
    bought_at: npt.NDArray[np.int64] = field(default_factory=_NOT_KNOWN.copy)

    @property
    def lists(self) -> int:
        """How many lists hold their hit."""
        return len(self.hits)

    def labels(self) -> npt.NDArray[np.int32]:
        """int32[n]: 1 for the item that came, 0 for the others."""
        labels = np.zeros(len(self.rows), np.int32)
        labels[self.hits] = 1
        return labels

    def bought(self) -> npt.NDArray[np.bool_]:
        """bool[g]: whether what came was put in the cart or bought before the last of these lists was made.

        So what is learned from lists knows no purchase after them, of those that judge least of all.
        """
        if not len(self.bought_at) or not len(self.times):
            return np.zeros(self.lists, np.bool_)
        known: npt.NDArray[np.bool_] = self.bought_at <= self.times[-1]
        return known

    def thinned(self, negatives: int, seed: int) -> RankingSet:
        """The same lists with at most `negatives` other candidates each, drawn by `seed`."""
        draw = np.random.default_rng(seed).random(len(self.rows))
        draw[self.hits] = -1.0
        of = np.repeat(np.arange(self.lists), np.diff(self.starts))
        order = np.lexsort((draw, of))
        place = np.arange(len(order)) - self.starts[:-1][of]
        kept = np.sort(order[place <= negatives])
        sizes = np.bincount(of[kept], minlength=self.lists)
        return RankingSet(
            self.rows[kept],
            np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
            np.searchsorted(kept, self.hits).astype(np.int64),
            self.blend[kept],
            self.strict,
            self.counted,
            self.counted_strict,
            self.times,
            self.bought_at,
        )

    def parted(self, share: float) -> tuple[RankingSet, RankingSet]:
        """The first `share` of the lists, and those of later events; events of one time stay together.

        Only kept lists count in the parts. Raises `ListsOutOfOrder` for lists that are not in order of time.
        """
        if (np.diff(self.times) < 0).any():
            place = int(np.flatnonzero(np.diff(self.times) < 0)[0]) + 1
            raise ListsOutOfOrder(
                f"list {place} is of an event at {self.times[place]} ms, the one before it of one at "
                f"{self.times[place - 1]} ms; bring lists into the order of their events before parting them"
            )
        cut = round(share * self.lists)
        if len(self.times) and 0 < cut < self.lists:
            cut = int(np.searchsorted(self.times, self.times[cut]))
        return self._between(0, cut), self._between(cut, self.lists)

    def _between(self, first: int, end: int) -> RankingSet:
        low, high = self.starts[first], self.starts[end]
        strict = self.strict[first:end]
        return RankingSet(
            self.rows[low:high],
            self.starts[first : end + 1] - low,
            self.hits[first:end] - low,
            self.blend[low:high],
            strict,
            end - first,
            int(strict.sum()),
            self.times[first:end],
            self.bought_at[first:end],
        )


@dataclass(frozen=True)
class Quality:
    """Hit rate and mean reciprocal rank at 20, over all sampled events and over the strict ones.

    `mrr_bought` is over the lists that hold what came and was bought (`RankingSet.bought`), 0 where that is none of
    them, or every one.
    """

    hr: float
    mrr: float
    hr_strict: float
    mrr_strict: float
    mrr_bought: float = 0.0


def reciprocal_ranks(lists: RankingSet, scores: Scores) -> npt.NDArray[np.float64]:
    """float64[lists]: 1 / place of the hit when ordered by `scores`, 0 beyond place 20.

    A tie counts against the hit, so that a model that scores everything alike gains nothing.
    """
    above = np.add.reduceat(
        (scores >= np.repeat(scores[lists.hits], np.diff(lists.starts))).astype(np.int64), lists.starts[:-1]
    )
    return np.where(above <= LIST_LENGTH, 1.0 / above, 0.0)


def quality(lists: RankingSet, scores: Scores) -> Quality:
    """What the lists are worth when ordered by `scores`; events whose item was no candidate count 0."""
    if lists.lists == 0:
        return Quality(0.0, 0.0, 0.0, 0.0)
    found = reciprocal_ranks(lists, scores)
    strict = found[lists.strict]
    of = lists.bought()
    bought = found[of & (not of.all())]
    every, later = max(lists.counted, 1), max(lists.counted_strict, 1)
    return Quality(
        float((found > 0).sum() / every),
        float(found.sum() / every),
        float((strict > 0).sum() / later),
        float(strict.sum() / later),
        float(bought.sum() / max(len(bought), 1)),
    )


def beats(lists: RankingSet, scores: Scores, rival: Scores, errors: float = 2.0) -> bool:
    """Whether `scores` give a better MRR than `rival`, by more than `errors` standard errors."""
    if lists.lists < 2:
        return False
    gain = reciprocal_ranks(lists, scores) - reciprocal_ranks(lists, rival)
    return bool(gain.mean() > errors * gain.std(ddof=1) / np.sqrt(len(gain)))
