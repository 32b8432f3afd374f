"""One user's list: items, scores, reasons, and what each source said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from operators.candidates import SOURCES
from operators.reasons import FOR_YOU, NEW


@dataclass(frozen=True, eq=False)
class RankedList:
    """One user's list, best first. Scores keep six decimals.

    `whys[k]` is the reason of `items[k]`, `said[k]` float32[len(SOURCES)] what each source said for it, 0
    (nothing) to 1. `experiment` names the user's variant by experiment.
    """

    items: list[str]
    scores: list[float]
    whys: list[str]
    said: NDArray[np.float32]
    model: str
    experiment: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> list[dict[str, float]]:
        """By place, what each source that named the item said for it."""
        return [
            {name: value for name, value in zip(SOURCES, values, strict=True) if value}
            for values in self.said.tolist()
        ]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RankedList):
            return NotImplemented
        mine = (self.items, self.scores, self.whys, self.model, self.experiment)
        theirs = (other.items, other.scores, other.whys, other.model, other.experiment)
        return mine == theirs and self.said.tolist() == other.said.tolist()


def said_for_you(made: RankedList) -> RankedList:
    """What was filled in at the end has no score and no source."""
    more = len(made.items) - len(made.scores)
    return replace(
        made,
        scores=made.scores + [0.0] * more,
        whys=made.whys + [FOR_YOU] * more,
        said=np.concatenate([made.said, np.zeros((more, len(SOURCES)), np.float32)]),
    )


def said_new(made: RankedList, places: list[int]) -> RankedList:
    """What was put in for being new keeps the score of its place, and no source spoke for it."""
    if not places:
        return made
    whys, said = list(made.whys), made.said.copy()
    for place in places:
        whys[place] = NEW
    said[places] = 0.0
    return replace(made, whys=whys, said=said)
