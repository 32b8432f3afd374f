"""Item statistics: the sums are those of exponential decay, computed the slow way from all events."""

from collections import defaultdict
from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.plain_stream import PlainStream
from operators.forward_decay import HALF_LIVES_PER_EPOCH, ForwardDecay
from operators.item_step import ItemStep
from operators.shelf_records import CoVisits, Popularity, SessionSteps
from operators.statistics import DAY, ItemStatistics, StatisticsSettings
from schemas.records import Event

START = 1_600_000_000_000
items = st.sampled_from(["a", "b", "c", "d"])
steps = st.lists(
    st.builds(
        lambda item, prev, weight, after: (
            item,
            tuple(p for p in dict.fromkeys(prev) if p != item),
            weight,
            after,
        ),
        items,
        st.lists(items, max_size=3),
        st.sampled_from([1.0, 3.0, 5.0]),
        st.integers(0, int(40 * DAY)),
    ),
    min_size=1,
    max_size=30,
)


def as_steps(rows: list[tuple[str, tuple[str, ...], float, int]]) -> list[ItemStep]:
    return [
        ItemStep(item=i, prev=p, scopes=("all", "country:GB"), weight=w, session=k, time=START + after)
        for k, (i, p, w, after) in enumerate(rows)
    ]


@given(steps)
@settings(max_examples=60)
def test_scores_are_logarithms_of_exponentially_decayed_sums(
    rows: list[tuple[str, tuple[str, ...], float, int]],
) -> None:
    statistics = ItemStatistics()
    pairs: dict[tuple[str, str], float] = defaultdict(float)
    popular: dict[str, float] = defaultdict(float)
    now = START + int(60 * DAY)
    for step in as_steps(rows):
        statistics.update(step)
        aged = step.weight * 2.0 ** (-(now - step.time) / (30 * DAY))
        for k, previous in enumerate(step.prev):
            pairs[previous, step.item] += aged * 0.8**k
            pairs[step.item, previous] += aged * 0.8**k * 0.5
        popular[step.item] += step.weight * 2.0 ** (-(now - step.time) / (3 * DAY))
    covisit, popularity = ForwardDecay(30 * DAY), ForwardDecay(3 * DAY)
    for item in "abcd":
        found = {b: covisit.value(s, now) for b, s in statistics.neighbours(item)}
        assert found == pytest.approx({b: w for (a, b), w in pairs.items() if a == item}, rel=1e-9)
    for scope in ("all", "country:GB"):
        found = {item: popularity.value(s, now) for item, s in statistics.popular(scope)}
        assert found == pytest.approx(dict(popular), rel=1e-9)


@given(
    st.lists(
        st.tuples(st.sampled_from([1.0, 3.0]), st.lists(st.integers(0, int(DAY)), max_size=3)), min_size=1
    ),
    st.sampled_from([0.0, 5.0, 30.0]),
)
@settings(max_examples=60)
def test_a_pair_counts_half_where_the_pause_lies_between_and_less_beyond(
    rows: list[tuple[float, list[int]]], pause: float
) -> None:
    statistics = ItemStatistics(StatisticsSettings(pair_pause=pause))
    pairs: dict[tuple[str, str], float] = defaultdict(float)
    for k, (weight, apart) in enumerate(rows):
        prev = ("b", "c", "d")[: len(apart)]
        statistics.update(
            ItemStep(item="a", prev=prev, apart=tuple(apart), scopes=(), weight=weight, session=k, time=START)
        )
        for place, (previous, ms) in enumerate(zip(prev, apart, strict=True)):
            near = 1.0 / (1.0 + ms / 1_000 / pause) if pause else 1.0
            pairs[previous, "a"] += weight * 0.8**place * near
            pairs["a", previous] += weight * 0.8**place * near * 0.5
    covisit = ForwardDecay(30 * DAY)
    found = {(a, b): covisit.value(s, START) for a in "abcd" for b, s in statistics.neighbours(a)}
    assert found == pytest.approx(dict(pairs), rel=1e-9)


