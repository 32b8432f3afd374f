"""From user records to ranked lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operators.bundle import Bundle
from operators.shelf import Shelf
from schemas.state import UserState


@dataclass(frozen=True)
class RankSettings:
    """How lists are made; defaults hold for a shop."""

    length: int = 20
    candidates: int = 200
    exclude_touched: bool = False
    exclude_bought: bool = True


@dataclass(frozen=True)
class RankedList:
    """One user's list, best first. `whys[k]` is the reason of `items[k]`, `sources[k]` what each source said for it."""

    items: list[str]
    scores: list[float]
    whys: list[str]
    sources: list[dict[str, float]]
    model: str


class Ranker:
    """Makes lists for batches of users from a shelf, with or without a model bundle."""

    def __init__(self, shelf: Shelf, settings: RankSettings = RankSettings(), bundle: Bundle | None = None) -> None:
        raise NotImplementedError

    def rank(
        self,
        states: Sequence[UserState],
        now_ms: Sequence[int],
        exclude: Sequence[Sequence[str]] | None = None,
    ) -> list[RankedList]:
        """One list per state, as at its `now_ms`; `exclude[k]` are item ids that list k may not hold.

        The list of a user does not depend on who else is in the batch.
        """
        raise NotImplementedError
