"""Many settings judged in one pass over a stream: what they learn alike is learned once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.models_read import models_read
from jobs.plain_stream import PlainStream
from jobs.settings import Settings
from operators.judged_events import JudgedEvents
from operators.next_visit import list_gap, list_time
from operators.numbering import Numbering
from operators.prequential import Prequential, Visit
from operators.ranker import Ranker
from schemas.records import Event, Item


class _Stream:
    """One way to learn, and the rankers that read its shelf; `numbers` are their places in the panel."""

    def __init__(self, settings: Settings, catalogue: Iterable[Item]) -> None:
        read = models_read(settings.models, [settings.rank])
        self.plain = PlainStream(catalogue, settings.step, settings.statistics, settings.shelf, models=read)
        self.gap = list_gap(settings.step.session_gap, settings.refresh.at_session_end)
        self.rankers: list[Ranker] = []
        self.numbers: list[int] = []


class Panel:
    """Judges lists by each of `settings` at the places `at` (ascending) among the counting events of a stream.

    It takes the place of one recommender in a `Prequential` run, which says what counts and lists nothing itself.
    Lists are those of `HeadraceList`. Settings that differ in nothing but `rank` share a stream.
    """

    name = "panel"

    def __init__(
        self, settings: Sequence[Settings], at: NDArray[np.int64], items: Numbering, catalogue: Sequence[Item]
    ) -> None:
        self._items = items
        self._at = at
        self._users: list[str] = []
        self._asked = 0
        self._judged = 0
        self._made: list[list[str]] | None = None
        self.ranks = np.zeros((len(settings), len(at)), np.uint8)
        self._streams: list[_Stream] = []
        for number, each in enumerate(settings):
            stream = self._stream_for(each, settings[:number], catalogue)
            stream.rankers.append(Ranker(stream.plain.shelf, each.rank, None, stream.plain.step))
            stream.numbers.append(number)

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """Make the lists that are wanted here; nothing is listed in the run's own name."""
        place, self._asked = self._asked, self._asked + 1
        if self._judged == len(self._at) or self._at[self._judged] != place:
            return []
        names, user_id = self._items.names, self._users[user]
        exclude = [[names[item] for item in touched.tolist()]]
        self._made = [[]] * len(self.ranks)
        for stream in self._streams:
            stream.plain.catch_up()
            state = stream.plain.states[user_id]
            for number, ranker in zip(stream.numbers, stream.rankers, strict=True):
                [made] = ranker.rank([state], [list_time(state, time, stream.gap)], exclude)
                self._made[number] = made.items
        return []

    def learn(self, visit: Visit) -> None:
        """Find the event's item in the lists that were made for it, then learn."""
        if self._made is not None:
            item = visit.event.item_id
            for number, made in enumerate(self._made):
                if item in made:
                    self.ranks[number, self._judged] = made.index(item) + 1
            self._made = None
            self._judged += 1
        if visit.user == len(self._users):
            self._users.append(visit.event.user_id)
        for stream in self._streams:
            stream.plain.learn(visit.event)

    def _stream_for(
        self, settings: Settings, others: Sequence[Settings], catalogue: Sequence[Item]
    ) -> _Stream:
        for stream in self._streams:
            if learns_alike(others[stream.numbers[0]], settings):
                return stream
        self._streams.append(_Stream(settings, catalogue))
        return self._streams[-1]


def learns_alike(one: Settings, other: Settings) -> bool:
    """Whether both come to the same records and the same shelf from the same events.

    >>> from dataclasses import replace
    >>> default = Settings()
    >>> learns_alike(default, default.model_copy(update={"rank": replace(default.rank, length=10)}))
    True
    """
    return (one.step, one.statistics, one.shelf) == (other.step, other.statistics, other.shelf)


def judge(
    settings: Sequence[Settings],
    events: Sequence[Event],
    catalogue: Sequence[Item],
    judged: JudgedEvents,
    progress: Callable[[int], Any] = lambda taken: None,
) -> NDArray[np.uint8]:
    """uint8[len(settings), len(judged)]: at which rank each list held the item of each judged event, 0: not.

    One pass over `events`, which ends with the last judged one. `progress` is called now and then with how many
    events were taken, and may raise to end the pass.
    """
    items = Numbering(item.item_id for item in catalogue)
    panel = Panel(settings, judged.at, items, catalogue)
    trial = Prequential([panel], items)
    end = int(judged.time[-1]) if len(judged) else -1
    for taken, event in enumerate(events):
        if event.time > end:
            break
        trial.take(event)
        if taken % PROGRESS_EVERY == 0:
            progress(taken)
    return panel.ranks


PROGRESS_EVERY = 500
