"""The ways of looking at a batch of users, each with candidates of its own, that slots choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from operators.anchored_users import around, baskets, by_days, looked_at, some_of
from operators.barred_items import BarredItems
from operators.candidates import CandidateFinder, Candidates, CandidateSettings
from operators.ranker import Ranker, Scored, hashes_not_shown
from operators.slot_settings import Slot
from operators.user_batch import RECENT, UserBatch

Find = Callable[[UserBatch, BarredItems], Candidates]

Way = tuple[str, bool, bool]
"""What slots that share candidates have in common: what they are made from, and what they leave out."""


def way_of(slot: Slot) -> Way:
    """The way in which a slot looks at users."""
    return slot.about, slot.exclude_touched, slot.exclude_bought


@dataclass(frozen=True, eq=False)
class SlotView:
    """Scored candidates for the users of a batch that `rows` names; `anchors[k]` are the items that it is about.

    `scored` is None where these are no users. Of candidates that go with items the scores are 0: the blend of each
    slot gives them.
    """

    scored: Scored | None
    rows: NDArray[np.intp]
    anchors: list[list[int]] | None = None


class SlotViews:
    """Finds candidates for slots with a ranker. Keeps working memory between calls, so one thread at a time."""

    def __init__(self, ranker: Ranker, slots: Sequence[Slot]) -> None:
        self._ranker = ranker
        self._shelf = ranker.shelf
        candidates = ranker.settings.candidates
        wanted = {_finder_of(slot) for slot in slots}
        self._find: dict[str, Find] = {
            name: CandidateFinder(ranker.shelf, candidates, ranker.factors, adapt).find
            for name, adapt in (("history", _far_back), ("basket", _beside_items))
            if name in wanted
        }
        self._find["session"] = ranker.find

    def of(self, slot: Slot, users: UserBatch) -> SlotView:
        """What a slot chooses from. Hold the shelf's lock."""
        shelf, rows, anchors = self._shelf, np.arange(len(users)), None
        if slot.is_about_items:
            found = baskets(users, shelf) if slot.about == "basket" else looked_at(users)
            rows = np.flatnonzero([bool(some) for some in found])
            anchors = [found[row][:RECENT] for row in rows.tolist()]
            if not anchors:
                return SlotView(None, rows, anchors)
            users = around(some_of(users, rows), anchors)
        elif slot.about == "history":
            users = by_days(users)
        hashes = [
            hashes_not_shown(state, slot.exclude_touched, slot.exclude_bought) for state in users.states
        ]
        ids = None if anchors is None else [list(map(shelf.item_id, some)) for some in anchors]
        candidates = self._find[_finder_of(slot)](users, BarredItems.of(ids, hashes, shelf))
        if slot.is_about_items:
            unscored = Scored(users, candidates, np.zeros(len(candidates), np.float32))
            return SlotView(unscored, rows, anchors)
        return SlotView(self._ranker.scored(users, candidates), rows, anchors)


def _far_back(candidates: CandidateSettings) -> CandidateSettings:
    return replace(candidates, covisit_items=RECENT)


def _beside_items(candidates: CandidateSettings) -> CandidateSettings:
    return replace(candidates, trending=0, category_trending=0, again=0, new_arrivals=0)


def _finder_of(slot: Slot) -> str:
    """Lists about items look for candidates in one way, whichever items these are."""
    return "basket" if slot.is_about_items else slot.about
