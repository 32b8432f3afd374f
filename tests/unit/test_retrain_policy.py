"""Drift asks for a retraining by a control message, once, and not again before the cool-down is over."""

from __future__ import annotations

import json

import pytest

from operators.retrain_policy import KIND, RetrainPolicy, RetrainSettings, request_of
from schemas.codec import CONTROLS
from schemas.records import POOL, STREAM, USER, Control, DriftAlert


def alert(at: int, scope: str = STREAM, signal: str = "prediction_error") -> DriftAlert:
    return DriftAlert(
        uid="", detector="ADWIN", at=at, labelled=9, error_before=0.2, error_after=0.5, scope=scope,
        signal=signal, reason="it rose",
    )  # fmt: skip


def test_the_request_travels_as_a_control_message_and_says_why() -> None:
    asked = RetrainPolicy(RetrainSettings()).take(alert(1_000))
    assert asked is not None
    told = CONTROLS.decode(CONTROLS.encode(asked))
    assert (told.kind, told.name, told.version) == (KIND, "ranker", 1_000)
    assert (request_of(told).signal, request_of(told).reason) == ("prediction_error", "it rose")


def test_no_second_request_before_the_cool_down_is_over_even_after_a_restart() -> None:
    policy = RetrainPolicy(RetrainSettings(cool_down=100))
    assert policy.take(alert(1_000)) is not None
    assert policy.take(alert(1_099)) is None
    again = RetrainPolicy(RetrainSettings(cool_down=100), asked_at=policy.asked_at)
    assert again.take(alert(1_099)) is None
    assert again.take(alert(1_100)) is not None


@pytest.mark.parametrize(
    ("scope", "signal", "asks"),
    [
        (STREAM, "prediction_error", True),
        (POOL, "prediction_error", True),
        (USER, "prediction_error", False),
        (STREAM, "missing/country", False),
    ],
)
def test_only_alerts_that_a_new_model_would_answer_ask_for_one(scope: str, signal: str, asks: bool) -> None:
    assert (RetrainPolicy(RetrainSettings()).take(alert(5, scope, signal)) is not None) == asks


def test_a_request_of_a_job_of_before_that_has_no_id_gets_the_one_it_would_have_today() -> None:
    asked = RetrainPolicy(RetrainSettings()).take(alert(7))
    assert asked is not None
    old = json.loads(asked.body) | {"v": 1}
    del old["id"], old["pool"]
    before = Control(kind=KIND, name="ranker", version=7, body=json.dumps(old))
    assert request_of(before).id == request_of(asked).id
    assert (
        request_of(before).id != request_of(Control(kind=KIND, name="other", version=7, body=before.body)).id
    )


def test_a_body_that_is_no_request_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="retrain ranker"):
        request_of(Control(kind=KIND, name="ranker", version=1, body="[]"))
