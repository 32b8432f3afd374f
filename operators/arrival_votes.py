"""What has just come to the catalogue: a source of its own, and more weight to what trends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled_in_place
from operators.new_items import ArrivalArrays
from operators.score_sheet import ARRIVED, ScoreSheet, place_of

_LN_2 = float(np.log(2.0))
_DAY = 86_400_000


class Freshness(NamedTuple):
    """`weight` is what the newest item gets; it halves with every `half_life` (ms) since the item came."""

    weight: float
    half_life: float


@compiled_in_place
def freshness(came: int, now: int, fresh: Freshness) -> float:
    """What an item's arrival is worth now; 0 where it is not known.

    What came more than a day after the list's own time belongs to another clock: a history that is replayed.
    """
    if came == 0 or came > now + _DAY:
        return 0.0
    return float(fresh.weight * np.exp(-_LN_2 * max(now - came, 0) / fresh.half_life))


@compiled_in_place
def vote_by_arrival(
    arrived: ArrivalArrays,
    scope_of: NDArray[np.int32],
    favourite: NDArray[np.int32],
    share: NDArray[np.float32],
    now: int,
    fresh: Freshness,
    sheet: ScoreSheet,
    listed: int,
) -> int:
    """New items score their freshness times the share of their top category in what the user touches. How many items
    are listed by now."""
    score = sheet.score[ARRIVED]
    for k in range(len(arrived.number)):
        item = arrived.number[k]
        likes = np.float32(0.0)
        for j in range(len(favourite)):
            if favourite[j] >= 0 and favourite[j] == scope_of[item]:
                likes = share[j]
        if likes <= 0.0:
            continue
        vote = likes * freshness(arrived.came[item], now, fresh)
        if vote <= 0.0:
            continue
        place = place_of(sheet.slot, sheet.item, listed, item)
        if place < 0:
            continue
        if place == listed:
            listed += 1
        score[place] = vote
    return listed
