"""Of a file's events those of people: bots and internal traffic are kept out as the job keeps them out of the lake."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from jobs.settings import Settings
from operators.duplicates import event_hash, is_remembered, remember
from operators.traffic import TrafficStep
from operators.traffic_settings import TrafficSettings
from schemas.pseudonym import Pseudonym
from schemas.records import Event
from schemas.traffic_state import Traffic


@dataclass(frozen=True)
class People:
    """Who of a file is a visitor, by the job's rules (docs/bots.md).

    `pseudonym_of` makes a user id what the lists of `traffic` name, beside raw ids.

    >>> views = [Event(event_id=str(n), user_id=user, type="view", time=n) for n, user in enumerate(("ann", "bo"))]
    >>> [event.user_id for event in People(TrafficSettings(bots=("bo",))).of(views)]
    ['ann']
    """

    traffic: TrafficSettings = TrafficSettings()
    pseudonym_of: Callable[[str], str] = str

    @classmethod
    def by(cls, settings: Settings) -> People:
        """By the settings of the job, whose secret is asked for only where users are named."""
        told = settings.traffic
        named = told.bots or told.internal_users or told.allowed
        return cls(told, Pseudonym(settings.secret()).of if named else str)

    def of(self, events: Iterable[Event]) -> list[Event]:
        """The events, which are in order of time, less those at which their user was tagged."""
        step = TrafficStep(self.traffic, self.pseudonym_of)
        users: dict[str, _Seen] = {}
        return [event for event in events if not self._tagged(event, step, users)]

    def _tagged(self, event: Event, step: TrafficStep, users: dict[str, _Seen]) -> bool:
        if event.type == "forget":
            users.pop(event.user_id, None)
            return False
        seen = users.get(event.user_id)
        if seen is None:
            seen = users[event.user_id] = _Seen(self.pseudonym_of(event.user_id))
        hashed = event_hash(event.event_id)
        if is_remembered(seen.ids, hashed):
            # The job refuses it before it says anything of its user's pace.
            return bool(seen.traffic.marks)
        seen.ids = remember(seen.ids, hashed)
        return step.update(seen.traffic, event, seen.uid).tagged


@dataclass
class _Seen:
    uid: str
    traffic: Traffic = field(default_factory=Traffic)
    ids: bytes = b""


VISITORS = People()
EVERYBODY = People(TrafficSettings(enabled=False))
"""Nobody is kept out: for events that are sent to a job, which judges for itself."""
