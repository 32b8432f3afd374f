"""Examples of which category came next: for sampled events, what was known of the user and of each category before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jobs.future_seen import FutureSeenError
from jobs.plain_stream import PlainStream
from operators.affinity import AffinityModel
from operators.affinity_columns import CategoryProbability
from operators.barred_items import BarredItems
from operators.boosted_affinity import BoostedAffinity
from operators.boosted_features import INPUTS, boosted_rows
from operators.candidates import CandidateFinder
from operators.factor_neighbours import FactorNeighbours
from operators.feature_columns import NO_CATEGORY
from operators.profile import most_counted
from operators.rank_settings import RankSettings
from operators.user_batch import UserBatch
from schemas.records import Event
from schemas.state import UserState


@dataclass(frozen=True, eq=False)
class CategoryExamples:
    """`rows` float32[n, len(INPUTS)] of users and categories just before an event, in the order of the events.

    `came` int64[n] is 1 where the event was in the category, `event` int32[n] which event it was, from 0, and `own`
    bool[n] whether the category is one of those that the user's profile showed.
    """

    rows: npt.NDArray[np.float32]
    came: npt.NDArray[np.int64]
    event: npt.NDArray[np.int32]
    own: npt.NDArray[np.bool_]

    @property
    def events(self) -> int:
        """How many events were sampled."""
        return int(self.event[-1]) + 1 if len(self.event) else 0

    def between(self, first: float, end: float) -> CategoryExamples:
        """Those of the events from one share of them up to another; rows of an event stay together."""
        low, high = np.searchsorted(self.event, [round(first * self.events), round(end * self.events)])
        part = slice(int(low), int(high))
        return CategoryExamples(self.rows[part], self.came[part], self.event[part] - self.event[low:high][:1],
                                self.own[part])  # fmt: skip


@dataclass(eq=False)
class _Sampled:
    rows: list[npt.NDArray[np.float32]] = field(default_factory=list)
    came: list[npt.NDArray[np.int64]] = field(default_factory=list)
    own: list[npt.NDArray[np.bool_]] = field(default_factory=list)


class CategorySampler:
    """Makes examples from a stream, each before its event is learned and as of its user's latest event.

    The categories of an example are those of the user's candidates, which the ranker asks for, and those that the
    profile shows. Candidates are found without item factors, which know all events of the part that is sampled.
    """

    def __init__(self, stream: PlainStream, settings: RankSettings) -> None:
        self._stream = stream
        self._label = AffinityModel(stream.step.affinity).label
        self._finder = CandidateFinder(stream.shelf, settings.candidates, FactorNeighbours.none())
        self._probability = CategoryProbability(stream.step)
        self._sampled = _Sampled()

    def counts(self, event: Event) -> bool:
        """Whether an event is an example: a known user engages with an item."""
        known = event.item_id is not None and event.user_id in self._stream.states
        return known and self._label(event.type, event.value) > 0.0

    def sample(self, event: Event) -> None:
        """Take the rows of what is known just before `event`, and beside them which category it is in.

        Raises `FutureSeenError` where the stream has learned a later event already.
        """
        stream = self._stream
        if stream.latest > event.time or not self.counts(event) or event.item_id is None:
            raise FutureSeenError(
                f"event {event.event_id} is of {event.time} ms, and the stream has learned one of {stream.latest} ms;"
                " sample an event of a known user before it is learned"
            )
        stream.catch_up()
        state, shelf = stream.states[event.user_id], stream.shelf
        with shelf.lock:
            users = UserBatch.of([state], shelf, [state.last])
            asked, own = self._asked(users, sorted(stream.touched.get(event.user_id, ())))
            if not len(asked):
                return
            begin = np.array([0, len(asked)], np.int32)
            rows = boosted_rows(begin, asked, users, shelf, self._probability)
            number = shelf.number(event.item_id)
            category = shelf.catalogue.arrays.category[number] if number >= 0 else NO_CATEGORY
        self._sampled.rows.append(rows)
        self._sampled.came.append((asked == category).astype(np.int64))
        self._sampled.own.append(own)

    def take(self) -> CategoryExamples:
        """The examples sampled since the last call."""
        taken, self._sampled = self._sampled, _Sampled()
        return CategoryExamples(
            np.concatenate([np.zeros((0, len(INPUTS)), np.float32), *taken.rows]),
            np.concatenate([np.zeros(0, np.int64), *taken.came]),
            np.repeat(np.arange(len(taken.came)), [len(came) for came in taken.came]).astype(np.int32),
            np.concatenate([np.zeros(0, np.bool_), *taken.own]),
        )

    def microseconds(self, model: BoostedAffinity, states: Sequence[UserState], repeats: int = 15) -> float:
        """What the feature costs a user, in a batch of `states`: the median, in processor time of this thread."""
        shelf = self._stream.shelf
        taken = []
        with shelf.lock:
            users = UserBatch.of(states, shelf, [state.last for state in states])
            found = self._finder.find(users, BarredItems.of(None, [b""] * len(states), shelf))
            out = np.empty((max(len(found), 2), 1), np.float32)[: len(found)]
            for _ in range(repeats + 1):
                began = time.thread_time()
                model.fill(found, users, shelf, self._probability, out)
                taken.append((time.thread_time() - began) / len(states))
        return float(np.median(taken[1:]) * 1e6)  # the first may compile

    def _asked(
        self, users: UserBatch, touched: Sequence[str]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        catalogue = self._stream.shelf.catalogue
        found = self._finder.find(users, BarredItems.of([touched], [b""], self._stream.shelf))
        shown = np.array(catalogue.categories.codes(most_counted(users.states[0])), np.int32)
        asked = np.unique(np.concatenate([catalogue.arrays.category[found.item], shown[shown >= 0]]))
        return asked.astype(np.int32), np.isin(asked, shown)
