"""Bots and internal traffic: who is kept out of statistics, training, experiments and lists, and why.

It depends on the settings and on the user's own accepted events alone. See docs/bots.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from operators.traffic_pace import GAPS, extended, latest, packed
from operators.traffic_settings import TrafficSettings, pseudonyms
from schemas.records import Event
from schemas.state import RecentItem
from schemas.traffic_state import (
    AGENT,
    INTERNAL,
    LISTED,
    OF_BEHAVIOUR,
    RATE,
    REGULAR,
    STAFF,
    VOLUME,
    Traffic,
)

_REMEMBERED_TEXTS = 4_096


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What one event is worth to what is shared by all users.

    `marks` are the reasons to keep it out (`schemas.traffic_state.reasons`), 0 for none. `changed` says that
    the user is tagged since this event, or no longer, or for another reason. `weight` is what the event's weight
    in item statistics is to be multiplied by: 0 for a tagged user, less than 1 for one who does very much.
    """

    marks: int = 0
    changed: bool = False
    weight: float = 1.0

    @property
    def tagged(self) -> bool:
        """Whether the event is to be kept out of statistics, training, experiments and lists."""
        return self.marks != 0


CLEAN = Verdict()


class TrafficStep:
    """Judges the events of users. Holds nothing of any user itself.

    `pseudonym_of` makes raw ids that the settings name into what `update` is given as `uid`.

    >>> from schemas.records import Context
    >>> step, traffic = TrafficStep(TrafficSettings()), Traffic()
    >>> crawler = Context(user_agent="Mozilla/5.0 (compatible; Googlebot/2.1)")
    >>> crawled = Event(event_id="1", user_id="u", type="view", time=1_000, context=crawler)
    >>> step.update(traffic, crawled, "u").tagged
    True
    >>> browsed = Event(event_id="2", user_id="u", type="view", time=9_000, context=Context(user_agent="Firefox"))
    >>> step.update(traffic, browsed, "u")
    Verdict(marks=0, changed=True, weight=1.0)
    """

    def __init__(self, settings: TrafficSettings, pseudonym_of: Callable[[str], str] = str) -> None:
        self._pseudonym_of = pseudonym_of
        self.configure(settings)

    def configure(self, settings: TrafficSettings) -> None:
        """Judge by these settings from now on. Marks that others gave go with their user's next event."""
        self._enabled = settings.enabled
        self._policy = settings.fingerprint
        self._actions = dict(settings.actions)
        self._short, self._long = settings.rate_half_life, settings.volume_half_life
        self._rate, self._volume = settings.rate_limit, settings.volume_limit
        self._hold, self._visit_gap = settings.hold, settings.visit_gap
        self._variance = settings.regular_spread**2
        self._full = settings.full_weight
        self._attributes = dict(settings.internal_attributes)
        self._agents = _Patterns(settings.user_agents)
        self._referrers = _Patterns(settings.internal_referrers)
        self._listed = {
            **dict.fromkeys(pseudonyms(settings.bots, self._pseudonym_of), LISTED),
            **dict.fromkeys(pseudonyms(settings.internal_users, self._pseudonym_of), STAFF),
            **dict.fromkeys(pseudonyms(settings.allowed, self._pseudonym_of), 0),
        }

    def update(self, traffic: Traffic, event: Event, uid: str) -> Verdict:
        """Take one accepted event of the user `uid` into `traffic`, in place, and judge it."""
        if not self._enabled:
            return _settled(traffic, 0, 0, 1.0)
        marks = traffic.marks
        if marks and traffic.policy != self._policy:
            marks = traffic.until = 0
        time = event.time
        kind = event.type
        weight = 1.0
        action = self._actions.get(kind, 1.0)
        stored = traffic.pace
        if kind == "purchase" and stored and latest(stored) == time:
            action = 0.0  # the lines of one order are one action
        if marks & INTERNAL and stored and time - latest(stored) > self._visit_gap:
            marks &= ~INTERNAL
        if action:
            pace = extended(stored, time, action, self._short, self._long)
            _, minute, day, _, variance, gaps = pace
            traffic.pace = packed(*pace)
            if day > self._full:
                weight = self._full / day
            if minute > self._rate or day > self._volume or gaps == GAPS or marks & OF_BEHAVIOUR:
                marks = self._behaviour(traffic, marks, time, minute, day, variance if gaps == GAPS else None)
        agent = event.context.user_agent
        if agent is not None:
            marks = marks | AGENT if self._agents.found_in(agent) else marks & ~AGENT
        if self._is_internal(event):
            marks |= INTERNAL
        if self._listed or marks & (LISTED | STAFF):
            marks = self._with_lists(marks, uid)
        return _settled(traffic, marks, self._policy, weight) if marks or traffic.marks else _weighed(weight)

    def _behaviour(
        self, traffic: Traffic, marks: int, time: int, minute: float, day: float, variance: float | None
    ) -> int:
        """The marks with those of behaviour brought up to date; they go when nothing has borne them out for long."""
        found = RATE if minute > self._rate else 0
        if day > self._volume:
            found |= VOLUME
        if variance is not None and variance < self._variance:
            found |= REGULAR
        if found:
            traffic.until = max(traffic.until, time + self._hold)
            return marks | found
        if marks & OF_BEHAVIOUR and time > traffic.until:
            traffic.until = 0
            return marks & ~OF_BEHAVIOUR
        return marks

    def _is_internal(self, event: Event) -> bool:
        referrer = event.context.referrer
        if referrer is not None and self._referrers.found_in(referrer):
            return True
        if not event.attributes:
            return False
        for name, value in self._attributes.items():
            held = event.attributes.get(name)
            if held is not None and (value == "*" or held == value):
                return True
        return False

    def _with_lists(self, marks: int, uid: str) -> int:
        listed = self._listed.get(uid)
        if listed is None:
            return marks & ~(LISTED | STAFF)
        return listed and (marks & ~(LISTED | STAFF)) | listed


