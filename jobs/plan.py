"""From settings to the plan of the job."""

from __future__ import annotations

from jobs.settings import Settings
from jobs.tables import FileTables, KafkaTables
from jobs.topology import Plan
from operators.flink import StepFunctionSettings
from operators.preload import Preload
from operators.pressure import PressureGauge
from udfs.worker_settings import WorkerSettings


def live_plan(settings: Settings) -> Plan:
    """The job between Kafka and Redis."""
    kafka = settings.kafka
    tables = KafkaTables(
        brokers=kafka.brokers,
        group=f"{settings.redis.prefix}-personalize",
        events=kafka.events,
        catalog=kafka.catalog,
        control=kafka.control,
        recommendations=kafka.recommendations,
        messages=(kafka.dead_letters, kafka.drift, kafka.segment_changes, kafka.control_status),
        client={},
    )
    preload = Preload(brokers=kafka.brokers, control_topic=kafka.control)
    pressure = PressureGauge(settings.redis_url(), settings.redis.prefix)
    return Plan(
        tables=tables,
        step=_step(settings, preload, pressure, refresh_at_end=False),
        statistics=settings.statistics,
        worker=worker_settings(settings),
    )


def bounded_plan(settings: Settings, files: FileTables) -> Plan:
    """The job on spooled files: each user is asked for once, at the end."""
    preload = Preload(items_file=str(files.items))
    return Plan(
        tables=files,
        step=_step(settings, preload, None, refresh_at_end=True),
        statistics=settings.statistics,
        worker=worker_settings(settings),
    )


def worker_settings(settings: Settings) -> WorkerSettings:
    """What rank workers are told."""
    return WorkerSettings(
        redis_url=settings.redis_url(),
        prefix=settings.redis.prefix,
        bundle=str(settings.model.bundle.resolve()) if settings.model.bundle else None,
        rank=settings.rank,
        bounds=settings.shelf,
        publish=settings.publish,
        affinity=settings.affinity,
        drift=settings.drift,
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
        ingest=settings.ingest.with_limits(),
        step=settings.step,
        refresh=settings.refresh,
        state_ttl_days=settings.flink.state_ttl_days,
        refresh_at_end=refresh_at_end,
        pressure=pressure,
        preload=preload,
    )
