"""The context rules of a logged list, as rules again, and what they did to the candidates' scores."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.context_rule import ContextRule, RuleRefused, rule_of
from operators.rule_weights import RuleArrays, Weighed, weigh
from schemas.list_inputs import ListInputs, UnreadableInputs


def rules_held(inputs: ListInputs) -> list[ContextRule]:
    """The rules that held, each on the items tagged with its name (`tags_of`), and at any time.

    Raises `UnreadableInputs` for rules that this release cannot have written.
    """
    if inputs.rules is None:
        return []
    try:
        return [
            rule_of(
                rule.name,
                {
                    "effect": rule.effect,
                    "items": {"tags": [rule.name]},
                    "factor": rule.weight if rule.weight else None,
                },
            )
            for rule in inputs.rules.rules
        ]
    except (RuleRefused, msgspec.ValidationError) as why:
        raise UnreadableInputs(f"rules: {why}") from None


def tags_of(inputs: ListInputs) -> dict[int, tuple[str, ...]]:
    """By place in `items`, the names of the rules that name the item; nothing of an item that none names."""
    if inputs.rules is None:
        return {}
    named = [rule.name for rule in inputs.rules.rules]
    return {
        place: tuple(
            name for name, fits in zip(named, inputs.rules.fits[:, place].tolist(), strict=True) if fits
        )
        for place in np.flatnonzero(inputs.rules.fits.any(axis=0)).tolist()
    }


class RuleEffects:
    """What the rules made of a list's candidates: their `scores` float32[n], and which are taken `out`, bool[n].

    Raises `UnreadableInputs`.
    """

    def __init__(self, inputs: ListInputs) -> None:
        self._before = inputs.scores
        self._rules = rules_held(inputs)
        n = len(inputs.scores)
        self.scores: NDArray[np.float32] = inputs.scores
        self.out: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self._concerned: NDArray[np.bool_] = np.zeros((0, n), np.bool_)
        if inputs.rules is not None:
            fits, others = (
                inputs.rules.fits[:, :n],
                np.array([not rule.spares_others for rule in self._rules]),
            )
            self._concerned = fits != others[:, None]
            weighed = _weighed(inputs.scores, fits, self._rules)
            self.scores, self.out = weighed.scores, weighed.out

    def sentences(self) -> list[str]:
        """What each rule did, in a sentence."""
        return [
            f"Rule {rule.name}: the scores of {count} candidates times {rule.weight:g}."
            if rule.weight
            else f"Rule {rule.name} ({rule.effect}): {count} candidates taken out."
            for rule, count in zip(self._rules, self._concerned.sum(axis=1).tolist(), strict=True)
        ]

    def why_out(self, row: int) -> str:
        """Which rules took a candidate out."""
        taking = [rule.name for rule in self._of(row) if not rule.weight]
        return f"a candidate, and taken out by the rule {', '.join(taking)}"

    def moved(self, row: int) -> list[str]:
        """By which rules a candidate's score was moved, and from what; nothing where it was not."""
        moving = [f"{rule.name} × {rule.weight:g}" for rule in self._of(row) if rule.weight]
        if not moving or self.out[row]:
            return []
        before, after = float(self._before[row]), float(self.scores[row])
        return [f"its score was {before:.4g} before the rule {', '.join(moving)}, and is {after:.4g}"]

    def _of(self, row: int) -> list[ContextRule]:
        return [
            rule for rule, concerned in zip(self._rules, self._concerned[:, row], strict=True) if concerned
        ]


def _weighed(scores: NDArray[np.float32], fits: NDArray[np.bool_], rules: list[ContextRule]) -> Weighed:
    """The scores of n candidates after rules that name those of `fits` bool[R, n]."""
    n = len(scores)
    arrays = RuleArrays(
        np.array([[rule.weight for rule in rules]], np.float32),
        np.arange(len(rules), dtype=np.uint64),
        np.array([not rule.spares_others for rule in rules], np.bool_),
    )
    bits = np.zeros(n, np.uint64)
    for r, each in enumerate(fits):
        bits |= each.astype(np.uint64) << np.uint64(r)
    return weigh(arrays, np.array([0, n], np.int32), np.arange(n, dtype=np.int32), scores, bits)
