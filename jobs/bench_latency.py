"""Latency, open loop: from when an event was meant to be sent to the first list in Redis that covers it."""

from __future__ import annotations

import multiprocessing
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty

import msgspec
from kafka import KafkaConsumer

from infra.errors import InfraError
from jobs.bench_events import QUIET, Traffic, items_of
from jobs.bench_preload import preload_items
from jobs.bench_producer import send, timed_events
from jobs.bench_stack import BenchStack
from jobs.settings import KafkaSection, Settings
from operators.traffic import TrafficStep
from schemas.codec import RECOMMENDATIONS
from schemas.pseudonym import Pseudonym
from schemas.records import Event
from schemas.traffic_state import Traffic as UserTraffic

_SETTLE_S = 60.0
_START_IN_S = 3.0
_MAKING_S = 100e-6
"""What the producer takes at most to make an event, before the first is due."""


class Quantiles(msgspec.Struct, frozen=True):
    """Durations in ms of `count` events; NaN without any."""

    count: int
    p50: float
    p90: float
    p99: float
    most: float


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """One rate. `every` are all list-changing events, coalesced ones too; `leading` and `trailing` part them.

    `late_*` say how far behind its own plan the producer was (ms): part of the latency, not to be taken off.
    `uncovered` events never got into a list. `of_bots` are list-changing events of users that the job has told to be
    bots, who get no lists: they are in no other figure.
    """

    rate: float
    seconds: float
    every: Quantiles
    leading: Quantiles
    trailing: Quantiles
    leading_share: float
    coalesced_share: float
    refreshes_per_s: float
    uncovered: int
    of_bots: int
    late_p50: float
    late_p99: float
    late_most: float


@dataclass
class Awaited:
    """A list-changing event that is in no list yet: the user's n-th event, meant to be sent at `at` (ms)."""

    n: int
    at: int
    counts: bool


@dataclass
class Coverage:
    """Finds the first list that covers each event.

    A list made of a user's first n events covers all of them. It was asked for at the leading edge when it
    covers one list-changing event for the first time, that is the n-th, and this came `interval` ms or more
    after the user's former list was written; every other list came at the end of an interval. Where the job
    had lengthened the interval, some trailing lists are taken for leading ones: these then look slower.

    >>> covered = Coverage(interval=200)
    >>> covered.expect("ann", 1, 1_000, True, True); covered.expect("ann", 2, 1_010, True, True)
    >>> covered.take("ann", 1, 1_050); covered.take("ann", 2, 1_260)
    >>> covered.leading, covered.trailing
    ([50], [250])
    """

    interval: int
    leading: list[int] = field(default_factory=list)
    trailing: list[int] = field(default_factory=list)
    coalesced: int = 0
    lists: int = 0
    _waiting: dict[str, deque[Awaited]] = field(default_factory=lambda: defaultdict(deque))
    _written: dict[str, int] = field(default_factory=dict)

    def expect(self, uid: str, n: int, at: int, changes_list: bool, counts: bool) -> None:
        """The user's n-th event was meant to be sent at `at`; `counts` is False within the warm-up."""
        if changes_list:
            self._waiting[uid].append(Awaited(n, at, counts))

    def take(self, uid: str, n: int, written_at: int) -> None:
        """A list of the user's first n events was written. Lists of a user come in order of n."""
        waiting = self._waiting[uid]
        new = []
        while waiting and waiting[0].n <= n:
            new.append(waiting.popleft())
        before = self._written.get(uid)
        self._written[uid] = written_at
        counted = [event for event in new if event.counts]
        if not counted:
            return
        self.lists += 1
        self.coalesced += len(counted) - 1
        at_once = len(new) == 1 and new[0].n == n and (before is None or new[0].at - before >= self.interval)
        (self.leading if at_once else self.trailing).extend(written_at - event.at for event in counted)

    @property
    def uncovered(self) -> int:
        """How many events that count are still in no list."""
        return sum(event.counts for waiting in self._waiting.values() for event in waiting)


