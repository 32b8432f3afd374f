"""Bundles of Beam's worker without the thread that times each."""

from __future__ import annotations

import threading

import pytest

from udfs.bundle_clock import stop_bundle_clock


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_bundle_starts_no_thread_and_counts_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from apache_beam.runners.worker import statesampler
    from apache_beam.utils.counters import CounterFactory

    # Both are set again when the test ends.
    monkeypatch.setattr(statesampler.StateSampler, "start", statesampler.StateSampler.start)
    monkeypatch.setattr(statesampler.StateSampler, "stop", statesampler.StateSampler.stop)
    sampler = statesampler.StateSampler("stage", CounterFactory())
    before = threading.active_count()
    sampler.start()
    assert threading.active_count() == before + 1, "Beam times bundles in another way than it did"
    sampler.stop_if_still_running()

    stop_bundle_clock()
    for _ in range(3):
        sampler.reset()
        sampler.start()
        assert threading.active_count() == before
        assert statesampler.get_current_tracker() is sampler
        sampler.stop_if_still_running()
        assert statesampler.get_current_tracker() is None
