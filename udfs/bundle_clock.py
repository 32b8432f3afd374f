"""Beam's worker without its clock: nobody reads what it would say."""

from __future__ import annotations

import threading
from typing import Any


def stop_bundle_clock() -> None:
    """Have no bundle of this process timed from now on. For a process that Beam's worker runs in.

    Beam starts a thread for every bundle, which looks 2 ms later for the first time, then less and less often, at
    the step that is being worked at; and no bundle is over before that thread has awoken once more. Flink asks for
    the user's own counters alone, and a bundle of the rank stage takes some 20 ms.
    """
    from apache_beam.runners.worker.statesampler import StateSampler  # where it runs, it is there already

    StateSampler.start = _start
    StateSampler.stop = _stop


def _start(sampler: Any) -> None:
    from apache_beam.runners.worker.statesampler import set_current_tracker

    sampler.tracked_thread = threading.current_thread()
    set_current_tracker(sampler)  # counters find their place by it
    sampler.started = True


def _stop(sampler: Any) -> None:
    from apache_beam.runners.worker.statesampler import set_current_tracker

    set_current_tracker(None)
    sampler.finished = True
