"""When, where and how one user shops: what is kept of sessions, carts, orders, dwelling and scrolling.

Sums decay by forward decay (Cormode et al., "Forward Decay: A Practical Time Decay Model for Streaming
Systems", ICDE 2009): an event at time t counts 2^((t - landmark) / half-life), so nothing has to be touched
but the sums that it changes, and the order of arrival changes no sum but by rounding. A session is counted when
the next one begins; whoever reads the sums adds the latest session as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from operators.feedback import add_opinion
from operators.habit_cells import add_amounts, scaled
from operators.orders import add_order
from schemas.habits import Habits
from schemas.records import Event
from schemas.state import Session

DAY = 86_400_000

SESSIONS: Final = 0
SESSION_SECONDS: Final = 1
SESSION_EVENTS: Final = 2
WEEKEND_SESSIONS: Final = 3
CARTS: Final = 4
BOUGHT_CARTS: Final = 5
ORDERS: Final = 6
SPENT: Final = 7
DISCOUNTED_LINES: Final = 8
DISCOUNT: Final = 9
DWELLS: Final = 10
DWELL_SECONDS: Final = 11
SCROLLS: Final = 12
SCROLLED: Final = 13
FIRST_DAYPART: Final = 14
FIRST_DEVICE: Final = 22
"""Numbers of the sums in `Habits.cells`: stored, so none is ever moved. Free: 27 to 31."""

DAYPARTS: Final = 8
HOURS_PER_DAYPART: Final = 3
DEVICES: Final = ("mobile", "tablet", "desktop", "tv", "other")
"""In the order of their sums."""

IN_CART: Final = 1
BOUGHT: Final = 2
_FORGOTTEN: Final = 64
_SATURDAY: Final = 5

TYPES = frozenset({"add_to_cart", "purchase", "dwell", "scroll", "like", "dislike", "rating"})
"""The event types of which `HabitKeeper.update` takes notice."""


@dataclass(frozen=True)
class HabitSettings:
    """How habits are kept. `half_life` (ms) is that of every sum, at least an hour and in whole seconds;
    `time_zone` (IANA) is the clock by which hours of the day and weekends are told.

    Raises `ValueError` for a value out of its range.
    """

    half_life: int = 30 * DAY
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.half_life < 3_600_000 or self.half_life % 1_000:
            raise ValueError(
                f"half_life is {self.half_life}; it must be at least 3600000 ms, in whole seconds"
            )
        self.zone()

    def zone(self) -> tzinfo:
        """The time zone itself. Raises `ValueError` when there is none of that name.

        >>> HabitSettings(time_zone="Europe/Paris").zone().utcoffset(datetime(2026, 7, 1)).seconds
        7200
        """
        if self.time_zone == "UTC":
            return UTC
        try:
            return ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"time_zone is {self.time_zone!r}; give a name of the IANA data base, such as Europe/Paris"
            ) from None


class HabitKeeper:
    """Keeps the `Habits` part of user records; holds nothing of any user itself.

    >>> keeper, habits = HabitKeeper(HabitSettings()), Habits()
    >>> keeper.begin(habits, 1_000)
    >>> dwell = Event(event_id="e", user_id="ann", type="dwell", time=1_000, value=40.0)
    >>> keeper.update(habits, dwell, None, in_session=True)
    >>> from operators.habit_cells import amount
    >>> amount(habits.cells, DWELL_SECONDS), amount(habits.cells, DWELLS)
    (40.0, 1.0)
    """

    def __init__(self, settings: HabitSettings) -> None:
        self._half_life = settings.half_life // 1_000
        self._zone = settings.zone()

    def begin(self, habits: Habits, time: int) -> None:
        """The user's first event was at `time` (ms)."""
        habits.since = habits.landmark = time // 1_000

    def session_over(self, habits: Habits, session: Session, device: str | None) -> None:
        """Count a session that is over: another one is about to take its place in the record."""
        weight = self._weight(habits, session.last)
        habits.cells = add_amounts(habits.cells, self.session_sums(habits, session, device), weight)
        habits.cart = 0

    def daypart_of(self, time: int) -> tuple[int, bool]:
        """Which three hours of the day a time (ms) lies in, 0 to 7, and whether on a Saturday or Sunday.

        >>> HabitKeeper(HabitSettings()).daypart_of(1_700_000_000_000)  # Tuesday, 22:13
        (7, False)
        """
        then = datetime.fromtimestamp(time / 1_000, self._zone)
        return then.hour // HOURS_PER_DAYPART, then.weekday() >= _SATURDAY

    def session_sums(self, habits: Habits, session: Session, device: str | None) -> list[tuple[int, float]]:
        """What one session as it stands adds to which sums, at weight 1."""
        daypart, weekend = self.daypart_of(session.start)
        sums = [
            (SESSIONS, 1.0),
            (SESSION_SECONDS, (session.last - session.start) / 1_000),
            (SESSION_EVENTS, float(session.depth)),
            (FIRST_DAYPART + daypart, 1.0),
        ]
        if weekend:
            sums.append((WEEKEND_SESSIONS, 1.0))
        if device is not None:
            sums.append((FIRST_DEVICE + device_number(device), 1.0))
        if habits.cart & IN_CART:
            sums.append((CARTS, 1.0))
            if habits.cart & BOUGHT:
                sums.append((BOUGHT_CARTS, 1.0))
        return sums

    def update(self, habits: Habits, event: Event, list_price: float | None, *, in_session: bool) -> None:
        """Take in an event of one of `TYPES`; `in_session` says that it belongs to the latest session.

        `list_price` is what the catalogue asks for the event's item, where it is known.
        """
        value = event.value
        match event.type:
            case "add_to_cart":
                if in_session:
                    habits.cart |= IN_CART
            case "purchase":
                if in_session:
                    habits.cart |= BOUGHT
                self._purchase(habits, event, list_price)
            case "dwell" if value is not None:
                self._add(habits, event.time, [(DWELLS, 1.0), (DWELL_SECONDS, value)])
            case "scroll" if value is not None:
                self._add(habits, event.time, [(SCROLLS, 1.0), (SCROLLED, value)])
            case "like" | "dislike" | "rating" if event.item_id is not None:
                habits.opinions = add_opinion(
                    habits.opinions, event.item_id, event.time // 1_000, event.type, value
                )

    def rate(self, habits: Habits, sum_now: float, now: int, unit: int) -> float:
        """A decayed sum as of `now` as a rate per `unit` (ms), taken over the time since the first event.

        Whoever is younger than one unit counts as one unit old: one order in an hour is not a thousand a month.

        >>> keeper = HabitKeeper(HabitSettings(half_life=30 * DAY))
        >>> round(keeper.rate(Habits(since=0), 5.0, 7 * DAY, 7 * DAY), 1)
        5.4
        """
        half_lives = max(now - habits.since * 1_000, unit) / (1_000 * self._half_life)
        kept = (1.0 - float(2.0**-half_lives)) * self._half_life * 1_000 / _LN_2
        return sum_now * unit / kept

    def weight_of(self, habits: Habits, time: int) -> float:
        """What something at `time` (ms) counts in the sums of `habits`, which are as of their landmark."""
        return float(2.0 ** ((time / 1_000 - habits.landmark) / self._half_life))

    def _purchase(self, habits: Habits, event: Event, list_price: float | None) -> None:
        habits.orders, is_new = add_order(
            habits.orders, event.order_id or event.event_id, event.time // 1_000
        )
        added = [(ORDERS, 1.0)] if is_new else []
        price = event.value if event.value is not None else list_price
        if price is not None:
            added.append((SPENT, price * (event.quantity if event.quantity is not None else 1.0)))
        if event.value is not None and list_price:
            added += [(DISCOUNTED_LINES, 1.0), (DISCOUNT, max(1.0 - event.value / list_price, 0.0))]
        self._add(habits, event.time, added)

    def _add(self, habits: Habits, time: int, added: list[tuple[int, float]]) -> None:
        weight = self._weight(habits, time)
        habits.cells = add_amounts(habits.cells, added, weight)

    def _weight(self, habits: Habits, time: int) -> float:
        """`weight_of`, with the landmark moved on by whole half-lives so that weights stay below 2."""
        passed = (time // 1_000 - habits.landmark) // self._half_life
        if passed >= 1:
            habits.landmark += passed * self._half_life
            habits.cells = scaled(habits.cells, 2.0**-passed) if passed < _FORGOTTEN and habits.cells else b""
        return self.weight_of(habits, time)


def device_number(device: str) -> int:
    """The place of a device in `DEVICES`.

    >>> device_number("tablet"), device_number("fridge")
    (1, 4)
    """
    return _DEVICE_NUMBERS.get(device, len(DEVICES) - 1)


_DEVICE_NUMBERS = {device: number for number, device in enumerate(DEVICES)}
_LN_2 = 0.6931471805599453
