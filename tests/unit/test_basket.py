"""The cart as the user step remembers it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operators.user_step import StepSettings, UserStep
from schemas.records import Event
from schemas.state import UserState, decode_state, encode_state

STEP = UserStep(StepSettings(), {})


def after(*events: tuple[str, str], step: UserStep = STEP) -> UserState:
    user = UserState("u", born=1_000)
    for n, (type, item) in enumerate(events):
        event = Event(event_id=f"e{n}", user_id="u", type=type, time=1_000 + n, item_id=item, value=1.0)
        assert step.update(user, event, None).refused is None
        assert step.update(user, event, None).refused == "duplicate"
    return user


def test_what_is_put_in_stays_until_it_is_taken_out_or_bought() -> None:
    user = after(
        ("add_to_cart", "mug"), ("add_to_cart", "plate"), ("add_to_cart", "bowl"), ("view", "mug"),
        ("remove_from_cart", "plate"), ("purchase", "bowl"), ("remove_from_cart", "never there"),
    )  # fmt: skip
    assert user.basket == {"mug": 1_000}
    assert decode_state(encode_state(user)).basket == user.basket


def test_an_item_that_is_put_in_again_is_the_newest() -> None:
    assert list(after(("add_to_cart", "a"), ("add_to_cart", "b"), ("add_to_cart", "a")).basket) == ["b", "a"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add_to_cart", "remove_from_cart", "purchase"]), st.sampled_from("abcdefgh")
        ),
        max_size=40,
    )
)
def test_the_basket_is_bounded_and_holds_what_was_put_in_last(events: list[tuple[str, str]]) -> None:
    basket = list(after(*events, step=UserStep(StepSettings(basket_items=3), {})).basket)
    assert len(basket) <= 3
    last = {item: (n, type) for n, (type, item) in enumerate(events)}
    kept = sorted(n for n, type in last.values() if type == "add_to_cart")
    assert [last[item][0] for item in basket] == kept[len(kept) - len(basket) :]


def test_the_record_of_a_user_with_very_many_events_is_bounded() -> None:
    """Seven thousand events on as many items; the record no longer grows once its memories are full."""
    user = UserState("u", born=0)
    types = ("view", "add_to_cart", "purchase", "like", "search", "remove_from_cart", "rating")
    sizes = []
    for n in range(7_000):
        event = Event(
            event_id=f"event-{n}",
            user_id="u",
            type=types[n % 7],
            time=n * 60_000,
            item_id=f"item-{n:06d}",
            value=3.0,
        )
        STEP.update(user, event, None)
        if n % 1_000 == 999:
            sizes.append(len(encode_state(user)))
    assert user.n == 7_000
    assert max(sizes[4:]) <= 1.02 * sizes[3]
    assert max(sizes) < 8_000
