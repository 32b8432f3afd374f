"""Opening a topic to read what it holds, with one line for a person where that cannot be."""

from __future__ import annotations

from typing import Final

from kafka.errors import KafkaError

from jobs.replay_clock import FIRST_ANSWER_MS, KafkaUnreachable
from jobs.settings import KafkaSection
from operators.held_topic import HeldTopic

PATIENCE_S: Final = 30.0


def held_topic(topics: KafkaSection, topic: str) -> HeldTopic:
    """A reader of a topic. Raises `KafkaUnreachable` when no broker answers or the topic is missing.

    Reading from it raises `TopicSilent` when nothing comes for `PATIENCE_S` seconds.
    """
    place = f"Kafka at {topics.brokers}"
    try:
        held = HeldTopic(topics.access(), topic, PATIENCE_S, FIRST_ANSWER_MS)
    except (KafkaError, OSError) as error:
        raise KafkaUnreachable(
            f"{place} does not answer; start it (headrace up), or give --brokers"
        ) from error
    if not held.ends:
        held.close()
        raise KafkaUnreachable(f"{place} has no topic {topic}; headrace up makes it")
    return held
