"""`headrace evaluate FILE --live`: the running job's lists, beside those of `evaluate` on the same events.

The exact rules are in `docs/quality.md`.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.headrace_list import HeadraceList
from jobs.live_figures import LiveEvaluation, groups, quantiles, ratios
from jobs.live_judges import JobList, SameRecord, Sight
from jobs.live_replay import replaying
from jobs.live_stack import Running
from jobs.models_read import models_read
from jobs.plain_stream import PlainStream
from jobs.recommenders import CannotJudge
from jobs.send_pace import pace_of
from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from operators.bundle import Bundle
from operators.live_lists import LiveLists
from operators.numbering import Numbering
from operators.prequential import Prequential
from operators.ranker import Ranker
from schemas.records import Event

SPEED = "10x"
"""The multiple of recorded time where no pace is asked for."""

HISTORY = 0.8
"""The share of the events that comes first, as history, where nobody says otherwise."""


@dataclass(frozen=True)
class Parts:
    """What is sent as history, and what live, at a `rate` or a `speed`."""

    history: list[Event]
    live: list[Event]
    rate: str | None
    speed: str | None


def parts_of(
    events: Sequence[Event], history: int | None, rate: str | None, speed: str | None, minutes: float
) -> Parts:
    """The first `history` events, up to the next change of time, and those that the pace sends in `minutes` after.

    >>> def view(n): return Event(event_id=str(n), user_id="ann", type="view", time=n // 2, item_id="mug")
    >>> parts = parts_of([view(n) for n in range(100)], 5, "1/s", None, 0.5)
    >>> len(parts.history), len(parts.live)
    (6, 31)

    Raises `CannotJudge` where nothing is left to send live, `PaceRefused` for a pace that is none.
    """
    speed = speed if rate or speed else SPEED
    pace = pace_of(rate, speed)
    cut = int(HISTORY * len(events)) if history is None else history
    while 0 < cut < len(events) and events[cut].time == events[cut - 1].time:
        cut += 1
    if cut >= len(events):
        raise CannotJudge(f"--history {history} leaves none of {len(events):,} events to send live")
    live = []
    for position, event in enumerate(events[cut:]):
        if (pace.due(position, event.time) or 0.0) > minutes * 60:
            break
        live.append(event)
    return Parts(list(events[:cut]), live, rate, speed)


class LiveTrial:
    """One judgement: the lists that a running job made, and `evaluate`'s own beside them.

    `lists` may grow until `take_live`; so may `sent_at`, when each live event was sent (wall clock, ms) by its id.
    `pseudonym` names users as the log of lists does.
    """

    def __init__(
        self,
        data: TrainingEvents,
        parts: Parts,
        settings: Settings,
        bundle: Bundle | None,
        lists: LiveLists,
        sent_at: Mapping[str, int],
        pseudonym: Callable[[str], str],
    ) -> None:
        self._parts = parts
        self._lists = lists
        self._pseudonym = pseudonym
        self._bundle = bundle
        self._interval = settings.refresh.interval
        self._sent: dict[str, int] = {}
        self._gaps: list[int] = []
        self._delays: list[int] = []
        items = Numbering(item.item_id for item in data.items)
        read = models_read(settings.models, [settings.rank], [bundle])
        self._stream = PlainStream(
            data.items, settings.step, settings.statistics, settings.shelf, models=read
        )
        self._sight = Sight(lists, sent_at, pseudonym)
        self.live = JobList(items, self._sight, self._stream)
        users = {event.user_id for event in parts.live}
        same = SameRecord(
            items,
            self._sight,
            self._stream,
            Ranker(self._stream.shelf, settings.rank, bundle, self._stream.step),
            users,
        )
        ends = settings.refresh.at_session_end
        plain = HeadraceList(items, self._stream, settings.rank, bundle, ends=ends)
        self.trial = Prequential([plain, same, self.live], items, parts.live[0].time)

    def take_history(self) -> None:
        """Let `evaluate` learn the history."""
        for event in self._parts.history:
            self._sight.look_at(event)
            self.trial.take(event)

    def known(self) -> dict[str, int]:
        """How many events of each user are known; of those only who may have lists."""
        return {user: state.n for user, state in self._stream.states.items() if not state.traffic.marks}

    def take_live(self) -> None:
        """Judge all lists by the live events."""
        for event in self._parts.live:
            self._sight.look_at(event)
            self._time(event)
            self.trial.take(event)

    def figures(
        self, seconds: float = 0.0, without: int = 0, amiss: int = 0, behind_s: float = 0.0
    ) -> LiveEvaluation:
        """What came of it, all live events being judged; the caller says what it knows of the run."""
        trial, live = self.trial, self.live
        ranks = trial.ranks()
        plain, own = ranks[HeadraceList.name], ranks[JobList.name]
        strict = trial.strict_events()
        hits, reciprocals = ratios(own, plain, np.ones(len(own), np.bool_))
        strict_hits, strict_reciprocals = ratios(own, plain, strict)
        return LiveEvaluation(
            pace=self._parts.rate or self._parts.speed or "",
            history=len(self._parts.history),
            live=len(self._parts.live),
            counting=trial.counting,
            strict=trial.strict,
            scores=trial.scores(),
            hit_rate=hits,
            mrr=reciprocals,
            strict_hit_rate=strict_hits,
            strict_mrr=strict_reciprocals,
            groups=groups(ranks, live.events, live.covered, live.marked),
            age=quantiles([age for age in live.age if age >= 0]),
            delay=quantiles(self._delays),
            gap=quantiles(self._gaps),
            rapid=round(sum(gap < self._interval for gap in self._gaps) / max(len(self._gaps), 1), 3),
            behind_s=round(behind_s, 3),
            without=without,
            amiss=amiss,
            model=None if self._bundle is None else self._bundle.name,
            seconds=seconds,
            load=[round(load, 1) for load in os.getloadavg()],
        )

    def _time(self, event: Event) -> None:
        """Take down how long the user's list was in coming, and how soon the next event came."""
        sent, user = self._sight.sent, event.user_id
        if (before := self._sent.get(user)) is not None:
            self._gaps.append(sent - before)
            written = self._lists.first_with(self._pseudonym(user), self._stream.states[user].n)
            if written is not None:
                self._delays.append(written - before)
        self._sent[user] = sent


def evaluate_live(
    data: TrainingEvents,
    parts: Parts,
    running: Running,
    bundle: Bundle | None,
    say: Callable[[str], Any],
) -> LiveEvaluation:
    """Send history and live events to the job, and judge its lists. Raises `CannotJudge` where it makes none."""
    started = time.perf_counter()
    with replaying(running) as replay:
        trial = LiveTrial(
            data, parts, running.settings, bundle, replay.lists, replay.sent_at, replay.pseudonym
        )
        say(f"sending {len(data.items):,} items, then {len(parts.history):,} events of history")
        replay.bring_items(data.items)
        replay.send_history(parts.history, parts.live[0].time)
        trial.take_history()
        known = Counter(trial.known())
        if parts.history:
            left = replay.await_lists(known, needed=True)
            say(f"history is in: {replay.lists.count:,} lists made, {left:,} users without")
        say(f"sending {len(parts.live):,} events live")
        replay.send_live(parts.live, pace_of(parts.rate, parts.speed))
        sent = Counter(event.user_id for event in parts.live)
        without = replay.await_lists({user: known[user] + count for user, count in sent.items()}, needed=True)
        trial.take_live()
        amiss = replay.amiss_in_redis(sent)
        return trial.figures(round(time.perf_counter() - started, 1), without, amiss, replay.behind_s)
