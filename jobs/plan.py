"""From settings to the plan of the job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jobs.settings import Settings
from jobs.tables import FileTables, KafkaTables
from jobs.topology import Plan
from operators.flink_settings import StepFunctionSettings
from operators.following import FollowingSettings
from operators.preload import Preload
from operators.pressure import PressureGauge
from operators.statistics import StatisticsSettings
from udfs.worker_settings import WorkerSettings


def live_plan(settings: Settings) -> Plan:
    """The job between Kafka and Redis."""
    kafka = settings.kafka
    tables = KafkaTables(
        kafka=kafka.access(),
        group=f"{settings.redis.prefix}-personalize",
        events=kafka.events,
        catalog=kafka.catalog,
        control=kafka.control,
        recommendations=kafka.recommendations,
        messages=(
            kafka.dead_letters,
            kafka.drift,
            kafka.segment_changes,
            kafka.control_status,
            kafka.control,
        ),
        gather_ms=kafka.gather_ms,
    )
    preload = Preload(kafka.access(), kafka.control, registry=kafka.registry)
    pressure = PressureGauge(settings.redis_url(), settings.redis.prefix)
    return Plan(
        tables=tables,
        step=_step(settings, preload, pressure, refresh_at_end=False),
        statistics=settings.statistics,
        worker=worker_settings(settings),
        retrain=settings.retrain,
        control_topic=settings.kafka.control,
    )


def bounded_plan(settings: Settings, source: Path, files: FileTables) -> Plan:
    """The job on spooled files: each user is asked for once, at the end."""
    preload = Preload(items_file=str(files.items))
    step = _step(settings, preload, None, refresh_at_end=True)
    return Plan(
        tables=files,
        step=replace(step, events_topic=str(source)),
        statistics=settings.statistics,
        worker=worker_settings(settings),
        retrain=settings.retrain,
        control_topic=settings.kafka.control,
    )


def sums_days(statistics: StatisticsSettings) -> float:
    """Days for which Flink keeps a sum that nothing is added to: 20 half-lives leave a millionth of it."""
    return 20 * max(statistics.covisit_half_life, statistics.popularity_half_life)


def worker_settings(settings: Settings) -> WorkerSettings:
    """What rank workers are told."""
    return WorkerSettings(
        redis_url=settings.redis_url(),
        prefix=settings.redis.prefix,
        bundle=str(settings.model.bundle.resolve()) if settings.model.bundle else None,
        rank=settings.rank,
        bounds=settings.shelf,
        publish=settings.publish,
        step=settings.step,
        slots=settings.slots,
        rules=settings.context_rules.in_force(),
        experiments=settings.experiments.in_force(),
    )


def _step(
    settings: Settings, preload: Preload, pressure: PressureGauge | None, *, refresh_at_end: bool
) -> StepFunctionSettings:
    kafka = settings.kafka
    return StepFunctionSettings(
        secret=settings.secret(),
        events_topic=kafka.events,
        dead_letters_topic=kafka.dead_letters,
        drift_topic=kafka.drift,
        control_status_topic=kafka.control_status,
        catalog_topic=kafka.catalog,
        segment_changes_topic=kafka.segment_changes,
        ingest=settings.ingest.with_limits(),
        following=FollowingSettings(settings.step, settings.traffic, settings.personas),
        segments=settings.segments.in_force(),
        context_rules=settings.context_rules.in_force(),
        experiments=settings.experiments.in_force(),
        backfill=settings.backfill,
        models=settings.models,
        stream_drift=settings.stream_drift,
        lake=settings.lake,
        refresh=settings.refresh,
        state_ttl_days=settings.flink.state_ttl_days,
        refresh_at_end=refresh_at_end,
        pressure=pressure,
        preload=preload,
    )
