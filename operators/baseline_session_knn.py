"""The baseline that looks at sessions: what sessions held that share items with the user's last ones.

Vector-multiplication-indexed session-kNN after Kersbergen, Sprangers and Schelter, "Serenade: Low-Latency
Session-Based Recommendation in e-Commerce at Scale" (SIGMOD 2022), with an index that takes in every event at
once. It shares no code with the ranker, whose yardstick it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.baseline_top import best, lengthened
from operators.compiled import compiled
from operators.list_rules import LENGTH
from operators.prequential import Visit

POPULARITY_SHARE = 1e-9
RECENCY_SHARE = 1e-12
BLOCK = 16


@dataclass(frozen=True)
class SessionKnnSettings:
    """What sessions are, and which of them are asked.

    More than `gap` ms of quiet ends a session. The user's last `query` events ask; the `recent` latest
    sessions that hold any of their items are compared (no more than that of one item), and the `neighbours`
    most alike of these vote, each for its last `session_items` items.
    """

    gap: int = 30 * 60_000
    query: int = 20
    recent: int = 500
    neighbours: int = 100
    session_items: int = 20


@dataclass
class OpenSession:
    """A user's latest session: its number, the time (ms) of its last event and its items."""

    number: int
    last: int
    items: set[int]


class SessionKnn:
    """Items of the sessions most like the user's last events.

    The p-th last of the n asking events (p from 0) weighs (n - p) / n, an item that comes twice by its latest
    place. A session's similarity is the sum of the weights of the asking items that it holds; of equals the
    one with the latest event is nearer. An item scores the sum of its sessions' similarities times
    ln(sessions / sessions that hold it). Places left over go by popularity.
    """

    name = "session-knn"

    def __init__(self, settings: SessionKnnSettings = SessionKnnSettings()) -> None:
        self._settings = settings
        self._touches = np.zeros(1_024)
        self._all = 0
        self._items = 0
        # The sessions that hold an item: a chain of blocks, the newest first, each of one cache line.
        self._head = np.full(1_024, -1, np.int32)
        self._holders = np.zeros(1_024)
        self._block = np.empty((1_024, BLOCK), np.int32)
        self._filled = np.zeros(1_024, np.int32)
        self._next = np.full(1_024, -1, np.int32)
        self._blocks = 0
        # Of each session its last items in a ring, how many it ever held, its last event.
        self._ring = np.empty((1_024, settings.session_items), np.int32)
        self._held = np.zeros(1_024, np.int32)
        self._latest = np.zeros(1_024, np.int64)
        self._similarity = np.zeros(1_024)
        self._sessions = 0
        self._clock = 0
        self._open: dict[int, OpenSession] = {}
        self._history: dict[int, list[int]] = {}

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """The items of the user's neighbours, best first, filled up by popularity."""
        settings = self._settings
        history = self._history.get(user, [])
        scores = self._touches * (POPULARITY_SHARE / (self._all + 1))
        query, weights = _query(history)
        _vote(
            scores, query, weights, settings.recent, settings.neighbours, self._sessions,
            self._head, self._holders, self._block, self._filled, self._next,
            self._ring, self._held, self._latest, self._similarity,
        )  # fmt: skip
        made: list[int] = best(scores, self._items, touched, LENGTH).tolist()
        return made

    def learn(self, visit: Visit) -> None:
        """Put the item into its session."""
        user, item, time = visit.user, visit.item, visit.event.time
        if item < 0:
            return
        self._make_room(item)
        self._touches[item] += 1
        self._all += 1
        self._clock += 1
        session = self._open.get(user)
        if session is None or time - session.last > self._settings.gap:
            session = self._open[user] = OpenSession(self._sessions, time, set())
            self._sessions += 1
        session.last = time
        self._latest[session.number] = self._clock
        if item not in session.items:
            session.items.add(item)
            self._ring[session.number, self._held[session.number] % self._settings.session_items] = item
            self._held[session.number] += 1
            self._post(item, session.number)
        self.follow(visit)

    def follow(self, visit: Visit) -> None:
        """Put the item to the user's last ones, which ask."""
        if visit.item < 0:
            return
        history = self._history.setdefault(visit.user, [])
        history.append(visit.item)
        del history[: -self._settings.query]

    def _post(self, item: int, session: int) -> None:
        block = int(self._head[item])
        if block < 0 or self._filled[block] == BLOCK:
            self._next[self._blocks] = block
            self._head[item] = block = self._blocks
            self._blocks += 1
        self._block[block, self._filled[block]] = session
        self._filled[block] += 1
        self._holders[item] += 1

    def _make_room(self, item: int) -> None:
        self._items = max(self._items, item + 1)
        self._touches = lengthened(self._touches, item + 1)
        self._holders = lengthened(self._holders, item + 1)
        if len(self._head) < len(self._touches):
            self._head = np.append(self._head, np.full(len(self._touches) - len(self._head), -1, np.int32))
        if self._blocks == len(self._next):
            self._block = np.append(self._block, self._block, axis=0)
            self._filled = np.append(self._filled, np.zeros_like(self._filled))
            self._next = np.append(self._next, self._next)
        if self._sessions == len(self._held):
            self._ring = np.append(self._ring, self._ring, axis=0)
            self._held = np.append(self._held, np.zeros_like(self._held))
            self._latest = np.append(self._latest, np.zeros_like(self._latest))
            self._similarity = np.append(self._similarity, np.zeros_like(self._similarity))


def _query(history: list[int]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    weights: dict[int, float] = {}
    for place, item in enumerate(history):
        weights[item] = (place + 1) / len(history)
    return np.array(list(weights), np.int32), np.array(list(weights.values()), np.float64)


@compiled
def _vote(
    scores: NDArray[np.float64],
    query: NDArray[np.int32],
    weights: NDArray[np.float64],
    recent: int,
    neighbours: int,
    sessions: int,
    head: NDArray[np.int32],
    holders: NDArray[np.float64],
    block: NDArray[np.int32],
    filled: NDArray[np.int32],
    chain: NDArray[np.int32],
    ring: NDArray[np.int32],
    held: NDArray[np.int32],
    latest: NDArray[np.int64],
    similarity: NDArray[np.float64],
) -> None:
    """Add each item's votes, times its rareness, to `scores`. `similarity` is all 0 before and after."""
    found = np.empty(recent * max(len(query), 1), np.int32)
    count = 0
    for q in range(len(query)):
        at = head[query[q]]
        left = recent
        while at >= 0 and left > 0:
            for place in range(filled[at] - 1, max(filled[at] - 1 - left, -1), -1):
                session = block[at, place]
                if similarity[session] == 0.0:
                    found[count] = session
                    count += 1
                similarity[session] += weights[q]
            left -= filled[at]
            at = chain[at]
    # No two sessions share their latest event, so both orders are total and a bound says who is in.
    since = np.int64(0)
    if count > recent:
        since = np.partition(latest[found[:count]], count - recent)[count - recent]
    nearness = np.empty(count)
    compared = 0
    for k in range(count):
        session = found[k]
        if latest[session] >= since:
            nearness[compared] = similarity[session] + RECENCY_SHARE * latest[session]
            compared += 1
    least = 0.0
    if compared > neighbours:
        least = np.partition(nearness[:compared], compared - neighbours)[compared - neighbours]
    for k in range(count):
        session = found[k]
        if latest[session] < since or similarity[session] + RECENCY_SHARE * latest[session] < least:
            continue
        for place in range(min(held[session], ring.shape[1])):
            item = ring[session, place]
            scores[item] += similarity[session] * np.log(sessions / holders[item])
    for k in range(count):
        similarity[found[k]] = 0.0