def _settled(traffic: Traffic, marks: int, policy: int, weight: float) -> Verdict:
    changed = marks != traffic.marks
    if changed:
        traffic.marks = marks
        traffic.policy = policy if marks else 0
        if not marks & OF_BEHAVIOUR:
            traffic.until = 0
    return Verdict(marks, changed, 0.0 if marks else weight)


def _weighed(weight: float) -> Verdict:
    return CLEAN if weight == 1.0 else Verdict(weight=weight)


def is_repeat(recent: Sequence[RecentItem], event: Event, within: int) -> bool:
    """Whether an event only does again what the user did last, to the same item, at most `within` ms before.

    A page that is loaded again says nothing new of its item; a robot that calls one page a thousand times would
    be worth a thousand visitors.

    >>> viewed = [RecentItem.of("mug", 1_000, "view", "?")]
    >>> is_repeat(viewed, Event(event_id="2", user_id="u", type="view", item_id="mug", time=2_000), 60_000)
    True
    >>> is_repeat(viewed, Event(event_id="3", user_id="u", type="add_to_cart", item_id="mug", time=2_000), 60_000)
    False
    """
    if not recent:
        return False
    last = recent[-1]
    return last.item_id == event.item_id and last.type == event.type and abs(event.time - last.time) <= within


class _Patterns:
    """Regular expressions that are searched for in texts which come again and again."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._search = (
            re.compile("|".join(f"(?:{p})" for p in patterns), re.IGNORECASE).search if patterns else None
        )
        self._known: dict[str, bool] = {}

    def found_in(self, text: str) -> bool:
        """Whether one of the expressions is found in `text`."""
        if self._search is None:
            return False
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _REMEMBERED_TEXTS:
                self._known.clear()
            found = self._known[text] = self._search(text) is not None
        return found
