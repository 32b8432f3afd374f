"""Context rules at work: which of them hold for the users of a batch, and what they do to scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled
from operators.context_rule import ContextRule
from operators.item_traits import ItemTraits
from operators.local_time import local_hour
from schemas.state import UserState

MOST_CONTEXTS = 65_536
"""Contexts whose weights are remembered; then the memory begins anew."""

NO_RULE = -1


class RuleArrays(NamedTuple):
    """`weight` float32[m, R] is what rule r multiplies scores of user k by (1: it does not hold, 0: the item goes out),
    for items whose bit `bit` uint64[R] is set, or with `others` bool[R] is not."""

    weight: NDArray[np.float32]
    bit: NDArray[np.uint64]
    others: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Weighed:
    """Scores float32[n] after the rules, `rule` int8[n] the one that moved a row most (-1: none), `out` bool[n]."""

    scores: NDArray[np.float32]
    rule: NDArray[np.int8]
    out: NDArray[np.bool_]


class RuleWeights:
    """The rules in force, ready for batches. `bits` are those of the rules' items among the shelf's traits.

    Local time is that of `operators.local_time`; `zone` counts where no country is known.
    """

    def __init__(self, rules: Sequence[ContextRule], bits: Sequence[int], zone: str = "UTC") -> None:
        self.rules = tuple(rules)
        self.names = [rule.name for rule in rules]
        self._zone = zone
        self._bit = np.array(bits, np.uint64)
        self._others = np.array([not rule.spares_others for rule in rules], np.bool_)
        self._asks_time = any(rule.when.hours is not None or rule.when.weekdays for rule in rules)
        self._segments = frozenset(name for rule in rules for name in rule.when.segments)
        self._known: dict[object, NDArray[np.float32]] = {}
        self._none = np.ones(len(rules), np.float32)

    def of(self, states: Sequence[UserState], now: Sequence[int]) -> RuleArrays | None:
        """What the rules do for these users, each at a time (ms); None where no rule holds for any."""
        if not self.rules:
            return None
        rows = [self._row(state, at) for state, at in zip(states, now, strict=True)]
        if all(row is self._none for row in rows):
            return None
        return RuleArrays(np.array(rows), self._bit, self._others)

    def counted(self, arrays: RuleArrays, slot: str, names: frozenset[str] | None) -> RuleArrays:
        """The same with the rules switched off that do not count in a slot; `names` are those that may, None: all."""
        off = [
            (rule.slots and slot not in rule.slots) or (names is not None and rule.name not in names)
            for rule in self.rules
        ]
        if not any(off):
            return arrays
        weight = arrays.weight.copy()
        weight[:, np.array(off, np.bool_)] = 1.0
        return arrays._replace(weight=weight)

    def _row(self, state: UserState, now: int) -> NDArray[np.float32]:
        hour, weekday = local_hour(state.country, now, self._zone) if self._asks_time else (0, 0)
        segments = self._segments.intersection(state.segments) if self._segments else self._segments
        context = (state.device, state.country, hour, weekday, segments)
        row = self._known.get(context)
        if row is None:
            if len(self._known) >= MOST_CONTEXTS:
                self._known.clear()
            held = [rule.weight if rule.when.holds(*context) else 1.0 for rule in self.rules]
            row = self._none if set(held) == {1.0} else np.array(held, np.float32)
            self._known[context] = row
        return row


def weigh(
    arrays: RuleArrays,
    start: NDArray[np.int32],
    item: NDArray[np.int32],
    scores: NDArray[np.float32],
    traits: NDArray[np.uint64],
) -> Weighed:
    """The scores of n candidates after the rules; `start` int32[m + 1] bounds the rows of each user.

    A weight stretches the distance from the least score of the user, or from 0 where all are above it: so a greater
    weight never gives a lower score, whatever the ranker's scale.
    """
    scores = scores.copy()
    rule = np.full(len(scores), NO_RULE, np.int8)
    out = np.zeros(len(scores), np.bool_)
    _weigh(arrays, start, item, traits, scores, rule, out)
    return Weighed(scores, rule, out)


def is_out(arrays: RuleArrays, k: int, number: int, traits: ItemTraits) -> bool:
    """Whether a rule that holds for user k takes an item out."""
    return any(
        arrays.weight[k, r] == 0.0 and traits.has(number, int(bit)) != arrays.others[r]
        for r, bit in enumerate(arrays.bit)
    )


@compiled
def _weigh(
    arrays: RuleArrays,
    start: NDArray[np.int32],
    item: NDArray[np.int32],
    traits: NDArray[np.uint64],
    scores: NDArray[np.float32],
    moved_by: NDArray[np.int8],
    out: NDArray[np.bool_],
) -> None:
    one = np.uint64(1)
    rules = len(arrays.bit)
    for k in range(len(start) - 1):
        weight = arrays.weight[k]
        holds = False
        for r in range(rules):
            holds = holds or weight[r] != 1.0
        if not holds:
            continue
        least = np.float32(0.0)
        for row in range(start[k], start[k + 1]):
            if scores[row] < least:
                least = scores[row]
        for row in range(start[k], start[k + 1]):
            traits_of_item = traits[item[row]]
            total = np.float32(1.0)
            strongest = np.float32(1.0)
            for r in range(rules):
                if weight[r] == 1.0:
                    continue
                if ((traits_of_item >> arrays.bit[r]) & one == one) == arrays.others[r]:
                    continue
                if weight[r] == 0.0:
                    out[row] = True
                    continue
                total *= weight[r]
                strength = weight[r] if weight[r] > 1.0 else np.float32(1.0) / weight[r]
                if strength > strongest:
                    strongest = strength
                    moved_by[row] = r
            if total != 1.0:
                scores[row] = least + (scores[row] - least) * total
