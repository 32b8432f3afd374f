"""Throughput of the whole job, from Kafka to Redis: a preloaded topic is drained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from infra.errors import InfraError
from jobs.bench_events import Traffic, events_of, items_of
from jobs.bench_preload import preload_events, preload_items
from jobs.bench_stack import BenchStack
from jobs.settings import Settings
from schemas.stats import Histogram, merged
from schemas.worker_reading import WorkerReading

WARM = 0.15
"""Share of the events that is read before the steady state begins: start-up, compiling and filling caches."""

LEAST_USERS = 100_000
LEAST_LIST_CHANGING = 0.5
MOST_LIST_AGE_MS = 1_000.0

_LOOK_EVERY_S = 0.5
_STALLED_S = 120.0


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """One drained topic. Rates are per second in steady state, `list_age_*` ms, `*_us` µs a list.

    The age of a list runs from the processing of the earliest event that it covers for the first time to the
    acknowledged write. `task_us` is the processor time of the TaskManagers and their workers, µs an event.
    `counts` says whether the throughput may be quoted; `why_not` why it may not.
    """

    task_managers: int
    events: int
    users: int
    list_changing: float
    events_per_s: float
    whole_events_per_s: float
    steady_s: float
    start_s: float
    refreshes_per_s: float
    refreshed: float
    leading: float
    list_age_p50: float
    list_age_p99: float
    leading_p99: float
    trailing_p99: float
    rank_us: float
    redis_us: float
    lists_a_batch: float
    task_us: float
    restarts: int
    counts: bool
    why_not: list[str]


@dataclass(frozen=True)
class Look:
    """The job at one moment (monotonic seconds); `task_s` are the processor seconds of its TaskManagers so far."""

    at: float
    events: int
    workers: Mapping[str, WorkerReading]
    task_s: float = 0.0

    @property
    def lists(self) -> int:
        """Lists written so far."""
        return sum(worker.lists for worker in self.workers.values())


def drain(
    settings: Settings,
    traffic: Traffic,
    task_managers: int,
    told: Mapping[str, str],
    shown: Callable[[str, int], None] = lambda what, done: None,
    *,
    half_garbage: bool = False,
) -> Throughput:
    """Preload a topic of its own, start the job and watch it read to the end.

    With `half_garbage` every second message is none that can be read; events are the good ones.
    """
    with BenchStack(settings, task_managers, told) as stack:
        preload_items(stack.settings.kafka, items_of(traffic))
        loaded = preload_events(
            stack.settings.kafka,
            events_of(traffic),
            lambda done: shown("preloaded", done),
            half_garbage=half_garbage,
        )
        started = stack.start_job()
        # Of the garbage little comes as far as the user step.
        count = stack.events_accepted if half_garbage else stack.events_read
        looks = watch(stack, loaded.events, count, lambda done: shown("drained", done))
        restarts = stack.restarts()
    return judged(
        looks, loaded.events, loaded.users, loaded.list_changing, task_managers, started, restarts,
        has_model=settings.model.bundle is not None,
    )  # fmt: skip


def watch(
    stack: BenchStack, events: int, count: Callable[[], int], shown: Callable[[int], None]
) -> list[Look]:
    """Look at the job until `count` says that it is done with all events, and it writes no more lists.

    Raises `InfraError` when it stalls.
    """
    looks: list[Look] = []
    moved = time.monotonic()
    quiet = 0
    while quiet < 6:
        time.sleep(_LOOK_EVERY_S)
        look = Look(time.monotonic(), count(), stack.workers(), stack.task_seconds())
        if not looks or look.events > looks[-1].events or look.lists > looks[-1].lists:
            moved, quiet = look.at, 0
        elif look.events >= events and look.lists:
            quiet += 1
        elif look.at - moved > _STALLED_S:
            raise InfraError(
                f"the job stands still at {look.events} of {events} events; its logs are in {stack.logs}"
            )
        looks.append(look)
        shown(look.events)
    return looks


def judged(
    looks: list[Look],
    events: int,
    users: int,
    list_changing: int,
    task_managers: int,
    start_s: float,
    restarts: int,
    *,
    has_model: bool = True,
) -> Throughput:
    """The figures of a run, from its looks. Raises `InfraError` where it had no steady state."""
    inside = [look for look in looks if look.lists and WARM * events <= look.events < events]
    if len(inside) < 2 or inside[-1].events == inside[0].events:
        raise InfraError("the topic was drained before a steady state was seen: give --events more")
    first, last = inside[0], inside[-1]
    seconds = last.at - first.at
    leading = _histogram(first, last, lambda worker: worker.leading)
    trailing = _histogram(first, last, lambda worker: worker.trailing)
    both = merged((leading, trailing))
    lists = max(last.lists - first.lists, 1)
    batches = max(_sum(last, "batches") - _sum(first, "batches"), 1)
    whole = next(look for look in looks if look.events >= events)
    age_p99 = both.quantile(0.99)
    why_not = _why_not(users, list_changing / events, age_p99, restarts, has_model)
    return Throughput(
        task_managers=task_managers,
        events=events,
        users=users,
        list_changing=list_changing / events,
        events_per_s=(last.events - first.events) / seconds,
        whole_events_per_s=events / max(whole.at - looks[0].at, 0.001),
        steady_s=seconds,
        start_s=start_s,
        refreshes_per_s=lists / seconds,
        refreshed=lists / (last.events - first.events),
        leading=leading.total / max(both.total, 1),
        list_age_p50=both.quantile(0.5),
        list_age_p99=age_p99,
        leading_p99=leading.quantile(0.99),
        trailing_p99=trailing.quantile(0.99),
        rank_us=(_sum(last, "rank_us") - _sum(first, "rank_us")) / lists,
        redis_us=(_sum(last, "redis_us") - _sum(first, "redis_us")) / lists,
        lists_a_batch=lists / batches,
        task_us=(last.task_s - first.task_s) / (last.events - first.events) * 1e6,
        restarts=restarts,
        counts=not why_not,
        why_not=why_not,
    )


def _why_not(users: int, list_changing: float, age_p99: float, restarts: int, has_model: bool) -> list[str]:
    reasons = [] if has_model else ["no ranking model: give one with --model"]
    if users < LEAST_USERS:
        reasons.append(f"{users:,} distinct users, not {LEAST_USERS:,}")
    if list_changing < LEAST_LIST_CHANGING:
        reasons.append(f"{list_changing:.0%} of the events change a list, not {LEAST_LIST_CHANGING:.0%}")
    if not age_p99 <= MOST_LIST_AGE_MS:
        reasons.append(f"p99 list age {age_p99:,.0f} ms, not {MOST_LIST_AGE_MS:,.0f}")
    if restarts:
        reasons.append(f"the job restarted {restarts} times")
    return reasons


def _sum(look: Look, field: str) -> int:
    return sum(int(getattr(worker, field)) for worker in look.workers.values())


def _histogram(first: Look, last: Look, of: Callable[[WorkerReading], Histogram]) -> Histogram:
    nothing = Histogram()
    return merged(
        of(worker).since(of(first.workers[name]) if name in first.workers else nothing)
        for name, worker in last.workers.items()
    )
