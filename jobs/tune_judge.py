"""Objectives of settings by a sample of events, each judged once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from jobs.tune_panel import judge
from jobs.tune_space import DIALS, Values, laid_over
from operators.judged_events import JudgedEvents
from operators.list_figures import figures, objective

STREAMS_AT_ONCE = 3
"""Ways to learn in one pass: each keeps all that `headrace evaluate` keeps in memory."""

_LEARN = frozenset(dial.name for dial in DIALS if dial.learns)

Key = tuple[tuple[str, float], ...]


class Judge:
    """Judges values laid over `settings` by the events of `sample`; `progress` is told as by `judge`."""

    def __init__(
        self,
        data: TrainingEvents,
        settings: Settings,
        sample: JudgedEvents,
        progress: Callable[[int], Any] = lambda taken: None,
    ) -> None:
        self._data, self._settings, self._sample, self._progress = data, settings, sample, progress
        self._known: dict[Key, NDArray[np.float64]] = {}

    def objectives(self, tried: Sequence[Values]) -> list[float]:
        """The objective of each, 1.0 of the settings as they are. Takes as few passes over the events as it can."""
        wanted = {key_of(values): values for values in ({}, *tried) if key_of(values) not in self._known}
        ways: dict[Key, list[Key]] = {}
        for key in wanted:
            ways.setdefault(tuple(pair for pair in key if pair[0] in _LEARN), []).append(key)
        groups = list(ways.values())
        for at in range(0, len(groups), STREAMS_AT_ONCE):
            keys = [key for group in groups[at : at + STREAMS_AT_ONCE] for key in group]
            ranks = judge(
                [laid_over(self._settings, wanted[key]) for key in keys],
                self._data.events,
                self._data.items,
                self._sample,
                self._progress,
            )
            self._known |= {key: figures(row, self._sample) for key, row in zip(keys, ranks, strict=True)}
        default = self._known[()]
        return [float(objective(self._known[key_of(values)], default)) for values in tried]

    def best(self, most: int) -> Sequence[tuple[float, Values]]:
        """The best so far with their objectives, best first; of equals the earlier."""
        default = self._known.get((), np.zeros(0))
        judged = [(float(objective(each, default)), dict(key)) for key, each in self._known.items()]
        return sorted(judged, key=lambda pair: -pair[0])[:most]


def key_of(values: Values) -> Key:
    """The same for the same values, whatever their order."""
    return tuple(sorted(values.items()))
