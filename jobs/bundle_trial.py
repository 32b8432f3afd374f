"""Model bundles judged side by side, on events that none of them has learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jobs.models_read import models_read
from jobs.plain_stream import PlainStream
from jobs.ranking_set import LIST_LENGTH
from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from operators.bundle import Bundle
from operators.next_visit import list_gap, list_time
from operators.ranker import Ranker


@dataclass(frozen=True)
class Trial:
    """Of `lists` events that were judged, in how many each bundle's list of 20 held what came.

    >>> Trial(lists=200, hits=(50, 40)).hit_rates
    (0.25, 0.2)
    """

    lists: int
    hits: tuple[int, ...]

    @property
    def hit_rates(self) -> tuple[float, ...]:
        """HR@20 of each bundle; 0 where nothing was judged."""
        return tuple(hits / max(self.lists, 1) for hits in self.hits)


def held_back_from(*bundles: Bundle | None) -> int:
    """The event time (ms) from which on none of the bundles has learned; None stands for the blend."""
    return max(
        (bundle.manifest.data.ranker_until for bundle in bundles if bundle is not None),
        default=0,
    )


def judge(
    data: TrainingEvents,
    bundles: Sequence[Bundle | None],
    settings: Settings,
    most: int,
    seed: int,
    progress: Callable[[str, int, int | None], None] = lambda stage, done, of: None,
) -> Trial:
    """Replay all events; before at most `most` drawn ones that none learned from, ask each bundle for its list.

    An event counts where a known user takes an item for the first time. All bundles are asked at the same
    events, with the same users and the same shelf, as the job would rank; None stands for the blend.
    """
    events = data.events
    times = np.array([event.time for event in events], np.int64)
    since = int(np.searchsorted(times, held_back_from(*bundles)))
    later = len(events) - since
    drawn = np.zeros(len(events), np.bool_)
    drawn[since + np.random.default_rng(seed).choice(later, min(most, later), replace=False)] = True
    read = models_read(settings.models, [settings.rank], bundles)
    stream = PlainStream(data.items, settings.step, settings.statistics, settings.shelf, models=read)
    rank = replace(settings.rank, length=LIST_LENGTH)
    gap = list_gap(settings.step.session_gap, settings.refresh.at_session_end)
    rankers = [Ranker(stream.shelf, rank, bundle, settings.step) for bundle in bundles]
    hits = [0] * len(rankers)
    lists = 0
    for place, event in enumerate(events):
        if drawn[place] and stream.counts(event):
            lists += 1
            stream.catch_up()
            state = stream.states[event.user_id]
            touched = sorted(stream.touched.get(event.user_id, ()))
            for number, ranker in enumerate(rankers):
                [made] = ranker.rank([state], [list_time(state, event.time, gap)], [touched])
                hits[number] += event.item_id in made.items
        stream.learn(event)
        if place % 1_000 == 0:
            stream.catch_up()
            progress("judge", place, len(events))
    return Trial(lists, tuple(hits))
