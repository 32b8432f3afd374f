"""The topics of a local broker: their configuration and partitions."""

from __future__ import annotations

from infra.kafka import COMPACTED, create_topics, kept
from jobs.settings import KafkaSection

HOUR_MS = 3_600_000
MIB = 1024 * 1024


def create_local_topics(brokers: str, kafka: KafkaSection) -> None:
    """Create every topic that the job reads or writes and that is not there yet.

    Events and recommendations have `kafka.partitions` partitions, the others one.
    """
    size = kafka.retention_mib * MIB
    topics = {
        kafka.events: kept(size, future_ms=kafka.future_hours * HOUR_MS),
        kafka.catalog: COMPACTED,
        kafka.control: COMPACTED,
        kafka.control_status: kept(size),
        kafka.recommendations: kept(size),
        kafka.segment_changes: kept(size),
        kafka.drift: kept(size),
        kafka.dead_letters: kept(size),
    }
    create_topics(
        brokers,
        topics,
        partitions=dict.fromkeys((kafka.events, kafka.recommendations), kafka.partitions),
        client=kafka.access().client(),
    )
