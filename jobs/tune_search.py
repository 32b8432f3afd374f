"""The search of `headrace tune`: many settings judged by few events, then the best of them by others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jobs.settings import Settings
from jobs.training_events import NothingToLearnError, TrainingEvents
from jobs.tune_judge import Judge
from jobs.tune_proposals import Proposals
from jobs.tune_space import Dial, Values, dials_for, value_in
from operators.judged_events import JudgedEvents, judged_events

LISTS_AT_ONCE = 24
"""Ways to make lists that are tried in one pass over the events."""

STREAMS_IN_TURN = 6
"""Ways to learn that are tried in one turn."""

LIST_TURNS = 2
"""Turns of ways to make lists before each turn of ways to learn."""

FINALISTS = 8
"""How many of the best are judged by other events than those they were found by."""

IDLE = 0.001
"""A changed setting that does not bring this share of the objective goes back."""

TEACHING = 0.4
"""The first share of the events only teaches: a shelf that is nearly empty asks for other settings."""

_FOREVER = 1 << 62


@dataclass(frozen=True)
class Bounds:
    """How long a search may take: `trials` are the settings tried by its first events, `minutes` the time of it
    all, `sample` the events that judge first; up to twice as many others judge the best."""

    trials: int = 150
    minutes: float = 30.0
    sample: int = 3_000


@dataclass(frozen=True)
class Stand:
    """How far a search is: the stage in words, settings `tried` so far, `taken` events of this pass, and what the
    best so far gains, as a share of the objective."""

    stage: str
    tried: int
    taken: int
    gain: float


@dataclass
class Found:
    """What came of a search: the `values` to change, none where nothing was better than what is.

    `gain` is their share of the objective by the events that judged last: `confirmed` where these are others than
    those that the values were found by. `worth` says what each value brings of it beside the others. `stopped` tells
    why the search ended early; empty: it did not.
    """

    values: dict[str, float | int] = field(default_factory=dict)
    gain: float = 0.0
    confirmed: bool = False
    tried: int = 0
    worth: dict[str, float] = field(default_factory=dict)
    stopped: str = ""


class _TimeIsUpError(Exception):
    pass


class Search:
    """Finds settings that make better lists of `data` than `settings`. Deterministic by `seed`, unless time runs
    out; `clock` gives seconds. `progress` is told now and then.

    Raises `NothingToLearnError` where no event can judge a list.
    """

    def __init__(
        self,
        data: TrainingEvents,
        settings: Settings,
        bounds: Bounds,
        seed: int,
        progress: Callable[[Stand], Any] = lambda stand: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        events = data.events
        counting = judged_events(events).between(events[int(TEACHING * len(events))].time, _FOREVER)
        if not len(counting):
            raise NothingToLearnError(
                f"no list can be judged by the {len(events)} events to tune by: none of their users takes an item"
                " for the first time after another; give more events, or a greater --share"
            )
        self._settings, self._bounds, self._progress, self._clock = settings, bounds, progress, clock
        self._lists, self._learns = dials_for(data, learns=False), dials_for(data, learns=True)
        self._seed = seed
        first = counting.sample(bounds.sample, seed)
        others = counting.without(first).sample(2 * bounds.sample, seed)
        self._first, self._others = self._judge(data, first), self._judge(data, others)
        self.sizes = len(first), len(others)
        self.found = Found()
        self._stage = ""
        self._ends = 0.0

    def run(self) -> Found:
        """Search until the bounds are met. Ctrl-C and the end of the time keep the best so far."""
        self._ends = self._clock() + 60.0 * self._bounds.minutes
        try:
            self._explore()
            if self.found.values and self.sizes[1]:
                self._confirm()
                self._simplify()
        except KeyboardInterrupt:
            self.found.stopped = "interrupted"
        except _TimeIsUpError:
            self.found.stopped = f"the {self._bounds.minutes:g} minutes were over"
        return self.found

    def _explore(self) -> None:
        """Ways to make lists and ways to learn take turns, each beside the best of the other so far."""
        sides = [self._proposals(self._lists)] * LIST_TURNS + [self._proposals(self._learns)]
        best: dict[bool, Values] = {False: {}, True: {}}
        turn = 0
        while self.found.tried < self._bounds.trials:
            learns = turn % len(sides) == LIST_TURNS
            self._stage = "ways to learn" if learns else "ways to make lists"
            count = STREAMS_IN_TURN if learns else LISTS_AT_ONCE
            side = sides[turn % len(sides)]
            asked = side.ask(min(count, self._bounds.trials - self.found.tried))
            tried = [self._changes({**best[not learns], **values}) for values in asked]
            objectives = self._first.objectives(tried)
            side.tell(objectives)
            self.found.tried += len(tried)
            objective, values = self._first.best(1)[0]
            self.found.values, self.found.gain = dict(values), objective - 1.0
            for which, dials in ((False, self._lists), (True, self._learns)):
                best[which] = {dial.name: values[dial.name] for dial in dials if dial.name in values}
            turn += 1

    def _confirm(self) -> None:
        """The best by the first events are judged by others: who was lucky there is so here only by chance."""
        self._stage = "the best, by other events"
        finalists = [values for _, values in self._first.best(FINALISTS)]
        self._others.objectives(finalists)
        objective, values = self._others.best(1)[0]
        self.found.values, self.found.gain, self.found.confirmed = dict(values), objective - 1.0, True

    def _simplify(self) -> None:
        """What brings nothing goes back, so that the file says only what matters."""
        self._stage = "what each change brings"
        values = self.found.values
        without = [{n: v for n, v in values.items() if n != name} for name in values]
        objectives = self._others.objectives(without)
        full = 1.0 + self.found.gain
        worth = {name: full - each for name, each in zip(values, objectives, strict=True)}
        fewer = {name: value for name, value in values.items() if worth[name] >= IDLE}
        self.found.worth = worth
        if len(fewer) < len(values):
            [objective] = self._others.objectives([fewer])
            if objective >= full - IDLE:
                self.found.values, self.found.gain = fewer, objective - 1.0
                self.found.worth = {name: worth[name] for name in fewer}

    def _judge(self, data: TrainingEvents, sample: JudgedEvents) -> Judge:
        return Judge(data, self._settings, sample, self._tell)

    def _tell(self, taken: int) -> None:
        if self._clock() > self._ends:
            raise _TimeIsUpError
        self._progress(Stand(self._stage, self.found.tried, taken, self.found.gain))

    def _proposals(self, dials: tuple[Dial, ...]) -> Proposals:
        return Proposals(
            dials, {dial.name: value_in(self._settings, dial.name) for dial in dials}, self._seed
        )

    def _changes(self, values: Values) -> dict[str, float | int]:
        """Those that differ from the settings as they are."""
        return {name: value for name, value in values.items() if value != value_in(self._settings, name)}
