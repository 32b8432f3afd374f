"""A batch of user records as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.affinity import WEIGHTS
from operators.item_step import session_key, top_level
from operators.shelf import Shelf
from schemas.state import UserState

RECENT = 20
"""Recent items of a user that are looked at, newest first."""

FAVOURITES = 3
"""Top-level categories of a user that are looked at, the favourite first."""

_NO_WEIGHTS = bytes(4 * WEIGHTS)
_HOUR = 3_600_000.0
_DEVICES = {"desktop": 0, "mobile": 1, "tablet": 2}


@dataclass(frozen=True, eq=False)
class UserBatch:
    """m users as arrays; every row depends on that user's record alone.

    `recent` int32[m, RECENT] are item numbers on the shelf, newest first, -1 past the end (items that the
    shelf does not know are left out); `age_hours` float32[m, RECENT] their ages at `now` (0 past the end);
    `in_session` and `purchased` bool[m, RECENT] whether the item is of the user's latest session, and came
    by a purchase. `favourite` int32[m, FAVOURITES] are numbers of the scopes 'category:<top level>' (-1
    past the end), `favourite_share` float32[m, FAVOURITES] their shares of the user's decayed counts.
    `country` int32[m] is the number of the scope 'country:<code>' (-1: none), `market` int32[m] the user's
    market (`ShelfCatalogue.market_of`), `device` int8[m] 0 desktop, 1 mobile, 2 tablet, -1 other.
    `affinity` float32[m, WEIGHTS] are the weights of the affinity model (operators/affinity.py), `hour`
    float32[m] the hour of day (UTC, with fraction) and `now` int64[m] the time (ms) the list is made for.
    `events` float32[m] counts accepted events, `depth` float32[m] those of the session, `session` int64[m]
    is its key.
    """

    recent: NDArray[np.int32]
    age_hours: NDArray[np.float32]
    in_session: NDArray[np.bool_]
    purchased: NDArray[np.bool_]
    favourite: NDArray[np.int32]
    favourite_share: NDArray[np.float32]
    country: NDArray[np.int32]
    market: NDArray[np.int32]
    device: NDArray[np.int8]
    affinity: NDArray[np.float32]
    hour: NDArray[np.float32]
    now: NDArray[np.int64]
    events: NDArray[np.float32]
    depth: NDArray[np.float32]
    session: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.now)

    @classmethod
    def of(cls, states: Sequence[UserState], shelf: Shelf, now_ms: Sequence[int]) -> UserBatch:
        """The batch of `states`, each as at its own `now_ms`. Hold the shelf's lock.

        Raises `ValueError` where there are not as many times as states.
        """
        m = len(states)
        if len(now_ms) != m:
            raise ValueError(f"{m} user records and {len(now_ms)} times; one time per record is needed")
        recent = np.full((m, RECENT), -1, np.int32)
        times = np.zeros((m, RECENT), np.int64)
        in_session = np.zeros((m, RECENT), np.bool_)
        purchased = np.zeros((m, RECENT), np.bool_)
        favourite = np.full((m, FAVOURITES), -1, np.int32)
        share = np.zeros((m, FAVOURITES), np.float32)
        number, scope, market = shelf.index.number, shelf.scopes.code, shelf.catalogue.market_of
        now = np.array(now_ms, np.int64)
        for k, state in enumerate(states):
            start = state.session.start
            known = [
                (n, r.time, r.time >= start, r.type == "purchase")
                for r in state.recent
                if (n := number(r.item_id)) >= 0
            ]
            if known:
                held = min(len(known), RECENT)
                columns = zip(*known[: -held - 1 : -1], strict=True)
                recent[k, :held], times[k, :held], in_session[k, :held], purchased[k, :held] = columns
            times[k, len(known) :] = now_ms[k]
            for j, (name, part) in enumerate(_favourites(state)):
                favourite[k, j], share[k, j] = scope("category:" + name), part
        return cls(
            recent=recent,
            age_hours=(np.maximum(now[:, None] - times, 0) / _HOUR).astype(np.float32),
            in_session=in_session,
            purchased=purchased,
            favourite=favourite,
            favourite_share=share,
            country=np.array([scope("country:" + s.country) if s.country else -1 for s in states], np.int32),
            market=np.array([market(s.country) for s in states], np.int32),
            device=np.array([_DEVICES.get(s.device or "", -1) for s in states], np.int8),
            affinity=np.frombuffer(
                b"".join([s.affinity.weights or _NO_WEIGHTS for s in states]), "<f4"
            ).reshape(m, WEIGHTS),
            hour=(now % 86_400_000 / _HOUR).astype(np.float32),
            now=now,
            events=np.array([s.n for s in states], np.float32),
            depth=np.array([s.session.depth for s in states], np.float32),
            session=np.array([session_key(s.uid, s.session.number) for s in states], np.int64),
        )


def _favourites(state: UserState) -> list[tuple[str, float]]:
    """The user's favourite top-level categories with their shares of the counts, by descending share."""
    counts: dict[str, float] = {}
    for category, count in state.categories.items():
        if category != "?":
            top = top_level(category)
            counts[top] = counts.get(top, 0.0) + count
    total = sum(counts.values())
    if not total > 0.0:
        return []
    best = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:FAVOURITES]
    return [(name, count / total) for name, count in best]