def test_what_users_touch_in_a_row_goes_together_more_than_what_they_come_back_to_later() -> None:
    stream = PlainStream()
    for n, (item, time) in enumerate((("mug", 0), ("plate", 5_000), ("bowl", 605_000))):
        view = Event(event_id=str(n), user_id="ann", type="view", time=START + time, item_id=item)
        step = stream.learn(view).step
    assert step is not None
    assert (step.prev, step.apart) == (("plate", "mug"), (600_000, 605_000))
    stream.catch_up()
    held = stream.shelf.neighbours.of(stream.shelf.number("plate"))
    scores = {stream.shelf.item_id(item): score for item, score in held}
    # plate comes 5 s after mug, and bowl 600 s after plate; the reverse of a pair counts half.
    assert exp(scores["mug"] - scores["bowl"]) == pytest.approx(0.5 * (30 / 35) / (30 / 630), rel=1e-3)


@pytest.mark.parametrize("pause", [-1.0, float("inf"), float("nan")])
def test_a_pause_that_is_no_time_is_refused(pause: float) -> None:
    with pytest.raises(ValueError, match="pair_pause of"):
        StatisticsSettings(pair_pause=pause)


def test_a_new_epoch_begins_a_new_sum_and_the_greater_one_counts() -> None:
    settings = StatisticsSettings(popularity_half_life=1.0)
    border = int(HALF_LIVES_PER_EPOCH * DAY) * 70
    statistics = ItemStatistics(settings)
    for time, weight in ((border - 1_000, 8.0), (border + 1_000, 1.0)):
        statistics.update(ItemStep(item="a", prev=(), scopes=("all",), weight=weight, session=1, time=time))
    decay = ForwardDecay(DAY)
    [(_, before)] = statistics.popular("all")
    assert decay.value(before, border) == pytest.approx(8.0, rel=1e-3)
    for _ in range(20):
        step = ItemStep(item="a", prev=(), scopes=("all",), weight=1.0, session=1, time=border + 1_000)
        statistics.update(step)
    [(_, after)] = statistics.popular("all")
    assert decay.value(after, border) == pytest.approx(21.0, rel=1e-3)


def test_scores_of_different_times_compare_across_an_epoch() -> None:
    decay = ForwardDecay(1_000.0)
    border = int(decay.span) * 5
    old = decay.score(decay.growth(border - 1), decay.epoch(border - 1))
    new = decay.score(decay.growth(border + 1), decay.epoch(border + 1))
    assert new - old == pytest.approx(2 * log(2) / 1_000, rel=1e-6)


def test_a_weight_at_the_end_of_an_epoch_stays_finite() -> None:
    decay = ForwardDecay(1_000.0)
    assert decay.growth(int(decay.span) - 1) < 2.0**257


def test_a_half_life_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="half-life of 0"):
        ForwardDecay(0)


def test_records_name_each_changed_sum_once_with_its_newest_score() -> None:
    statistics = ItemStatistics()
    for time in (START, START + 5):
        statistics.update(ItemStep(item="b", prev=("a",), scopes=("all",), weight=1.0, session=9, time=time))
    covisits, popularity, sessions = statistics.records()
    assert isinstance(covisits, CoVisits)
    assert sorted(zip(covisits.a, covisits.b, strict=True)) == [("a", "b"), ("b", "a")]
    assert isinstance(popularity, Popularity)
    assert dict(zip(popularity.items, popularity.s, strict=True)) == dict(statistics.popular("all"))
    assert isinstance(sessions, SessionSteps)
    assert (sessions.sessions, sessions.items, sessions.times) == ([9, 9], ["b", "b"], [START, START + 5])
    assert list(statistics.records()) == []


def test_rows_and_members_stay_within_their_bounds_and_the_strongest_stay() -> None:
    statistics = ItemStatistics(StatisticsSettings(items=8, members=16, scopes=4, scope_members=16))
    for k in range(2_000):
        step = ItemStep(
            item=f"new-{k}", prev=("hub",), scopes=(f"scope-{k}",), weight=1.0, session=k, time=START + k
        )
        statistics.update(step)
        statistics.update(
            ItemStep(item="friend", prev=("hub",), scopes=("all",), weight=1.0, session=k, time=START + k)
        )
    assert len(statistics) <= (8 + 4) * 17
    assert statistics.neighbours("hub")[0][0] == "friend"
