"""One user's history followed twice: by a profile that recalibrates when it drifts, and by one that never does."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from jobs.evaluate_drift_ranker import PersonalRanker
from operators.affinity import AffinityModel
from operators.drift import DriftDetector
from operators.user_step import StepSettings
from schemas.state import Affinity


class Touch(NamedTuple):
    """A labelled event of a user, with what the catalogue says of its item."""

    item: str
    category: str
    price: float | None
    type: str
    value: float | None
    event_id: str


@dataclass
class Hits:
    """How many events could be hit, for how many of them lists were made, and how many each profile hit.

    Of a history without a drift no lists are made: the two profiles are one, and so are their lists.
    """

    judged: int = 0
    ranked: int = 0
    recalibrated: int = 0
    never: int = 0

    def count(self, recalibrated: bool, never: bool) -> None:
        """Take in one judged event for which lists were made."""
        self.judged += 1
        self.ranked += 1
        self.recalibrated += recalibrated
        self.never += never


@dataclass
class Followed:
    """What came of one history. `drifts` are the numbers of labelled events after which one was found."""

    drifts: list[int] = field(default_factory=list)
    items: Hits = field(default_factory=Hits)
    categories: Hits = field(default_factory=Hits)

    def first_after(self, change: int, within: int) -> int | None:
        """How many events after `change` the first drift was found; None where none was, `within` so many."""
        return next((at - change for at in self.drifts if change < at <= change + within), None)


class Follower:
    """Follows histories with the model and the detector of the user step.

    An item hit is judged where the user takes an item for the first time, a category hit at every event that
    engages, both from event number `judge_from` on. Without a ranker nothing is ranked.
    """

    def __init__(self, settings: StepSettings, ranker: PersonalRanker | None = None) -> None:
        self._model = AffinityModel(settings.affinity)
        self._detector = DriftDetector(settings.drift)
        self._ranker = ranker

    def follow(self, touches: Sequence[Touch], judge_from: int = 0) -> Followed:
        """Follow one history from its beginning."""
        followed = self._once(touches, judge_from, None)
        if self._ranker is None or not followed.drifts:
            return followed
        return self._once(touches, judge_from, self._ranker)

    def _once(self, touches: Sequence[Touch], judge_from: int, ranker: PersonalRanker | None) -> Followed:
        followed = Followed()
        adaptive = Affinity()
        never = adaptive  # the same record until the first drift
        stored: bytes | None = None
        touched: set[str] = set()
        for number, touch in enumerate(touches):
            engages = self._model.label(touch.type, touch.value) > 0.0
            known = touch.item in touched
            if number >= judge_from and engages:
                if ranker is None:
                    followed.categories.judged += 1
                    followed.items.judged += not known
                else:
                    _judge(ranker, followed, adaptive, never, touch, None if known else touched)
            self._learn(adaptive, touch)
            if never is not adaptive:
                self._learn(never, touch)
                never.errors.clear()
            if known and engages:
                self._detector.soften(adaptive)
            touched.add(touch.item)
            if not self._detector.due(adaptive):
                continue
            stored, detection = self._detector.feed(stored, adaptive.errors)
            adaptive.errors = []
            if detection is not None:
                followed.drifts.append(number + 1)
                if never is adaptive:
                    never = _copied(adaptive)
                self._model.recalibrate(adaptive, at=number)
        return followed

    def _learn(self, affinity: Affinity, touch: Touch) -> None:
        self._model.learn(affinity, touch.category, touch.price, touch.type, touch.value, touch.event_id)


def _judge(
    ranker: PersonalRanker,
    followed: Followed,
    adaptive: Affinity,
    never: Affinity,
    touch: Touch,
    touched: set[str] | None,
) -> None:
    """Count the hits of both profiles; `touched` is None where the item is not taken for the first time."""
    hit = ranker.category_hit(adaptive, touch.category)
    followed.categories.count(hit, hit if never is adaptive else ranker.category_hit(never, touch.category))
    if touched is None:
        return
    hit = ranker.item_hit(adaptive, touched, touch.item)
    followed.items.count(hit, hit if never is adaptive else ranker.item_hit(never, touched, touch.item))


def _copied(affinity: Affinity) -> Affinity:
    """A record that changes apart from `affinity`."""
    twin = copy(affinity)
    twin.price = copy(affinity.price)
    twin.errors = list(affinity.errors)
    return twin
