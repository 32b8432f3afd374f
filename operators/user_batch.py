"""A batch of user records as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from operators.item_step import session_key, top_level
from operators.learner import linear_bytes
from operators.logistic import WEIGHTS
from operators.shelf import Shelf
from schemas.redis_keys import category_scope, country_scope
from schemas.state import UserState

if TYPE_CHECKING:  # a treatment has settings, which name candidates, which are of such a batch
    from operators.treatment import Treated

RECENT = 20
"""Recent items of a user that are looked at, newest first."""

FAVOURITES = 3
"""Top-level categories of a user that are looked at, the favourite first."""

_NONE = [-1] * FAVOURITES, [0.0] * FAVOURITES
_top_level = lru_cache(65_536)(top_level)
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
    `affinity` float32[m, WEIGHTS] are the linear weights of the affinity model (operators/affinity.py), `hour`
    float32[m] the hour of day (UTC, with fraction) and `now` int64[m] the time (ms) the list is made for.
    `events` float32[m] counts accepted events, `depth` float32[m] those of the session, `session` int64[m]
    is its key. `states` are the records themselves. `treated` says whose lists experiments change, None: nobody's.
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
    states: Sequence[UserState]
    treated: Treated | None = None

    @property
    def weekday(self) -> NDArray[np.int64]:
        """int64[m]: the day of the week (UTC) that each list is made for, Monday being 0."""
        return (self.now // 86_400_000 + 3) % 7

    def __len__(self) -> int:
        return len(self.now)

    @classmethod
    def of(
        cls,
        states: Sequence[UserState],
        shelf: Shelf,
        now_ms: Sequence[int],
        treated: Treated | None = None,
    ) -> UserBatch:
        """The batch of `states`, each as at its own `now_ms`. Hold the shelf's lock.

        Raises `ValueError` where there are not as many times as states.
        """
        m = len(states)
        if len(now_ms) != m:
            raise ValueError(f"{m} user records and {len(now_ms)} times; one time per record is needed")
        scope, market = shelf.scopes.code, shelf.catalogue.market_of
        now = np.array(now_ms, np.int64)
        entries = [entry for state in states for entry in reversed(state.recent)]
        numbers = np.array(shelf.index.numbers_of([entry.item_id for entry in entries]), np.int32)
        user = np.repeat(np.arange(m), np.array([len(state.recent) for state in states], np.int64))
        # Items that the shelf does not know leave no gap, and what is beyond RECENT goes.
        known = numbers >= 0
        before: NDArray[np.int64] = np.cumsum(known) - known
        first = np.searchsorted(user, np.arange(m))
        place = before - np.append(before, 0)[first][user]
        kept = np.flatnonzero(known & (place < RECENT))
        cells = user[kept], place[kept]
        recent = np.full((m, RECENT), -1, np.int32)
        times = np.repeat(now[:, None], RECENT, axis=1)
        purchased = np.zeros((m, RECENT), np.bool_)
        recent[cells] = numbers[kept]
        times[cells] = np.array([entry.time for entry in entries], np.int64)[kept]
        purchased[cells] = np.array([entry.type == "purchase" for entry in entries], np.bool_)[kept]
        starts = np.array([state.session.start for state in states], np.int64)
        favourites = [_favourites(state, shelf) for state in states]
        return cls(
            recent=recent,
            age_hours=(np.maximum(now[:, None] - times, 0) / _HOUR).astype(np.float32),
            in_session=(recent >= 0) & (times >= starts[:, None]),
            purchased=purchased,
            favourite=np.array([codes for codes, _ in favourites], np.int32).reshape(m, FAVOURITES),
            favourite_share=np.array([shares for _, shares in favourites], np.float32).reshape(m, FAVOURITES),
            country=np.array(
                [scope(country_scope(s.country)) if s.country else -1 for s in states], np.int32
            ),
            market=np.array([market(s.country) for s in states], np.int32),
            device=np.array([_DEVICES.get(s.device or "", -1) for s in states], np.int8),
            affinity=np.frombuffer(
                b"".join([linear_bytes(s.affinity.weights) for s in states]), "<f4"
            ).reshape(m, WEIGHTS),
            hour=(now % 86_400_000 / _HOUR).astype(np.float32),
            now=now,
            events=np.array([s.n for s in states], np.float32),
            depth=np.array([s.session.depth for s in states], np.float32),
            session=np.array([session_key(s.uid, s.session.number) for s in states], np.int64),
            states=states,
            treated=treated,
        )


def top_level_counts(state: UserState) -> dict[str, float]:
    """The user's decayed counts by top-level category; '?' is none.

    >>> top_level_counts(UserState("u", born=0, categories={"Tea/Pots": 1.0, "Tea": 0.5, "?": 9.0}))
    {'Tea': 1.5}
    """
    counts: dict[str, float] = {}
    for category, count in state.categories.items():
        if category != "?":
            top = _top_level(category)
            counts[top] = counts.get(top, 0.0) + count
    return counts


def _favourites(state: UserState, shelf: Shelf) -> tuple[list[int], list[float]]:
    """Scopes of the user's favourite top-level categories and their shares of the counts, best first."""
    counts = top_level_counts(state)
    total = sum(counts.values())
    if not total > 0.0:
        return _NONE
    best = sorted([(-count, name) for name, count in counts.items()])[:FAVOURITES]
    missing = FAVOURITES - len(best)
    codes = [shelf.scopes.code(category_scope(name)) for _, name in best]
    return codes + [-1] * missing, [-less / total for less, _ in best] + [0.0] * missing
