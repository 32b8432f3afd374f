"""Our Page-Hinkley has river's detections, and its stored form keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import PageHinkley as RiversPageHinkley

from operators.change_detector import OtherDetector, UnreadableWindow
from operators.page_hinkley import PageHinkley, PageHinkleySettings

RELEASED = (
    "3128000000323333333333df3f40769a75c9fcec3fb8dc83469ae1f43f7b14ae47e17"
    "a74bfaf48c9a7a79afc3f01000000000000000000000027000000ffffffffffffdf3f"
)
"""The state after 40 values of 0, 1/2, 1, … with the default settings, as first released."""


@st.composite
def streams_with_jumps(draw: st.DrawFn) -> list[float]:
    """Stretches of noise around a level of their own."""
    rng = draw(st.randoms(use_true_random=True))
    return [
        level + noise * (rng.random() - 0.5)
        for level, noise, length in draw(
            st.lists(st.tuples(st.floats(-1, 2), st.floats(0.01, 0.5), st.integers(1, 200)), max_size=4)
        )
        for _ in range(length)
    ]


settings_of_any_kind = st.builds(
    PageHinkleySettings,
    min_instances=st.sampled_from([1, 16, 30]),
    delta=st.sampled_from([0.0, 0.005, 0.1]),
    threshold=st.sampled_from([0.5, 3.0, 50.0]),
    alpha=st.sampled_from([1.0, 0.9999, 0.9]),
    mode=st.sampled_from(["up", "down", "both"]),
)


@settings(max_examples=100, deadline=None)
@given(values=streams_with_jumps(), chosen=settings_of_any_kind, every=st.sampled_from([1, 8, 1000]))
def test_it_detects_where_river_does_stored_or_not(
    values: list[float], chosen: PageHinkleySettings, every: int
) -> None:
    river = RiversPageHinkley(chosen.min_instances, chosen.delta, chosen.threshold, chosen.alpha, chosen.mode)
    ours = PageHinkley(chosen)
    for k, value in enumerate(values):
        river.update(value)
        assert ours.update(value) == river.drift_detected, f"at value {k}"
        if river.drift_detected:  # river begins anew with the update after a detection
            ours = PageHinkley(chosen)
        if k % every == 0:
            ours = PageHinkley.from_bytes(ours.to_bytes(), chosen)


@pytest.mark.parametrize(("mode", "levels"), [("up", (0.2, 0.7)), ("down", (0.7, 0.2)), ("both", (0.7, 0.2))])
def test_it_tells_the_means_before_and_after_the_change(mode: Any, levels: tuple[float, float]) -> None:
    sums = PageHinkley(PageHinkleySettings(threshold=3.0, mode=mode))
    assert any(sums.update(level) for level in [levels[0]] * 100 + [levels[1]] * 50)
    assert sums.means == pytest.approx(levels, abs=0.02)


def test_the_stored_bytes_of_the_first_release_stay_readable() -> None:
    stored = PageHinkley(PageHinkleySettings())
    for k in range(40):
        stored.update(k % 3 / 2)
    assert PageHinkley.from_bytes(bytes.fromhex(RELEASED), PageHinkleySettings()).to_bytes().hex() == RELEASED
    assert stored.to_bytes().hex() == RELEASED


@pytest.mark.parametrize("length", [1, 20, 90])
def test_bytes_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(UnreadableWindow, match="bytes"):
        PageHinkley.from_bytes(bytes([0x31]) + bytes(length), PageHinkleySettings())


@pytest.mark.parametrize("stored", [b"", b"\x01", b"\x21" + bytes(32)])
def test_bytes_of_another_detector_are_told_apart(stored: bytes) -> None:
    with pytest.raises(OtherDetector):
        PageHinkley.from_bytes(stored, PageHinkleySettings())


@pytest.mark.parametrize(("name", "value"), [("threshold", 0.0), ("alpha", 1.1), ("mode", "sideways")])
def test_a_setting_out_of_its_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        PageHinkleySettings(**{name: value})
