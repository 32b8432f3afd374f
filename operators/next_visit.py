"""Lists for the next visit: when a user's session is over, a list is made once more, as of its end.

Until then a list goes on with what the user is at. Whoever comes back hours or weeks later has done with that,
and finds the list that was made when the session ended: nothing of the next visit is known to it.
"""

from __future__ import annotations

from collections import OrderedDict

from operators.sessions import end_of
from schemas.state import UserState


def list_gap(session_gap: int, at_session_end: bool) -> int:
    """The pause (ms) after which a session is over and a list for the next visit made; 0: no list is made then.

    >>> list_gap(1_800_000, at_session_end=True), list_gap(1_800_000, at_session_end=False)
    (1800000, 0)
    """
    return session_gap if at_session_end else 0


def list_time(user: UserState, now: int, gap: int) -> int:
    """As of when (ms) the list was made that `user` has at event time `now`: their latest event, or the session's end.

    `gap` is that of `list_gap`.

    >>> from schemas.state import Session
    >>> ann = UserState("ann", born=0, last=1_000, session=Session(number=1, start=0, last=1_000))
    >>> list_time(ann, 1_500, gap=500), list_time(ann, 90_000, gap=500), list_time(ann, 90_000, gap=0)
    (1000, 1501, 1000)
    """
    end = end_of(user.session, gap) if gap else None
    return user.last if end is None or end > now else max(end, user.last)


class NextVisits:
    """When a list is due because a session is over: `gap` (ms) is that of `list_gap`.

    Event time and the wall clock both tell of an end, and a list is made once, until another takes its place. Of
    `followed` users at most, the last ones, it is remembered. Nobody has one of whom no item is known, since it would
    be the list that they have, and no bot.

    >>> from schemas.state import RecentItem, Session
    >>> ann = UserState("ann", born=0, last=1_000, session=Session(number=1, start=0, last=1_000))
    >>> ann.recent.append(RecentItem.of("mug", 1_000, "view", "Home"))
    >>> visits = NextVisits(gap=500, followed=10)
    >>> visits.next_due(ann, 1_000), visits.take(ann, 1_500), visits.take(ann, 1_501), visits.take(ann, 1_501)
    (1501, False, True, False)
    >>> visits.next_due(ann, 1_000) is None
    True
    >>> visits.replaced("ann"); visits.next_due(ann, 1_000)
    1501
    """

    def __init__(self, gap: int, followed: int) -> None:
        self._gap = gap
        self._followed = followed
        self._made: OrderedDict[str, int] = OrderedDict()

    def end(self, user: UserState) -> int | None:
        """When the user's session is over; None where no list is due then."""
        if not self._gap or not user.recent or user.traffic.marks:
            return None
        return end_of(user.session, self._gap)

    def next_due(self, user: UserState, now: int) -> int | None:
        """The end of the user's session if it is after `now` and has no list."""
        end = self.end(user)
        return None if end is None or end <= now or self._made.get(user.uid) == end else end

    def replaced(self, uid: str) -> None:
        """An event asks for a list, which takes the place of the one for the next visit.

        It need not have lengthened the session: one that comes late may lie within it.
        """
        self._made.pop(uid, None)

    def take(self, user: UserState, now: int) -> bool:
        """Whether the session ends at event time `now` and has no list yet; it counts as made from then on."""
        if self.end(user) != now or self._made.get(user.uid) == now:
            return False
        self._made[user.uid] = now
        self._made.move_to_end(user.uid)
        if len(self._made) > self._followed:
            self._made.popitem(last=False)
        return True

    def take_over(self, user: UserState, now: int | None) -> bool:
        """Whether the session had ended by event time `now`, or a clock told so: the list is for the next visit."""
        end = self.end(user)
        if end is None:
            return False
        if self._made.get(user.uid) == end:
            return True
        if now is None or now < end:
            return False
        self.take(user, end)
        return True
