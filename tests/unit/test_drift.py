"""Drift is noticed within a short history, once, and not when nothing changed or the model only learned."""

from __future__ import annotations

import logging
import random
from dataclasses import replace

import pytest

from operators.affinity import AffinityModel, AffinitySettings
from operators.drift import Detection, DetectorKind, DriftDetector, DriftSettings
from schemas.state import Affinity

TASTE = ["Garden/Lights", "Garden/Chairs", "Music/Vinyl"]
OTHER_TASTE = ["Toys/Robots", "Books/Poetry", "Kitchen/Knives"]


def fed(detector: DriftDetector, errors: list[float]) -> list[tuple[int, Detection]]:
    """Detections, each with the number of errors that had been fed."""
    stored, found = None, []
    for k in range(0, len(errors), 8):
        stored, detection = detector.feed(stored, errors[k : k + 8])
        if detection:
            found.append((k + 8, detection))
    return found


def lived(
    categories: list[str], recalibrate: bool = True, seed: int = 0
) -> tuple[list[int], list[float], Affinity]:
    """A user who engages with these categories in turn: where drift was detected, errors, and the record."""
    model, detector = AffinityModel(AffinitySettings()), DriftDetector(DriftSettings())
    user, window = Affinity(), None
    drifts, errors = [], []
    for k, category in enumerate(categories):
        error = model.learn(user, category, None, "click", None, f"{seed}-{k}")
        assert error is not None
        errors.append(error)
        if detector.due(user):
            window, detection = detector.feed(window, user.errors)
            user.errors.clear()
            if detection:
                drifts.append(k)
                if recalibrate:
                    model.recalibrate(user, at=k)
    return drifts, errors, user


def switching(seed: int, before: int = 100, after: int = 100) -> list[str]:
    rng = random.Random(seed)
    return rng.choices(TASTE, (5, 3, 2), k=before) + rng.choices(OTHER_TASTE, (5, 3, 2), k=after)


def test_a_jump_of_the_error_is_detected_with_the_means_before_and_after() -> None:
    rng = random.Random(3)
    errors = [rng.gauss(0.2, 0.1) for _ in range(100)] + [rng.gauss(0.7, 0.1) for _ in range(40)]
    [(at, detection)] = fed(DriftDetector(DriftSettings()), errors)
    assert 100 < at <= 116
    assert detection.error_before == pytest.approx(0.2, abs=0.1)
    assert detection.error_after == pytest.approx(0.7, abs=0.1)


def test_an_error_that_falls_is_no_drift() -> None:
    rng = random.Random(4)
    errors = [rng.gauss(0.8, 0.1) for _ in range(100)] + [rng.gauss(0.2, 0.1) for _ in range(100)]
    assert fed(DriftDetector(DriftSettings()), errors) == []


def test_a_user_whose_taste_changes_is_noticed_within_32_events() -> None:
    drifts = [lived(switching(seed))[0] for seed in range(20)]
    noticed = [found for found in drifts if any(100 <= k < 132 for k in found)]
    assert len(noticed) >= 16


def test_a_user_whose_taste_stays_is_left_alone() -> None:
    assert [lived(switching(seed, before=300, after=0))[0] for seed in range(20)] == [[]] * 20


def test_recalibrating_after_a_drift_lowers_the_error_that_follows() -> None:
    def error_after_the_change(recalibrate: bool) -> float:
        runs = [lived(switching(seed), recalibrate, seed)[1] for seed in range(20)]
        return sum(sum(errors[116:164]) for errors in runs) / (20 * 48)

    assert error_after_the_change(True) < 0.8 * error_after_the_change(False)


def test_a_drift_is_written_in_the_record() -> None:
    drifts, _, user = lived(switching(1))
    assert (user.drifts, user.drifted_at) == (len(drifts), drifts[-1])


def test_the_window_begins_anew_after_a_drift() -> None:
    detector = DriftDetector(DriftSettings())
    stored, detection = detector.feed(None, [0.1] * 64 + [0.9] * 8)
    assert detection is not None
    assert stored is None


def test_a_window_that_cannot_be_read_begins_anew_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    detector = DriftDetector(DriftSettings())
    with caplog.at_level(logging.WARNING):
        stored, detection = detector.feed(b"\x01 cut", [0.2] * 8)
    assert (stored, detection) == detector.feed(None, [0.2] * 8)
    assert detector.rebuilt == 1
    assert "cut short" in caplog.text


@pytest.mark.parametrize("was", ["adwin", "ddm", "page_hinkley"])
@pytest.mark.parametrize("now", ["adwin", "ddm", "page_hinkley"])
def test_another_detector_in_the_settings_begins_anew_without_a_warning_per_user(
    was: DetectorKind, now: DetectorKind, caplog: pytest.LogCaptureFixture
) -> None:
    stored, _ = DriftDetector(DriftSettings(detector=was)).feed(None, [0.2] * 8)
    detector = DriftDetector(DriftSettings(detector=now))
    with caplog.at_level(logging.WARNING):
        again, _ = detector.feed(stored, [0.2] * 8)
    assert (again == detector.feed(None, [0.2] * 8)[0]) == (was != now)
    assert detector.rebuilt == (was != now)
    assert not caplog.text


@pytest.mark.parametrize("kind", ["adwin", "ddm", "page_hinkley"])
def test_every_detector_notices_a_jump_of_the_error_and_nothing_else(kind: DetectorKind) -> None:
    detector = DriftDetector(DriftSettings(detector=kind))
    assert detector.classes()[0].startswith("river.drift.")
    rng = random.Random(6)
    steady = [min(1.0, max(0.0, rng.gauss(0.3, 0.1))) for _ in range(200)]
    assert fed(detector, steady) == []
    [(at, detection)] = fed(detector, [*steady, *([0.9] * 40)])
    assert 200 < at <= 232
    assert detection.error_after - detection.error_before > 0.3


def test_a_stored_window_stays_within_400_bytes_up_to_a_thousand_errors() -> None:
    rng = random.Random(5)
    detector, stored, sizes = DriftDetector(DriftSettings()), None, []
    for _ in range(125):
        stored, _ = detector.feed(stored, [rng.uniform(0.1, 0.3) for _ in range(8)])
        assert stored is not None
        sizes.append(len(stored))
    assert max(sizes) <= 400


@pytest.mark.parametrize(
    ("name", "value"), [("delta", 1.0), ("clock", 300), ("feed_every", 0), ("detector", "none")]
)
def test_a_setting_out_of_its_range_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        replace(DriftSettings(), **{name: value})  # type: ignore[arg-type]
