"""Brings a job that has just started to where it keeps up: until then it compiles, and has a backlog of that time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from infra.errors import InfraError
from jobs.bench_events import Traffic
from jobs.bench_producer import send_apart, timed_events
from jobs.bench_stack import BenchStack
from schemas.records import Event
from schemas.stats import Histogram, merged

START_IN_S = 3.0
"""A producer of its own needs so long to start."""

RATE = 200.0
"""Events/s while the job warms up."""

_BURST_S = 10.0
_MOST_BURSTS = 30
_PROMPT_MS = 200.0


def kept_up(stack: BenchStack, traffic: Traffic, shown: Callable[[int], None]) -> Iterator[Event]:
    """Sends events of their own, and yields them, until the median list at once comes within 200 ms.

    Raises `InfraError` when that has not come after 5 minutes.
    """
    before = _leading(stack)
    for burst in range(_MOST_BURSTS):
        run = replace(
            traffic,
            events=int(RATE * _BURST_S),
            per_second=RATE,
            seed=traffic.seed - 1 - burst,
            start=int((time.time() + START_IN_S) * 1_000),
        )
        send_apart(stack.settings.kafka, run, lambda: shown(stack.events_read()))
        yield from timed_events(run)
        now = _leading(stack)
        lately, before = now.since(before), now
        if lately.total and lately.quantile(0.5) <= _PROMPT_MS:
            return
    raise InfraError(f"the job does not keep up with {RATE:.0f} events/s; its logs are in {stack.logs}")


def _leading(stack: BenchStack) -> Histogram:
    return merged(worker.leading for worker in stack.workers().values())
