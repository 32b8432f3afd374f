"""Affinities that can be taken at their word."""

from __future__ import annotations

import doctest
import math
import random
from types import ModuleType

import numpy as np
import pytest
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from jobs.evaluate_calibration import evaluate_calibration, tell_calibration
from jobs.settings import Settings
from jobs.training_events import NothingToLearnError, TrainingEvents
from operators import calibration, reliability
from operators.calibration import Calibration, CalibrationSettings, fit
from operators.reliability import reliability_of
from schemas.records import Event, Item


@pytest.mark.parametrize("module", [calibration, reliability])
def test_the_examples_in_the_documentation_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def drawn(
    intercept: float, model: float, share: float, n: int = 4_000
) -> tuple[list[float], list[float], list[int]]:
    rng = random.Random(1)
    odds = [rng.gauss(1, 2) for _ in range(n)]
    shares = [rng.random() for _ in range(n)]
    raw = [intercept + model * a + share * math.log(max(b, 1e-4)) for a, b in zip(odds, shares, strict=True)]
    return odds, shares, [int(rng.random() < 1 / (1 + math.exp(-each))) for each in raw]


def test_the_fit_is_the_logistic_regression_of_scikit_learn() -> None:
    odds, shares, labels = drawn(-1.5, 0.6, 0.8)
    ours = fit(odds, shares, labels)
    theirs = LogisticRegression(C=1e3, tol=1e-10).fit(
        np.array([odds, np.log(np.maximum(shares, 1e-4))]).T, labels
    )
    assert (ours.intercept, ours.model, ours.share) == pytest.approx(
        (theirs.intercept_[0], *theirs.coef_[0]), abs=2e-3
    )
    assert (ours.intercept, ours.model, ours.share) == pytest.approx((-1.5, 0.6, 0.8), abs=0.25)


def test_a_slope_never_turns_the_order_around() -> None:
    odds, shares, labels = drawn(0.0, -1.0, 1.0)
    assert fit(odds, shares, labels).model == 0.0


def test_more_affinity_and_more_share_never_make_less_probable() -> None:
    curve = Calibration(CalibrationSettings(-1.0, 0.5, 0.7))
    assert curve.probability(2.0, 0.5) > curve.probability(1.0, 0.5) > curve.probability(1.0, 0.1)
    assert 0.0 <= curve.probability(-1e6, 0.0) <= curve.probability(1e6, 1.0) <= 1.0


def test_one_outcome_alone_gives_no_curve() -> None:
    with pytest.raises(ValueError, match="all the same"):
        fit([1.0, 2.0], [0.5, 0.5], [1, 1])


@pytest.mark.parametrize(("name", "value"), [("model", -1.0), ("share", math.nan), ("intercept", math.inf)])
def test_a_curve_that_is_none_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        CalibrationSettings(**{name: value})


def test_brier_score_and_log_loss_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    said = rng.random(500)
    true = (rng.random(500) < said).astype(np.int64)
    found = reliability_of("x", said, true)
    assert found.brier == pytest.approx(brier_score_loss(true, said))
    assert found.log_loss == pytest.approx(log_loss(true, said))
    assert sum(each.count for each in found.curve) == 500
    assert found.error < 0.1 < reliability_of("x", 1 - said, true).error


def shop(users: int, events: int) -> TrainingEvents:
    rng = random.Random(3)
    items = [Item(item_id=f"i{k}", category=f"C{k % 12}", price=5.0 + k) for k in range(60)]
    made = []
    for k in range(users * events):
        user = rng.randrange(users)
        category = (user * 5 + rng.choices((0, 1, 2), (6, 3, 1))[0]) % 12
        if rng.random() < 0.2:
            category = rng.randrange(12)
        item = f"i{category + 12 * rng.randrange(5)}"
        made.append(Event(event_id=f"e{k}", user_id=f"u{user}", type="view", time=k * 60_000, item_id=item))
    return TrainingEvents(made, items, 0)


def test_calibrated_affinities_say_what_comes_true() -> None:
    report = evaluate_calibration(shop(40, 60), Settings())
    found = {each.name: each for each in report.figures}
    assert found["calibrated"].error < 0.05 < found["model"].error
    assert found["calibrated"].brier < found["model"].brier
    assert found["calibrated"].brier <= found["calibrated, model alone"].brier
    out = Console(record=True, width=120)
    tell_calibration(report, out)
    text = out.export_text()
    assert "Brier score" in text
    assert f"model = {report.fitted.model}" in text


def test_too_few_events_are_refused_with_the_way_out() -> None:
    with pytest.raises(NothingToLearnError, match="take a file with more events"):
        evaluate_calibration(shop(2, 3), Settings())
