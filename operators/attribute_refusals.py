"""CRM records that are refused, told on the control-status topic: by field and rule, and never one by one.

A source whose export is broken sends a million bad records, and nothing of a user may be told of them: so the first
is told at once, and then how many more there were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from operators.attributes import BadAttributes
from operators.control import ControlStatus

PROFILE_UPDATE = "profile_update"
"""`kind` of the statuses; their `name` is the attribute."""

AT_REST_MS = 1_000
LONGEST_MS = 60_000
"""Of one field and rule so long passes between two statuses: at first, and after a minute of bad records."""

NEVER = 2**63


@dataclass
class _Told:
    """When a field and rule were last told (wall clock, ms), the wait until the next time, and what waits since."""

    at: int
    wait: int = AT_REST_MS
    more: int = 0


class AttributeRefusals:
    """Counts the refused records of one subtask. There are as many counts as the settings declare fields and rules.

    `due` is the wall clock (ms) at which `take_due` has something to tell; NEVER where nothing waits.

    >>> refusals = AttributeRefusals()
    >>> bad = BadAttributes("attribute 'employees' of source 'app'", "employees", "is no number")
    >>> told = msgspec.json.decode(refusals.take(bad, now=0))
    >>> told["name"], told["reason"], told["refused"]
    ('employees', 'is no number', 1)
    >>> refusals.take(bad, now=10), refusals.take(bad, now=20), refusals.due
    (None, None, 1000)
    >>> [msgspec.json.decode(status)["refused"] for status in refusals.take_due(now=1_000)], refusals.due == NEVER
    ([2], True)
    """

    def __init__(self) -> None:
        self.due = NEVER
        self._told: dict[tuple[str, str], _Told] = {}

    def take(self, bad: BadAttributes, now: int) -> bytes | None:
        """Count a record. The status to tell, or None where it has to wait."""
        key = bad.field, bad.rule
        told = self._told.get(key)
        if told is None or (not told.more and now - told.at >= 2 * told.wait):
            self._told[key] = _Told(now)
            return _status(*key, 1)
        told.more += 1
        self.due = min(self.due, told.at + told.wait)
        return None

    def take_due(self, now: int) -> Iterator[bytes]:
        """The statuses whose time has come."""
        for key, told in self._told.items():
            if told.more and now >= told.at + told.wait:
                yield _status(*key, told.more)
                told.at, told.wait, told.more = now, min(2 * told.wait, LONGEST_MS), 0
        self.due = min((told.at + told.wait for told in self._told.values() if told.more), default=NEVER)


def _status(field: str, rule: str, refused: int) -> bytes:
    status = ControlStatus(
        kind=PROFILE_UPDATE, name=field, version=0, applied=False, reason=rule, refused=refused
    )
    return msgspec.json.encode(status)
