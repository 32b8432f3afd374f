"""What `headrace tune` may change, and how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jobs.settings import Settings
from jobs.training_events import TrainingEvents

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
DIGITS = 3
"""Significant digits of a value that is tried: what is judged is what is written."""


@dataclass(frozen=True)
class Dial:
    """One setting to tune, by its dotted name, from `low` to `high`; on a scale of ratios where `ratio`.

    A `whole` one takes whole numbers. `learns`: it changes what is learned from events, not only how lists are made
    of it. `of_categories`: without categories of items it does nothing.
    """

    name: str
    low: float
    high: float
    ratio: bool = False
    whole: bool = False
    learns: bool = False
    of_categories: bool = False

    def rounded(self, value: float) -> float | int:
        """The value as it is tried: three digits, within the bounds."""
        near = float(f"{value:.{DIGITS}g}")
        within = min(max(near, self.low), self.high)
        return round(within) if self.whole else within


DIALS = (
    Dial("rank.blend.covisit", 0.1, 2.0, ratio=True),
    Dial("rank.blend.trending", 0.005, 0.5, ratio=True),
    Dial("rank.blend.category_trending", 0.005, 0.5, ratio=True, of_categories=True),
    Dial("rank.next_visit", 0.05, 1.0, ratio=True),
    Dial("rank.next_visit_past", 0.05, 1.0, ratio=True),
    Dial("rank.candidates.visit_items", 8, 64, ratio=True, whole=True),
    Dial("rank.candidates.query_decay", 0.5, 1.0),
    Dial("rank.candidates.earlier_session", 0.05, 1.0, ratio=True),
    Dial("rank.candidates.newest_sessions", 100, 500, ratio=True, whole=True),
    Dial("rank.candidates.nearest_sessions", 50, 400, ratio=True, whole=True),
    Dial("rank.candidates.session_half_life", 2.0, 200.0, ratio=True),
    Dial("rank.candidates.nearness_power", 0.5, 3.0, ratio=True),
    Dial("rank.candidates.session_reach", 1.0, 20.0, ratio=True),
    Dial("rank.candidates.covisit_decay", 0.3, 1.0),
    Dial("rank.candidates.second_hop_weight", 0.1, 1.0, ratio=True),
    Dial("step.session_gap", 10 * MINUTE, 6 * HOUR, ratio=True, whole=True, learns=True),
    Dial("step.previous_items", 1, 5, whole=True, learns=True),
    Dial("statistics.position_decay", 0.3, 1.0, learns=True),
    Dial("statistics.reverse", 0.1, 1.0, learns=True),
    Dial("statistics.pair_pause", 5.0, 600.0, ratio=True, learns=True),
    Dial("statistics.covisit_half_life", 3.0, 300.0, ratio=True, learns=True),
    Dial("statistics.popularity_half_life", 0.5, 30.0, ratio=True, learns=True),
)
"""All of them; `docs/tuning.md` says why these, and why not others."""

Values = Mapping[str, float | int]
"""Values by the dotted names of settings."""


def dials_for(data: TrainingEvents, learns: bool) -> tuple[Dial, ...]:
    """The dials that can change lists of this data: those of what is learned, or of how lists are made."""
    categories = any(item.category for item in data.items)
    return tuple(dial for dial in DIALS if dial.learns == learns and (categories or not dial.of_categories))


def laid_over(settings: Settings, values: Values) -> Settings:
    """The settings with these values in their places.

    >>> laid_over(Settings(), {"rank.blend.covisit": 0.25}).rank.blend["covisit"]
    0.25
    """
    for name, value in values.items():
        settings = _put(settings, name.split("."), value)
    return settings


def value_in(settings: Settings, name: str) -> Any:
    """The value of a setting by its dotted name.

    >>> value_in(Settings(), "rank.candidates.query_decay")
    0.65
    """
    found: Any = settings
    for key in name.split("."):
        found = found.get(key, 0.0) if isinstance(found, Mapping) else getattr(found, key)
    return found


def _put(section: Any, path: Sequence[str], value: Any) -> Any:
    key, *rest = path
    if isinstance(section, Mapping):
        return {**section, key: value}
    inner = _put(getattr(section, key), rest, value) if rest else value
    if isinstance(section, Settings):
        return section.model_copy(update={key: inner})
    return replace(section, **{key: inner})
