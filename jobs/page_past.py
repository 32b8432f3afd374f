"""What happened to users lately: segments entered and left, and drift."""

from __future__ import annotations

from collections import deque

import msgspec

from jobs.page_view import Shown
from schemas.records import DriftAlert, SegmentChange

MOST_CHANGES = 20_000
MOST_ALERTS = 5_000
MOST_OF_USER = 100


class Past:
    """The newest changes and alerts, as many as fit.

    >>> past = Past()
    >>> past.take_change(SegmentChange(uid="u", segment="new", change="entered", at=5, version=1))
    >>> [change["segment"] for change in past.newest(10)], past.of_user("u")["alerts"]
    (['new'], [])
    """

    def __init__(self) -> None:
        self._changes: deque[SegmentChange] = deque(maxlen=MOST_CHANGES)
        self._alerts: deque[DriftAlert] = deque(maxlen=MOST_ALERTS)
        self.taken = 0

    def take_change(self, change: SegmentChange) -> None:
        """Take in a message of the segment-changes topic."""
        self._changes.append(change)
        self.taken += 1

    def take_alert(self, alert: DriftAlert) -> None:
        """Take in a message of the drift topic; alerts of pools and of the stream are of no user."""
        if alert.uid:
            self._alerts.append(alert)

    def newest(self, most: int, segment: str | None = None) -> list[Shown]:
        """The last changes, newest first; of one segment where it is given."""
        found = []
        for change in reversed(tuple(self._changes)):
            if segment is None or change.segment == segment:
                found.append(msgspec.to_builtins(change))
                if len(found) == most:
                    break
        return found

    def of_user(self, uid: str) -> Shown:
        """A user's last changes and alerts, oldest first, and since when all of both topics are known."""
        changes = [change for change in tuple(self._changes) if change.uid == uid][-MOST_OF_USER:]
        alerts = [alert for alert in tuple(self._alerts) if alert.uid == uid][-MOST_OF_USER:]
        return {
            "uid": uid,
            "changes": [msgspec.to_builtins(change) for change in changes],
            "alerts": [msgspec.to_builtins(alert) for alert in alerts],
        }
