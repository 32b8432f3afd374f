"""Explicit feedback: the latest opinion of each item counts, in whatever order opinions arrive."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from operators.feedback import MOST_OPINIONS, add_opinion, feedback_of
from operators.orders import MOST_ORDERS, add_order, last_order

OPINIONS = st.lists(
    st.tuples(
        st.integers(0, 5).map(str), st.integers(0, 1_000), st.sampled_from(["like", "dislike", "rating"]),
        st.integers(0, 10).map(lambda half: half / 2),
    ),
    max_size=30, unique_by=lambda opinion: opinion[1],
)  # fmt: skip


@given(OPINIONS, st.randoms())
def test_the_latest_opinion_of_each_item_counts(
    opinions: list[tuple[str, int, str, float]], rng: random.Random
) -> None:
    stored = b""
    for item, second, type, stars in rng.sample(opinions, len(opinions)):
        stored = add_opinion(stored, item, second, type, stars)
    thumbs, ratings = {}, {}
    for item, _, type, stars in sorted(opinions, key=lambda opinion: opinion[1]):
        if type == "rating":
            ratings[item] = stars
        else:
            thumbs[item] = type
    found = feedback_of(stored)
    assert (found.likes, found.dislikes) == tuple(list(thumbs.values()).count(t) for t in ("like", "dislike"))
    assert found.ratings == len(ratings)
    assert found.rating_average == (sum(ratings.values()) / len(ratings) if ratings else None)


def test_opinions_and_orders_are_bounded_and_the_newest_stay() -> None:
    opinions = orders = b""
    for n in range(100):
        opinions = add_opinion(opinions, str(n), n, "like", None)
        orders, new = add_order(orders, str(n), n)
        assert new
    assert feedback_of(opinions).likes == MOST_OPINIONS
    assert last_order(orders) == 99
    assert len(orders) == 8 * MOST_ORDERS
    assert add_order(orders, "95", 200) == (orders, False)


def test_stars_beyond_any_scale_and_none_at_all_do_no_harm() -> None:
    assert feedback_of(add_opinion(b"", "mug", 1, "rating", 1e9)).ratings == 1
    assert add_opinion(b"", "mug", 1, "rating", None) == b""
