"""What habits say: rates, means and shares, with the latest session as it stands."""

from __future__ import annotations

from collections.abc import Callable
from math import atan2, cos, pi, sin, tau

from operators.habit_cells import amount, amounts
from operators.habits import (
    BOUGHT,
    BOUGHT_CARTS,
    CARTS,
    DAYPARTS,
    DEVICES,
    FIRST_DAYPART,
    FIRST_DEVICE,
    HOURS_PER_DAYPART,
    IN_CART,
    SESSION_EVENTS,
    SESSIONS,
    WEEKEND_SESSIONS,
    HabitKeeper,
    device_number,
)
from operators.sessions import is_over
from schemas.state import UserState

DAYPART_NAMES = ("night", "morning", "afternoon", "evening")
"""Quarters of the day from midnight on."""


class HabitReading:
    """Reads habits as `keeper` keeps them; `gap` (ms) is the pause that ends a session.

    >>> from operators.habits import HabitSettings
    >>> reading = HabitReading(HabitKeeper(HabitSettings()), gap=1_800_000)
    >>> reading.usual_hour(UserState("u", born=0), 0) is None
    True
    """

    def __init__(self, keeper: HabitKeeper, gap: int) -> None:
        self._keeper = keeper
        self._gap = gap

    def rate(self, user: UserState, number: int, now: int, unit: int) -> float:
        """How often per `unit` (ms) what the sum `number` counts happens, as of `now`."""
        habits = user.habits
        held = amount(habits.cells, number)
        return self._keeper.rate(habits, held / self._keeper.weight_of(habits, now), now, unit)

    def sessions_per(self, user: UserState, now: int, unit: int) -> float:
        """Sessions per `unit` (ms), the latest one included."""
        habits, session = user.habits, user.session
        if session.number == 0:
            return 0.0
        held = amount(habits.cells, SESSIONS) + self._keeper.weight_of(habits, session.last)
        return self._keeper.rate(habits, held / self._keeper.weight_of(habits, now), now, unit)

    def session_mean(self, number: int) -> Callable[[UserState, int], float | None]:
        """The mean of `SESSION_EVENTS` or `SESSION_SECONDS` over sessions that are over; None without any."""

        def read(user: UserState, now: int) -> float | None:
            habits, session = user.habits, user.session
            count, total = amount(habits.cells, SESSIONS), amount(habits.cells, number)
            if is_over(session, now, self._gap):
                weight = self._keeper.weight_of(habits, session.last)
                latest = session.depth if number == SESSION_EVENTS else (session.last - session.start) / 1_000
                count += weight
                total += weight * latest
            return total / count if count > 0.0 else None

        return read

    def cart_abandonment(self, user: UserState, now: int) -> float | None:
        """The share of carts that were left; a cart of a session that goes on is none yet, unless it was bought."""
        habits, session = user.habits, user.session
        carts, bought = amount(habits.cells, CARTS), amount(habits.cells, BOUGHT_CARTS)
        if habits.cart & IN_CART:
            weight = self._keeper.weight_of(habits, session.last)
            if habits.cart & BOUGHT:
                carts += weight
                bought += weight
            elif is_over(session, now, self._gap):
                carts += weight
        return 1.0 - bought / carts if carts > 0.0 else None

    def usual_hour(self, user: UserState, now: int) -> float | None:
        """The hour around which sessions begin: the mean over the likeliest three hours and their neighbours."""
        parts = self._dayparts(user)
        if parts is None:
            return None
        best = parts.index(max(parts))
        x = y = 0.0
        for part in (best - 1, best, best + 1):
            held = parts[part % DAYPARTS]
            angle = tau * (part + 0.5) / DAYPARTS
            x += held * cos(angle)
            y += held * sin(angle)
        return atan2(y, x) % tau * (DAYPARTS * HOURS_PER_DAYPART / 2) / pi

    def usual_daypart(self, user: UserState, now: int) -> str | None:
        """The quarter of the day in which most sessions begin."""
        parts = self._dayparts(user)
        if parts is None:
            return None
        quarters = [parts[2 * k] + parts[2 * k + 1] for k in range(len(DAYPART_NAMES))]
        return DAYPART_NAMES[quarters.index(max(quarters))]

    def daypart_share(self, quarter: int) -> Callable[[UserState, int], float | None]:
        """The share of sessions that begin in one quarter of the day, of `DAYPART_NAMES`."""

        def read(user: UserState, now: int) -> float | None:
            parts = self._dayparts(user)
            return None if parts is None else (parts[2 * quarter] + parts[2 * quarter + 1]) / sum(parts)

        return read

    def weekend_share(self, user: UserState, now: int) -> float | None:
        """The share of sessions that begin on a weekend."""
        habits, session = user.habits, user.session
        if session.number == 0:
            return None
        weight = self._keeper.weight_of(habits, session.last)
        weekends, sessions = amount(habits.cells, WEEKEND_SESSIONS), amount(habits.cells, SESSIONS)
        if self._keeper.daypart_of(session.start)[1]:
            weekends += weight
        return weekends / (sessions + weight)

    def usual_device(self, user: UserState, now: int) -> str | None:
        """The device of most sessions; of equally many, the first of `DEVICES`."""
        held = amounts(user.habits.cells, FIRST_DEVICE, len(DEVICES))
        if user.device is not None and user.session.number > 0:
            held[device_number(user.device)] += self._keeper.weight_of(user.habits, user.session.last)
        most = max(held)
        return DEVICES[held.index(most)] if most > 0.0 else None

    def _dayparts(self, user: UserState) -> list[float] | None:
        session = user.session
        if session.number == 0:
            return None
        parts = amounts(user.habits.cells, FIRST_DAYPART, DAYPARTS)
        parts[self._keeper.daypart_of(session.start)[0]] += self._keeper.weight_of(user.habits, session.last)
        return parts
