"""The lists that a running job made, as recommenders that `Prequential` judges beside `evaluate`'s own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from jobs.plain_stream import PlainStream
from jobs.recommenders import CannotJudge
from operators.list_rules import LENGTH
from operators.live_lists import LiveList, LiveLists
from operators.numbering import Numbering
from operators.prequential import Visit
from operators.ranker import Ranker
from schemas.records import Event
from schemas.state import decode_state, encode_state


class Sight:
    """What is known of the event that is about to be judged: its user, and the list they had when it was sent.

    `sent_at` is when each live event was sent (wall clock, ms) by its id; `pseudonym` names users as the log does.
    """

    def __init__(self, lists: LiveLists, sent_at: Mapping[str, int], pseudonym: Callable[[str], str]) -> None:
        self._lists = lists
        self._sent_at = sent_at
        self._pseudonym = pseudonym
        self.user = ""
        self.sent = 0
        self.list: LiveList | None = None

    def look_at(self, event: Event) -> None:
        """`event` is the next that lists are judged by. Events of the history have no list."""
        self.user = event.user_id
        self.sent = self._sent_at.get(event.event_id, 0)
        self.list = self._lists.before(self._pseudonym(event.user_id), self.sent)


class JobList:
    """The list of the running job that the user had. Touched items in it, and the places they take, are lost.

    By counting event: `events` is how many accepted events of the user came before it, `covered` how many of them
    the list was made of (0 without a list), `age` how long before the event it was written (ms; -1 without), and
    `marked` whether the user is known as a bot or as internal traffic, who get no list.
    """

    name = "live job"

    def __init__(self, items: Numbering, sight: Sight, stream: PlainStream) -> None:
        self._items = items
        self._sight = sight
        self._stream = stream
        self.events: list[int] = []
        self.covered: list[int] = []
        self.age: list[int] = []
        self.marked: list[bool] = []

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """What the log tells, without touched items. Raises `CannotJudge` where the job knew the user before."""
        sight, made = self._sight, self._sight.list
        state = self._stream.states[sight.user]
        if made is not None and made.covers > state.n:
            raise CannotJudge(
                f"a list covers {made.covers} events of user {sight.user}, of whom {state.n} were sent: the job knew"
                " users of this file before; begin with an empty Kafka and Redis"
            )
        self.events.append(state.n)
        self.marked.append(bool(state.traffic.marks))
        self.covered.append(0 if made is None else made.covers)
        self.age.append(-1 if made is None else sight.sent - made.written_at)
        return [] if made is None else untouched(map(self._items.find, made.items), touched)

    def learn(self, visit: Visit) -> None:
        """A log learns nothing."""


class SameRecord:
    """What `evaluate` lists for the record that the live list was made of, with the item side up to date.

    It parts what the live list lacks: of the user, or of the items. Records are kept for `users` alone. Stands
    after `evaluate`'s own list, whose stream it shares: that one keeps the shelf up to date.
    """

    name = "evaluate as covered"

    def __init__(
        self, items: Numbering, sight: Sight, stream: PlainStream, ranker: Ranker, users: Collection[str]
    ) -> None:
        self._items = items
        self._sight = sight
        self._stream = stream
        self._ranker = ranker
        self._users = users
        self._records: dict[tuple[str, int], bytes] = {}

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """The list of the user's record as it was when the live list was made."""
        made = self._sight.list
        record = None if made is None else self._records.get((self._sight.user, made.covers))
        if made is None or record is None:
            return []
        [ranked] = self._ranker.rank([decode_state(record)], [made.at])
        return untouched(map(self._items.find, ranked.items), touched)

    def learn(self, visit: Visit) -> None:
        """Keep the user's record as it is after the event. The stream has learned from it already."""
        user_id = visit.event.user_id
        if user_id in self._users:
            state = self._stream.states[user_id]
            self._records[user_id, state.n] = encode_state(state)


def untouched(listed: map[int], touched: NDArray[np.int32]) -> list[int]:
    """The items of a list that the protocol allows: numbered, and not touched.

    >>> untouched(map(int, "120"), np.array([2], np.int32))
    [1, 0]
    """
    barred = set(touched.tolist())
    return [item for item in listed if item >= 0 and item not in barred][:LENGTH]
