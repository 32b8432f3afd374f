"""Loading history: until the cut-over a user's events change the record in silence.

History is every event whose time lies before the cut-over. It asks for no list, announces no segment and no
drift. When history has run dry, each user whose latest event is history is brought to the cut-over and asked
for once, spread over a while. Nothing here touches what is known of a user, so clocks are allowed: `now` is
wall clock in ms, passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from zlib import crc32

import msgspec


@dataclass(frozen=True)
class BackfillSettings:
    """How a cut-over goes. Durations are in ms.

    History has run dry for a subtask when it met none for `dry`. Users are then asked for over `spread`, each
    at a moment of their own. `followed` bounds how many users' moments are remembered; one who is forgotten
    may be asked for twice.
    """

    dry: int = 30_000
    spread: int = 60_000
    followed: int = 200_000

    def __post_init__(self) -> None:
        if min(self.dry, self.spread, self.followed) < 1:
            raise ValueError("backfill: dry, spread and followed must be 1 or more")


class CutOver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a control message of the kind `backfill`.

    Live begins at `until` (ms of event time); `declared` is the wall clock (ms) at that moment, or when the
    backfill began: between them lies how far the events' clock is from the wall's.
    """

    until: int
    declared: int


class CutOverRefused(ValueError):  # noqa: N818 (named like the other refusals)
    """A body that names no cut-over."""


_decode: Any = msgspec.json.Decoder(CutOver).decode


def cut_over_of(body: str) -> CutOver:
    """The cut-over that a control message's body names.

    >>> cut_over_of('{"until": 1700000000000, "declared": 1700000000000}').until
    1700000000000

    Raises `CutOverRefused`.
    """
    try:
        told: CutOver = _decode(body)
    except msgspec.DecodeError as error:
        raise CutOverRefused(f'a backfill is {{"until": ms, "declared": ms}}: {error}') from None
    if min(told.until, told.declared) < 0:
        raise CutOverRefused(f"a backfill's times are milliseconds since 1970, not {told.until}")
    return told


class Moment(Enum):
    """What a processing-time timer of a user means."""

    NOT_OURS = auto()
    """It was set for something else, such as a trailing refresh."""
    CUT_OVER = auto()
    """The user is to be brought to the cut-over and asked for, now."""
    AGAIN = auto()
    """History may still be coming: the user is to be met again."""
    DONE = auto()
    """Nothing is to be done: the user went live in the meantime, or another timer is set."""


class Backfill:
    """The cut-over of one subtask's users. Without one, everything is live.

    Users are known by whatever stands for them in the subtask's own memory (`user`).

    >>> backfill = Backfill(BackfillSettings(dry=1_000, spread=1))
    >>> backfill.cut_over(5_000)
    >>> backfill.is_history(4_999), backfill.is_history(5_000)
    (True, False)
    >>> backfill.met("ann", 100_000), backfill.met("ann", 100_500)
    (101000, None)
    >>> backfill.postponed("ann", 101_000)
    101500
    >>> backfill.postponed("ann", 101_500)
    >>> backfill.fired("ann", 101_500, last=4_999, now=101_500)
    <Moment.CUT_OVER: 2>
    """

    def __init__(self, settings: BackfillSettings = BackfillSettings()) -> None:
        self._settings = settings
        self._met_at = 0
        self._waiting: OrderedDict[str, int] = OrderedDict()
        self.until = 0

    def cut_over(self, until: int) -> None:
        """Take events before `until` (ms of event time) for history from now on; 0: none are."""
        self.until = until

    def is_history(self, time: int) -> bool:
        """Whether an event, or an event-time timer, of `time` (ms) is to change the record in silence."""
        return time < self.until

    def met(self, user: str, now: int) -> int | None:
        """An event of history was applied. The moment (ms) for a timer of the user, where one is needed."""
        self._met_at = now
        return None if user in self._waiting else self._wait(user)

    def waits(self, user: str) -> bool:
        """Whether the user is known to wait for the cut-over: until then the wall clock has no part in what is due."""
        return user in self._waiting

    def postponed(self, user: str, now: int) -> int | None:
        """A timer of the user has fired: the moment for the next, where history is still coming.

        Asked before the record is read, since many users wait while history comes.
        """
        if user in self._waiting and now < self._met_at + self._settings.dry:
            return self._wait(user)
        return None

    def fired(self, user: str, timer: int, last: int, now: int) -> Moment:
        """What the timer set for `timer` means for a user whose latest event is of `last` (event time, ms).

        After a restart nobody is remembered: then a user whose latest event is history was waiting.
        """
        due = self._waiting.get(user)
        if not self.is_history(last):
            if due is None or timer != due:
                return Moment.NOT_OURS
            del self._waiting[user]
            return Moment.DONE
        if due is None:
            self._met_at = self._met_at or now  # the first sign after a restart
            return Moment.AGAIN if now < self._met_at + self._settings.dry else Moment.CUT_OVER
        if timer < due:
            return Moment.DONE  # set before a restart, and another was set since
        del self._waiting[user]
        return Moment.CUT_OVER

    def _wait(self, user: str) -> int:
        settings, waiting = self._settings, self._waiting
        due = self._met_at + settings.dry + crc32(user.encode()) % settings.spread
        waiting[user] = due
        waiting.move_to_end(user)
        if len(waiting) > settings.followed:
            waiting.popitem(last=False)
        return due
