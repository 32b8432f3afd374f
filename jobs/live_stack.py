"""A stack for one judgement of the live job: its own, ended afterwards, or one that runs already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.local_stack import LocalStack
from jobs.settings import Settings

DATA = "live"
"""Folder below HEADRACE_HOME of what an own stack writes; begun anew each time."""

START_S = 1_200.0
"""How long an own job may take to start: nobody waits at a screen for it, and the machine may be busy."""

DRY_MS, SPREAD_MS = 5_000, 10_000
"""How long an own job waits for more history, and over how long it then asks for all users (docs/backfill.md)."""


@dataclass(frozen=True)
class Running:
    """Where a job runs. `check` raises `InfraError` when something of it has ended."""

    settings: Settings
    check: Callable[[], Any]


@contextmanager
def own_stack(
    settings: Settings, config: Path | None, model: Path | None, say: Callable[[str], Any]
) -> Iterator[Running]:
    """Start Kafka, Redis and the job, empty, on free ports; end all of it when the block is left."""
    with LocalStack(settings, config=config, data=DATA, afresh=True) as stack:
        say(f"logs are in {stack.logs}")
        stack.start_compiling()
        redis, kafka = stack.start_redis(), stack.start_kafka()
        stack.tell(HEADRACE_BACKFILL__DRY=str(DRY_MS), HEADRACE_BACKFILL__SPREAD=str(SPREAD_MS))
        # `evaluate` knows no context rules.
        stack.tell(HEADRACE_CONTEXT_RULES__READY="false")
        if model is not None:
            stack.tell(HEADRACE_MODEL__BUNDLE=str(model.resolve()))
        say(f"Kafka {kafka.brokers}, Redis {redis.url}, Flink {stack.start_job(START_S)}")
        yield Running(
            settings.model_copy(
                update={
                    "kafka": settings.kafka.model_copy(update={"brokers": kafka.brokers}),
                    "redis": settings.redis.model_copy(update={"url": redis.url}),
                }
            ),
            stack.check,
        )


@contextmanager
def given_stack(settings: Settings) -> Iterator[Running]:
    """The stack that `settings` name. It goes on when the block is left."""
    yield Running(settings, lambda: None)
