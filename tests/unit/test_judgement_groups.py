"""Judgements sorted by the past of users and items, by segment and by time; and baskets."""

from __future__ import annotations

import numpy as np

from jobs.judgement_groups import by_item_past, by_segment, by_user_past, earlier_touches, over_time
from jobs.quality_figures import basket_hits, baskets_of
from operators.judgements import JudgementLog, Judgements
from operators.list_metrics import precision, recall
from operators.list_rules import LENGTH

DAY = 86_400_000


def log_of(*moments: tuple[int, int, int, bool, list[int]]) -> Judgements:
    """A log of (user, wanted, time, strict, list), each learned after it was judged."""
    log = JudgementLog(["only"])
    for user, wanted, time, strict, listed in moments:
        log.judged(user, wanted, time, strict, [listed])
        log.touched(user, wanted)
    return log.judgements(items=10)


def test_a_touch_counts_for_the_item_from_the_next_moment_on() -> None:
    judged = log_of(*[(user, item, user, True, []) for user, item in enumerate([3, 3, 4, 3])])
    assert earlier_touches(judged).tolist() == [0, 1, 0, 2]


def test_an_item_that_nobody_could_know_was_never_touched() -> None:
    log = JudgementLog(["only"])
    log.touched(0, 0)
    log.judged(0, -1, 5, True, [[0]])
    judged = log.judgements(items=1)
    assert earlier_touches(judged).tolist() == [0]
    assert not judged.hits(0).any()


def test_users_and_items_fall_into_one_group_each() -> None:
    judged = log_of(*[(0, 7, n, True, []) for n in range(130)])
    users, items = by_user_past(judged).masks, by_item_past(judged).masks
    # The first has no earlier event at all; the stream protocol never judges such a one.
    assert {name: int(mask.sum()) for name, mask in users.items()} == {
        "1 earlier event": 1, "2–4 earlier events": 3, "5–19 earlier events": 15, "20+ earlier events": 110,
    }  # fmt: skip
    assert {name: int(mask.sum()) for name, mask in items.items()} == {
        "0 earlier touches": 1, "1–4 earlier touches": 4, "5–19 earlier touches": 15,
        "20–99 earlier touches": 80, "100+ earlier touches": 30,
    }  # fmt: skip


def test_what_is_followed_and_not_learned_makes_a_user_warm_and_no_item() -> None:
    log = JudgementLog(["only"])
    log.followed(3)
    log.judged(3, 1, 9, True, [[]])
    judged = log.judgements(items=2)
    assert (judged.earlier.tolist(), judged.before.tolist()) == ([1], [0])


def test_parts_over_time_hold_all_judgements_once_and_as_many_each() -> None:
    judged = log_of(*[(n, 1, n * DAY, True, []) for n in range(95)])
    masks = over_time(judged).masks
    assert {int(mask.sum()) for mask in masks.values()} == {9, 10}
    assert (np.sum(list(masks.values()), axis=0) == 1).all()
    assert next(iter(masks)) == "1970-01-01"


def test_parts_that_begin_in_one_minute_stay_apart() -> None:
    judged = log_of(*[(n, 1, n, True, []) for n in range(20)])
    assert len(over_time(judged).masks) == 10


def test_a_user_may_be_in_several_segments_or_none() -> None:
    held = [frozenset({"new"}), frozenset({"new", "vip"}), frozenset()]
    masks = by_segment(held, ["new", "vip", "gone"]).masks
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "new": [True, True, False], "vip": [False, True, False], "gone": [False] * 3,
        "in no segment": [False, False, True],
    }  # fmt: skip


def test_a_basket_is_all_that_a_user_took_at_one_time_by_the_list_before_it() -> None:
    judged = log_of(
        (0, 1, 5, True, [2, 9, 1]),  # a basket of 1, 2 and 3
        (0, 2, 5, False, [3]),
        (1, 3, 5, True, [2, 3]),  # another user's, of 3 alone
        (0, 3, 5, False, [1]),
        (0, 4, 6, True, []),  # the first user's next
        (1, 8, 7, False, [8]),  # begins with an item that the user had: no list was made before it
    )
    baskets = baskets_of(judged)
    hits = basket_hits(judged, baskets, 0)
    assert baskets.relevant.tolist() == [3, 1, 1]
    assert hits[:, :3].tolist() == [[True, False, True], [False, True, False], [False, False, False]]
    assert precision(hits, baskets.relevant, 5).tolist() == [2 / 5, 1 / 5, 0.0]
    assert recall(hits, baskets.relevant, 5).tolist() == [2 / 3, 1.0, 0.0]
    assert hits.shape == (3, LENGTH)
