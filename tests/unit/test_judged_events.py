"""What settings are compared by: the events that judge, their figures, and how sure a gain is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.judged_events import JudgedEvents
from operators.list_figures import FIGURES, figures, gains, objective
from operators.prequential_score import score_of


def events(strict: list[bool], user: list[int] | None = None) -> JudgedEvents:
    at = np.arange(len(strict))
    return JudgedEvents(
        at, at if user is None else np.array(user), at, np.array(strict, np.bool_), np.ones(len(at))
    )


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 60), st.integers(0, 5))
def test_a_sample_keeps_to_its_size_and_stands_for_all(strict: list[bool], most: int, seed: int) -> None:
    whole = events(strict)
    drawn = whole.sample(most, seed)
    assert len(drawn) == min(most, len(whole))
    assert drawn.at.tolist() == sorted(set(drawn.at.tolist()))
    for kind in (True, False):
        of_kind = drawn.weight[drawn.strict == kind]
        if len(of_kind):
            assert of_kind.sum() == pytest.approx(strict.count(kind))


def test_a_rare_kind_is_drawn_whole_and_the_rest_filled_up() -> None:
    drawn = events([True] * 5 + [False] * 95).sample(40, seed=1)
    assert drawn.strict.sum() == 5
    assert len(drawn) == 40


def test_a_sample_depends_on_the_seed_alone() -> None:
    whole = events([True, False] * 50)
    assert whole.sample(20, 1).at.tolist() == whole.sample(20, 1).at.tolist()
    assert whole.sample(20, 1).at.tolist() != whole.sample(20, 2).at.tolist()


def test_what_is_not_in_a_sample_is_the_rest_of_it() -> None:
    whole = events([True, False] * 10)
    drawn = whole.sample(8, 3)
    assert sorted(drawn.at.tolist() + whole.without(drawn).at.tolist()) == list(range(20))


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=50))
def test_figures_of_all_events_are_those_of_evaluate(judged: list[tuple[int, bool]]) -> None:
    ranks = np.array([rank for rank, _ in judged], np.uint8)
    strict = np.array([kind for _, kind in judged], np.bool_)
    score = score_of("headrace", ranks, strict, 1.0)
    for name, figure in zip(FIGURES, figures(ranks, events(strict.tolist())).tolist(), strict=True):
        said = getattr(score, name)
        assert np.isnan(figure) if said is None else figure == pytest.approx(said)


def test_the_objective_weighs_every_figure_alike_and_leaves_out_what_says_nothing() -> None:
    default = np.array([0.4, 0.2, 0.1, 0.05])
    assert objective(default, default) == pytest.approx(1.0)
    assert objective(default * [1.2, 1.0, 1.0, 1.0], default) == pytest.approx(1.05)
    assert objective(
        np.array([0.4, 0.2, np.nan, np.nan]), np.array([0.2, 0.2, np.nan, np.nan])
    ) == pytest.approx(1.5)
    assert objective(np.zeros(4), np.zeros(4)) == 1.0


def test_the_same_lists_gain_nothing() -> None:
    ranks = np.array([1, 0, 3, 20, 0, 7], np.uint8)
    gain, each = gains(ranks, ranks, events([True, False] * 3), seed=1)
    assert (gain.by, gain.low, gain.high) == (0.0, 0.0, 0.0)
    assert [figure.name for figure in each] == list(FIGURES)
    assert all(figure.default == figure.tuned for figure in each)


def test_a_clear_gain_is_told_from_chance_and_a_few_lucky_events_are_not() -> None:
    random = np.random.default_rng(5)
    default = np.where(random.random(2_000) < 0.3, 2, 0).astype(np.uint8)
    better = np.where((default == 0) & (random.random(2_000) < 0.1), 2, default).astype(np.uint8)
    lucky = default.copy()
    lucky[np.flatnonzero(default == 0)[:2]] = 2
    whole = events([True] * 2_000)
    assert gains(default, better, whole, 1)[0].low > 0.0
    gain, _ = gains(default, lucky, whole, 1)
    assert gain.by > 0.0
    assert gain.low <= 0.0


def test_the_interval_is_as_wide_as_the_events_of_that_many_users_allow() -> None:
    """One event a user: the deviation of a ratio of sums is known. One user for ten events: as of a tenth as many."""
    random = np.random.default_rng(2)
    users = 400
    default = np.where(random.random(users) < 0.5, 1, 0).astype(np.uint8)
    tuned = np.where(random.random(users) < 0.5, 1, 0).astype(np.uint8)
    ratio = tuned.sum() / default.sum()
    deviation = np.std(tuned - ratio * default.astype(float)) * np.sqrt(users) / default.sum()
    [hit_rate, *_] = gains(default, tuned, events([True] * users), 1)[1]
    assert hit_rate.gain is not None
    assert hit_rate.gain.high - hit_rate.gain.low == pytest.approx(2 * 1.96 * deviation, rel=0.08)

    ten = events([True] * users * 10, np.repeat(np.arange(users), 10).tolist())
    [alike, *_] = gains(np.repeat(default, 10), np.repeat(tuned, 10), ten, 1)[1]
    assert alike.gain == hit_rate.gain


def test_without_an_event_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no event"):
        gains(np.zeros(0, np.uint8), np.zeros(0, np.uint8), events([]), 1)
