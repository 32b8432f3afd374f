"""What tuned settings are worth on the part of a stream that did not choose them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from jobs.settings import Settings
from jobs.training_events import NothingToLearnError, TrainingEvents
from jobs.tune_panel import judge
from jobs.tune_space import Values, laid_over
from operators.judged_events import JudgedEvents, judged_events
from operators.list_figures import FigureGain, Gain, gains

_FOREVER = 1 << 62


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Tuned against untuned settings by `judged` later events of `users` users, `strict` of them strict.

    `recommended`: the interval of the objective's gain lies above 0.
    """

    judged: int
    strict: int
    users: int
    gain: Gain
    figures: list[FigureGain]

    @property
    def recommended(self) -> bool:
        """Whether the gain is more than chance would give."""
        return self.gain.low > 0.0


def later_events(data: TrainingEvents, split: int, most: int, seed: int) -> JudgedEvents:
    """A sample of the counting events from `split` (ms) on. Raises `NothingToLearnError` where there are none."""
    later = judged_events(data.events).between(split, _FOREVER)
    if not len(later):
        raise NothingToLearnError(
            "no list can be judged by the later events: none of their users takes an item for the first time after"
            " another; give more events, or a smaller --share"
        )
    return later.sample(most, seed)


def verdict_on(
    values: Values,
    settings: Settings,
    data: TrainingEvents,
    later: JudgedEvents,
    seed: int,
    progress: Callable[[int], Any] = lambda taken: None,
) -> Verdict:
    """Judge `values` laid over `settings` against `settings`, by the events `later`; both learn from all before."""
    both = [settings, laid_over(settings, values)]
    default, tuned = judge(both, data.events, data.items, later, progress)
    gain, each = gains(default, tuned, later, seed)
    return Verdict(
        judged=len(later),
        strict=int(later.strict.sum()),
        users=len(set(later.user.tolist())),
        gain=gain,
        figures=each,
    )
