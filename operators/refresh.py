"""When a user's list is made anew: at once after a quiet spell, else at the end of a least interval.

Refreshes are a budget. Nothing here touches what is known of a user, so clocks are allowed: all times are
wall clock in ms, passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


@dataclass(frozen=True)
class RefreshSettings:
    """How often lists are made. Intervals are in ms.

    The least interval between two lists of a user is `interval` at rest. While lists come later than `target_delay` it
    moves to as many times that as they are late, up to `most_interval`. With `at_session_end` a list is made as
    well when a session is over, for the next visit. `share` is the part of one core
    that a subtask may spend on leading-edge lists; `followed` bounds how many users' last refresh is
    remembered.
    """

    interval: int = 200
    most_interval: int = 60_000
    target_delay: int = 250
    share: float = 0.6
    burst: int = 200
    followed: int = 200_000
    at_session_end: bool = True


_GENTLY_DOWN = 0.8
_GENTLY_UP = 1.25
"""By how much the interval changes at most from one look at the delay to the next, about a second later: the
effect of the last change is to be seen first."""


class Edge(Enum):
    """What an event that may change a list asks for."""

    LEADING = auto()
    """A list at once."""
    TRAILING = auto()
    """A list when the interval ends: a timer is to be set."""
    COVERED = auto()
    """Nothing: a timer that will cover this event is set already."""


LEISURE = 10_000
"""ms that a list nobody waits for is put off: an event of the user that comes meanwhile makes it needless."""


class _Followed(NamedTuple):
    """When the last list was asked for, when the next is due (0: none waits), since when it is wanted.

    At leisure: no event asked for it, and nobody waits for it.
    """

    last: int
    due: int
    since: int
    at_leisure: bool = False


_NEW = _Followed(0, 0, 0)


class TokenBucket:
    """Allows `rate` a second on average and `burst` at once.

    >>> bucket = TokenBucket(rate=1.0, burst=1)
    >>> bucket.take(0), bucket.take(10), bucket.take(1_010)
    (True, False, True)
    """

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: int | None = None

    def take(self, now: int) -> bool:
        """Take one token at `now` (ms); False when there is none."""
        if self._at is not None and now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self.rate / 1000.0)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class RefreshPolicy:
    """Decides for one subtask which events lead to a list at once and which wait.

    >>> policy = RefreshPolicy(RefreshSettings(interval=200))
    >>> policy.ask("ann", 1_000, 1_000)
    (<Edge.LEADING: 1>, 1000)
    >>> policy.ask("ann", 1_050, 1_050), policy.ask("ann", 1_060, 1_060)
    ((<Edge.TRAILING: 2>, 1200), (<Edge.COVERED: 3>, 1200))
    >>> policy.fired("ann", 1_200)
    1050
    """

    def __init__(self, settings: RefreshSettings) -> None:
        self._settings = settings
        self.interval = float(settings.interval)
        self.budget = TokenBucket(rate=2_000.0, burst=settings.burst)
        self._users: OrderedDict[str, _Followed] = OrderedDict()

    def ask(self, user: str, now: int, since: int) -> tuple[Edge, int]:
        """What an event of `user`, processed at `now` and sent at `since`, asks for, and when (ms)."""
        last, due, _, at_leisure = self._users.get(user, _NEW)
        if due > now and not at_leisure:
            return Edge.COVERED, due
        ready = last + int(self.interval)
        if ready <= now:
            if self.budget.take(now):
                self._follow(user, _Followed(now, 0, 0))
                return Edge.LEADING, now
            ready = now + int(self.interval)
        self._follow(user, _Followed(last, ready, since))
        return Edge.TRAILING, ready

    def ask_at_leisure(self, user: str, now: int) -> int | None:
        """Ask for a list that no event wants and that may wait: when a timer is to be set (ms), None where one is.

        The next event of the user takes its place.

        >>> policy = RefreshPolicy(RefreshSettings(interval=200))
        >>> policy.ask_at_leisure("ann", 1_000), policy.ask_at_leisure("ann", 1_050)
        (11000, None)
        >>> policy.ask("ann", 1_100, 1_100), policy.waits("ann", 11_000)
        ((<Edge.LEADING: 1>, 1100), False)
        """
        last, due, _, _ = self._users.get(user, _NEW)
        if due > now:
            return None
        return self._put_off(user, last, now)

    def is_at_leisure(self, user: str) -> bool:
        """Whether the list that `user` waits for is one that may wait."""
        return self._users.get(user, _NEW).at_leisure

    def put_off(self, user: str, now: int) -> int | None:
        """When to set the next timer (ms) for a list that may wait, its own having fired; None: make it now.

        It waits while the budget is spent: lists that events ask for at once have had it first.
        """
        if self.budget.take(now):
            return None
        last = self._users.get(user, _NEW).last
        return self._put_off(user, last, now)

    def waits(self, user: str, at: int) -> bool:
        """Whether a timer that fires at `at` (ms) is the one that `user` waits for.

        >>> policy = RefreshPolicy(RefreshSettings(interval=200))
        >>> asked = [policy.ask("ann", now, now) for now in (1_000, 1_050)]
        >>> policy.waits("ann", 1_200), policy.waits("ann", 1_100), policy.waits("bob", 1_200)
        (True, False, False)
        """
        followed = self._users.get(user)
        return followed is not None and followed.due == at

    def knows(self, user: str) -> bool:
        """Whether `user` was heard of lately: after a restart nobody was, and timers of before still fire."""
        return user in self._users

    def fired(self, user: str, now: int) -> int:
        """The timer of `user` has fired and a list is made. Returns since when it was wanted (ms)."""
        since = self._users.get(user, _NEW).since
        self._follow(user, _Followed(now, 0, 0))
        return since or now

    def adapt(self, rank_us: float, delay: float) -> None:
        """Fit budget and interval to what ranking costs (µs a list) and how late lists are (ms).

        >>> policy = RefreshPolicy(RefreshSettings(interval=200, target_delay=250))
        >>> for second in range(20):
        ...     policy.adapt(rank_us=200.0, delay=750.0)
        >>> round(policy.interval)
        600
        """
        settings = self._settings
        if rank_us > 0:
            self.budget.rate = max(10.0, settings.share * 1e6 / rank_us)
        wanted = settings.interval * max(delay / settings.target_delay, 1.0)
        change = min(max(wanted / self.interval, _GENTLY_DOWN), _GENTLY_UP)
        self.interval = min(max(self.interval * change, settings.interval), settings.most_interval)

    def _put_off(self, user: str, last: int, now: int) -> int:
        due = now + max(LEISURE, int(self.interval))
        self._follow(user, _Followed(last, due, 0, at_leisure=True))
        return due

    def _follow(self, user: str, followed: _Followed) -> None:
        users = self._users
        users[user] = followed
        users.move_to_end(user)
        if len(users) > self._settings.followed:
            users.popitem(last=False)
