"""Refreshes are a budget: no event waits longer than promised, no list comes too often."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.refresh import Edge, RefreshPolicy, RefreshSettings, TokenBucket

ASKS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 400)), min_size=1, max_size=80)


class Engine:
    """Fires the timers that a policy asks for, as Flink would, and notes every list that is made."""

    def __init__(self, policy: RefreshPolicy) -> None:
        self.policy = policy
        self.timers: list[tuple[int, str]] = []
        self.lists: list[tuple[int, str, Edge]] = []

    def ask(self, user: str, now: int) -> Edge:
        self.run_to(now)
        edge, due = self.policy.ask(user, now, now)
        if edge is Edge.LEADING:
            self.lists.append((now, user, edge))
        elif edge is Edge.TRAILING:
            assert due > now
            if (due, user) not in self.timers:  # Flink keeps one timer per key and time
                heappush(self.timers, (due, user))
        else:
            assert (due, user) in self.timers, "a covered event has a timer to wait for"
        return edge

    def run_to(self, now: int) -> None:
        while self.timers and self.timers[0][0] <= now:
            due, user = heappop(self.timers)
            self.policy.fired(user, due)
            self.lists.append((due, user, Edge.TRAILING))


@given(ASKS, st.integers(1, 200), st.integers(0, 5))
def test_every_ask_is_covered_within_the_interval(
    asks: list[tuple[str, int]], interval: int, burst: int
) -> None:
    policy = RefreshPolicy(RefreshSettings(interval=interval, burst=burst))
    policy.budget.rate = 5.0
    engine = Engine(policy)
    now, asked = 1_000, []
    for user, pause in asks:
        now += pause
        engine.ask(user, now)
        asked.append((now, user))
    engine.run_to(now + 10_000)
    for at, user in asked:
        assert any(u == user and at <= made <= at + interval for made, u, _ in engine.lists), (at, user)


@given(ASKS, st.integers(1, 200))
def test_two_lists_of_a_user_lie_at_least_the_interval_apart(
    asks: list[tuple[str, int]], interval: int
) -> None:
    engine = Engine(RefreshPolicy(RefreshSettings(interval=interval)))
    now = 1_000
    for user, pause in asks:
        now += pause
        engine.ask(user, now)
    engine.run_to(now + 10_000)
    for name in "abcd":
        times = [made for made, user, _ in engine.lists if user == name]
        assert all(later - earlier >= interval for earlier, later in pairwise(times))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 50), st.integers(1, 10))
def test_leading_lists_stay_within_the_budget(pauses: list[int], rate: int, burst: int) -> None:
    policy = RefreshPolicy(RefreshSettings(burst=burst))
    policy.budget.rate = float(rate)
    now, leading = 1_000, []
    for number, pause in enumerate(pauses):
        now += pause
        edge, _ = policy.ask(f"user-{number}", now, now)  # all of them after a quiet spell
        if edge is Edge.LEADING:
            leading.append(now)
    for k, start in enumerate(leading):
        for j in range(k, len(leading)):
            assert j - k + 1 <= burst + (leading[j] - start) * rate / 1000 + 1e-6


def test_after_a_quiet_spell_a_list_is_made_at_once_and_a_burst_makes_one_more() -> None:
    engine = Engine(RefreshPolicy(RefreshSettings(interval=200)))
    edges = [engine.ask("ann", 1_000 + 4 * number) for number in range(50)]
    engine.run_to(5_000)
    assert edges == [Edge.LEADING, Edge.TRAILING] + [Edge.COVERED] * 48
    assert engine.lists == [(1_000, "ann", Edge.LEADING), (1_200, "ann", Edge.TRAILING)]


def test_a_list_is_dated_from_the_first_event_that_it_covers() -> None:
    policy = RefreshPolicy(RefreshSettings(interval=200))
    policy.ask("ann", 1_000, since=990)
    policy.ask("ann", 1_050, since=1_040)
    policy.ask("ann", 1_100, since=1_090)
    assert policy.fired("ann", 1_200) == 1_040


def test_a_timer_from_before_a_restart_still_makes_a_list() -> None:
    policy = RefreshPolicy(RefreshSettings())
    assert policy.fired("never-asked-here", 5_000) == 5_000


def test_a_timer_that_never_fires_does_not_hold_its_user_up() -> None:
    policy = RefreshPolicy(RefreshSettings(interval=200))
    policy.ask("ann", 1_000, 1_000)
    policy.ask("ann", 1_100, 1_100)  # due at 1,200, and lost
    assert policy.ask("ann", 1_300, 1_300)[0] is Edge.LEADING


@given(st.integers(1, 20), st.lists(st.text("abcdefghij", min_size=1, max_size=4), max_size=200))
def test_followed_users_are_bounded_and_the_longest_unheard_gives_way(
    followed: int, users: list[str]
) -> None:
    policy = RefreshPolicy(RefreshSettings(followed=followed, burst=10_000))
    for number, user in enumerate(users):
        policy.ask(user, 1_000 + number * 1_000, 0)
    assert list(policy._users) == list(dict.fromkeys(reversed(users)))[:followed][::-1]


@pytest.mark.parametrize(("delay", "interval"), [(50.0, 200), (400.0, 200), (900.0, 450), (1e6, 60_000)])
def test_the_interval_moves_to_as_many_times_its_least_as_lists_are_late(delay: float, interval: int) -> None:
    settings = RefreshSettings(interval=200, most_interval=60_000, target_delay=400)
    for before in (50.0, 1e9):  # from below, and from above
        policy = RefreshPolicy(settings)
        for _ in range(50):
            policy.adapt(rank_us=100.0, delay=before)
        for _ in range(50):
            policy.adapt(rank_us=100.0, delay=delay)
        assert policy.interval == pytest.approx(interval)


def test_the_interval_takes_seconds_to_move() -> None:
    policy = RefreshPolicy(RefreshSettings(interval=200, target_delay=250))
    policy.adapt(rank_us=100.0, delay=60_000.0)
    assert policy.interval == pytest.approx(250)


@pytest.mark.parametrize(("rank_us", "rate"), [(100.0, 6_000.0), (300.0, 2_000.0), (1e9, 10.0)])
def test_the_budget_follows_the_cost_of_a_list(rank_us: float, rate: float) -> None:
    policy = RefreshPolicy(RefreshSettings(share=0.6))
    policy.adapt(rank_us, delay=0.0)
    assert policy.budget.rate == pytest.approx(rate)
    policy.adapt(0.0, delay=0.0)  # nothing was ranked: nothing is known anew
    assert policy.budget.rate == pytest.approx(rate)


def test_a_clock_that_steps_back_gives_no_tokens() -> None:
    bucket = TokenBucket(rate=1.0, burst=1)
    assert bucket.take(10_000)
    assert not bucket.take(1_000)
    assert not bucket.take(1_500)
    assert bucket.take(2_100)