def quantiles(durations: Sequence[int]) -> Quantiles:
    """The quantiles of durations in ms, each the least duration that so many do not exceed.

    >>> quantiles([5, 1, 3])
    Quantiles(count=3, p50=3.0, p90=5.0, p99=5.0, most=5.0)
    """
    if not durations:
        nothing = float("nan")
        return Quantiles(0, nothing, nothing, nothing, nothing)
    ordered = sorted(durations)
    p50, p90, p99 = (float(ordered[-(-len(ordered) * share // 100) - 1]) for share in (50, 90, 99))
    return Quantiles(len(ordered), p50, p90, p99, float(ordered[-1]))


def measure_latency(
    settings: Settings,
    traffic: Traffic,
    rates: Iterable[float],
    seconds: float,
    warm_up: float,
    task_managers: int,
    told: Mapping[str, str],
    shown: Callable[[str, int], None] = lambda what, done: None,
) -> Iterator[Latency]:
    """One stack, one job, one rate after the other; each rate begins with its own warm-up."""
    with (
        BenchStack(settings, task_managers, told) as stack,
        closing(_recommendation_log(stack.settings.kafka)) as log,
    ):
        preload_items(stack.settings.kafka, items_of(traffic))
        stack.start_job()
        pseudonym = Pseudonym(settings.secret())
        sent: dict[str, int] = defaultdict(int)
        traffic_of: dict[str, UserTraffic] = defaultdict(UserTraffic)
        bots = TrafficStep(settings.traffic, pseudonym.of)
        for number, rate in enumerate(rates):
            run = replace(
                traffic,
                events=int(rate * (seconds + warm_up)),
                per_second=rate,
                seed=traffic.seed + number,
                start=int((time.time() + _START_IN_S + rate * (seconds + warm_up) * _MAKING_S) * 1_000),
            )
            coverage = Coverage(settings.refresh.interval)
            late = _send_apart(stack.settings.kafka, run, partial(_show, shown, rate, stack))
            of_bots = 0
            for event in timed_events(run):
                uid = pseudonym.of(event.user_id)
                sent[uid] += 1
                counts = event.time >= run.start + warm_up * 1_000
                is_bot = bots.update(traffic_of[uid], event, uid).tagged
                of_bots += is_bot and counts and changes_list(event)
                coverage.expect(uid, sent[uid], event.time, changes_list(event) and not is_bot, counts)
            _settle(log, coverage)
            every = coverage.leading + coverage.trailing
            yield Latency(
                rate=rate,
                seconds=seconds,
                every=quantiles(every),
                leading=quantiles(coverage.leading),
                trailing=quantiles(coverage.trailing),
                leading_share=len(coverage.leading) / max(len(every), 1),
                coalesced_share=coverage.coalesced / max(len(every), 1),
                refreshes_per_s=coverage.lists / seconds,
                uncovered=coverage.uncovered,
                of_bots=of_bots,
                late_p50=late[0],
                late_p99=late[1],
                late_most=late[2],
            )


def _show(shown: Callable[[str, int], None], rate: float, stack: BenchStack) -> None:
    shown(f"{rate:.0f}/s", stack.events_read())


def changes_list(event: Event) -> bool:
    """Whether the job makes a list for an event of this type."""
    return event.type not in QUIET


def _send_apart(topics: KafkaSection, traffic: Traffic, shown: Callable[[], None]) -> list[float]:
    """Send in a process of its own, so that nothing here makes it late. Returns how late it was."""
    spawned = multiprocessing.get_context("spawn")
    behind = spawned.Queue()
    process = spawned.Process(target=send, args=(topics, traffic, behind), daemon=True)
    process.start()
    try:
        while process.is_alive():
            process.join(1.0)
            shown()
        late: list[float] = behind.get(timeout=5)
    except Empty:
        raise InfraError(
            f"the producer ended with {process.exitcode} before it had sent everything"
        ) from None
    finally:
        process.kill()
        process.join()
        process.close()
    return late


def _settle(log: KafkaConsumer, coverage: Coverage) -> None:
    """Take the recommendation log in until every event is covered, or no list has come for a while."""
    heard = time.monotonic()
    while coverage.uncovered and time.monotonic() - heard < _SETTLE_S:
        for records in log.poll(timeout_ms=500, max_records=5_000).values():
            heard = time.monotonic()
            for record in records:
                made = RECOMMENDATIONS.decode(record.value)
                coverage.take(made.uid, int(made.seq.rpartition(".")[2]), made.written_at)


def _recommendation_log(topics: KafkaSection) -> KafkaConsumer:
    return KafkaConsumer(
        topics.recommendations,
        bootstrap_servers=topics.brokers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
