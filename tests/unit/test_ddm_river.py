"""Our DDM has river's detections, and its stored form keeps them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift.binary import DDM

from operators.change_detector import OtherDetector, UnreadableWindow
from operators.ddm import Ddm, DdmSettings


@st.composite
def error_streams(draw: st.DrawFn) -> list[bool]:
    """Stretches of errors, each of a rate of its own."""
    rng = draw(st.randoms(use_true_random=True))
    return [
        rng.random() < rate
        for rate, length in draw(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 200)), max_size=4))
        for _ in range(length)
    ]


@settings(max_examples=100, deadline=None)
@given(
    errors=error_streams(),
    chosen=st.builds(
        DdmSettings, warm_start=st.sampled_from([5, 30]), drift_threshold=st.sampled_from([1.0, 2.5, 3.0])
    ),
    every=st.sampled_from([1, 8, 1000]),
)
def test_it_detects_where_river_does_stored_or_not(
    errors: list[bool], chosen: DdmSettings, every: int
) -> None:
    river = DDM(warm_start=chosen.warm_start, drift_threshold=chosen.drift_threshold)
    ours = Ddm(chosen)
    for k, wrong in enumerate(errors):
        river.update(wrong)
        assert ours.update(float(wrong)) == river.drift_detected, f"at error {k}"
        if river.drift_detected:  # river begins anew with the update after a detection
            ours = Ddm(chosen)
        if k % every == 0:
            ours = Ddm.from_bytes(ours.to_bytes(), chosen)


def test_it_tells_the_rates_before_and_after_the_change() -> None:
    rate = Ddm(DdmSettings())
    errors = [float(k % 5 == 0) for k in range(100)] + [1.0] * 50
    assert any(rate.update(error) for error in errors)
    before, after = rate.means
    assert before == pytest.approx(0.2, abs=0.05)
    assert after > 0.8


def test_a_graded_error_counts_as_wrong_from_the_setting_on() -> None:
    chosen = DdmSettings(wrong_from=0.6)
    graded, binary = Ddm(chosen), Ddm(chosen)
    for k in range(80):
        assert graded.update(0.6 if k % 3 else 0.59) == binary.update(1.0 if k % 3 else 0.0)
    assert graded.to_bytes() == binary.to_bytes()


def test_the_stored_bytes_of_the_first_release_stay_readable() -> None:
    stored = bytes.fromhex("2128000000cdcccccccccce03f25000000eb0653e4b36ee03f824016e30e09b53f")
    rate = Ddm.from_bytes(stored, DdmSettings())
    assert rate.width == 40
    assert rate.to_bytes() == stored


@pytest.mark.parametrize("length", [1, 20, 40])
def test_bytes_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(UnreadableWindow, match="bytes"):
        Ddm.from_bytes(bytes([0x21]) + bytes(length), DdmSettings())


@pytest.mark.parametrize("stored", [b"", b"\x01", b"\x31" + bytes(40)])
def test_bytes_of_another_detector_are_told_apart(stored: bytes) -> None:
    with pytest.raises(OtherDetector):
        Ddm.from_bytes(stored, DdmSettings())


@pytest.mark.parametrize("name", ["drift_threshold", "wrong_from"])
def test_a_setting_out_of_its_range_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        DdmSettings(**{name: 0.0})  # type: ignore[arg-type]
