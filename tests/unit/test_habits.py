"""What is kept of a user's habits: sums that are exact, decay with time, and do not depend on arrival."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.habit_cells import CELLS, add_amounts, amount, amounts, scaled
from operators.habits import DAY, ORDERS, SPENT, HabitKeeper, HabitSettings
from operators.profile_features import profile_features
from operators.user_step import StepSettings, UserStep
from schemas.habits import Habits
from schemas.records import Context, Event
from schemas.state import UserState

MINUTE = 60_000
HOUR = 60 * MINUTE
TUESDAY_EVENING = 1_699_990_200_000  # 2023-11-14 19:30 UTC
CHANGES = st.lists(st.tuples(st.integers(0, CELLS - 1), st.integers(-1_000, 1_000).map(float)), max_size=60)


def event(type: str, time: int, **fields: object) -> Event:
    return Event(event_id=f"{type}-{time}-{fields}", user_id="ann", type=type, time=time, **fields)  # type: ignore[arg-type]


def followed(events: list[Event], settings: StepSettings = StepSettings()) -> UserState:
    step, user = UserStep(settings, {}), UserState("u", born=events[0].time)
    for each in events:
        assert step.update(user, each, None).refused is None
    return user


def read(
    user: UserState, name: str, now: int | None = None, settings: StepSettings = StepSettings()
) -> object:
    return profile_features(settings)[name].read(user, user.last if now is None else now)


@given(CHANGES)
def test_packed_sums_are_the_plain_sums(changes: list[tuple[int, float]]) -> None:
    plain = [0.0] * CELLS
    cells = b""
    for number, added in changes:
        plain[number] += added
        cells = add_amounts(cells, [(number, added)])
    assert amounts(cells, 0, CELLS) == plain
    assert [amount(cells, number) for number in range(CELLS)] == plain
    assert amounts(cells, 5, 9) == plain[5:14]
    assert len(cells) <= 4 + 4 * len({number for number, _ in changes})
    if cells:
        assert amounts(scaled(cells, 0.5), 0, CELLS) == [x / 2 for x in plain]


@given(
    st.lists(st.tuples(st.integers(0, 400 * 24), st.integers(1, 100)), min_size=1, max_size=30), st.randoms()
)
def test_sums_do_not_depend_on_the_order_of_arrival(
    orders: list[tuple[int, int]], rng: random.Random
) -> None:
    keeper = HabitKeeper(HabitSettings())
    events = [
        event("purchase", n + h * HOUR, order_id=str(n), value=float(v)) for n, (h, v) in enumerate(orders)
    ]
    now = max(each.time for each in events)

    def spent(arrived: list[Event]) -> float:
        habits = Habits()
        keeper.begin(habits, min(each.time for each in events))
        for each in arrived:
            keeper.update(habits, each, None, in_session=True)
        return amount(habits.cells, SPENT) / keeper.weight_of(habits, now)

    expected = sum(
        v * 2 ** -((now - each.time) / (30 * DAY)) for each, (_, v) in zip(events, orders, strict=True)
    )
    arrived = rng.sample(events, len(events))
    assert spent(events) == pytest.approx(expected, rel=1e-5)
    assert spent(arrived) == pytest.approx(expected, rel=1e-5)


def test_sums_neither_overflow_nor_end_over_a_hundred_years_of_an_hours_half_life() -> None:
    keeper, habits = HabitKeeper(HabitSettings(half_life=HOUR)), Habits()
    keeper.begin(habits, 0)
    for year in range(100):
        keeper.update(habits, event("purchase", year * 365 * DAY, value=1e6), None, in_session=True)
        now = keeper.weight_of(habits, year * 365 * DAY)
        assert amount(habits.cells, ORDERS) / now == pytest.approx(1.0)


def test_how_often_a_user_comes_and_orders_is_a_rate_from_the_beginning_on() -> None:
    visits = [TUESDAY_EVENING + day * DAY for day in range(0, 120, 2)]
    events = [event("view", time) for time in visits] + [
        event("purchase", visits[-1], item_id="mug", value=9.0)
    ]
    user = followed(events)
    assert read(user, "sessions_per_week") == pytest.approx(3.5, rel=0.05)
    assert read(followed(events[:1]), "sessions_per_week") == pytest.approx(1.0, rel=0.1)
    one_order_lately = read(user, "purchase_velocity")
    assert isinstance(one_order_lately, float)
    assert 0.5 < one_order_lately < 1.0
    later = read(user, "purchase_velocity", user.last + 60 * DAY)
    assert isinstance(later, float)
    assert later < one_order_lately / 3


def test_lines_of_one_order_are_one_order() -> None:
    lines = [
        event("purchase", 1_000 + n, order_id="A", item_id=str(n), value=10.0, quantity=2.0) for n in range(3)
    ]
    user = followed([*lines, event("purchase", 2_000, order_id="B", item_id="x", value=20.0)])
    assert read(user, "order_value") == pytest.approx(40.0)
    assert read(user, "days_since_order", 2_000 + DAY) == pytest.approx(1.0)
    assert read(user, "session.bought") is True


def cart(day: int, *, bought: bool) -> list[Event]:
    start = TUESDAY_EVENING + day * DAY
    events = [event("view", start), event("add_to_cart", start + MINUTE, item_id="mug")]
    return [*events, event("purchase", start + 2 * MINUTE, item_id="mug", value=9.0)] if bought else events


def test_a_cart_is_abandoned_when_its_session_is_over_without_a_purchase() -> None:
    user = followed(cart(0, bought=True) + cart(1, bought=False))
    assert read(user, "cart_abandonment") == 0.0
    assert read(user, "session.cart") is True
    assert read(user, "cart_abandonment", user.last + HOUR) == pytest.approx(0.5, abs=0.01)
    user = followed(cart(0, bought=True) + cart(1, bought=False) + cart(2, bought=True))
    assert read(user, "cart_abandonment") == pytest.approx(1 / 3, abs=0.01)
    assert read(user, "session.cart") is False


def test_the_order_of_events_within_a_session_changes_no_cart() -> None:
    events = cart(0, bought=True)
    there, back = followed(events), followed(events[::-1])
    assert read(there, "cart_abandonment") == read(back, "cart_abandonment") == 0.0
    assert there.habits.cart == back.habits.cart


def test_a_purchase_that_comes_after_the_next_session_began_is_no_purchase_of_that_one() -> None:
    first, second = cart(0, bought=True), cart(0, bought=False)
    late = first.pop()
    next_visit = [event(e.type, e.time + 5 * HOUR, item_id=e.item_id) for e in second]
    user = followed([*first, *next_visit, late])
    assert read(user, "session.bought") is False
    assert read(user, "purchase_velocity") != 0.0


def test_when_and_on_what_a_user_comes() -> None:
    def visit(time: int, device: str) -> Event:
        return event("view", time, context=Context(device=device))

    evenings = [visit(TUESDAY_EVENING + day * DAY, "mobile") for day in range(5)]
    user = followed([*evenings, visit(TUESDAY_EVENING + 5 * DAY - 10 * HOUR, "desktop")])
    assert read(user, "usual_daypart") == "evening"
    assert read(user, "usual_hour") == pytest.approx(19.5)
    assert read(user, "usual_device") == "mobile"
    assert read(user, "device") == "desktop"
    assert read(user, "evening_share") == pytest.approx(5 / 6, abs=0.02)
    assert read(user, "weekend_share") == pytest.approx(2 / 6, abs=0.02)


def test_hours_are_told_by_the_clock_of_the_settings() -> None:
    settings = StepSettings(habits=HabitSettings(time_zone="Asia/Tokyo"))  # 04:30 of the next day
    user = followed([event("view", TUESDAY_EVENING)], settings)
    assert read(user, "usual_daypart", settings=settings) == "night"


def test_sessions_that_are_over_make_the_means() -> None:
    depths = (3, 5)
    events = [
        event("view", TUESDAY_EVENING + day * DAY + n * MINUTE)
        for day, depth in enumerate(depths)
        for n in range(depth)
    ]
    user = followed(events)
    assert read(user, "session.depth") == 5.0
    assert read(user, "session.duration") == 240.0
    assert read(user, "session.pace") == pytest.approx(1.25)
    assert read(user, "session_depth_average") == pytest.approx(3.0)
    assert read(user, "session_depth_average", user.last + HOUR) == pytest.approx(4.0, abs=0.05)
    assert read(user, "session_duration_average", user.last + HOUR) == pytest.approx(180.0, abs=3.0)
    assert (read(user, "session.active"), read(user, "session.active", user.last + HOUR)) == (True, False)


def test_engagement_is_the_mean_of_what_was_told() -> None:
    user = followed(
        [
            *(event("dwell", 1_000, value=10.0), event("dwell", 2_000, value=30.0), event("dwell", 3_000)),
            *(event("scroll", 4_000, value=0.25), event("scroll", 5_000, value=0.75)),
        ]
    )
    assert read(user, "dwell_average") == pytest.approx(20.0)
    assert read(user, "scroll_depth") == pytest.approx(0.5)


def test_settings_of_habits_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="half_life is 1500; it must be at least 3600000 ms"):
        HabitSettings(half_life=1_500)
    with pytest.raises(ValueError, match="time_zone is 'Mars/Olympus'; give a name of the IANA data base"):
        HabitSettings(time_zone="Mars/Olympus")
