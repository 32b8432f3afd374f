"""Bringing configuration to the running job from the command line, and telling what the job said to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from jobs import settings
from jobs.control_topic import publish_and_hear
from jobs.settings import KafkaSection
from schemas.errors import HeadraceError
from schemas.records import Control

ANSWER_S = 15.0
"""For how long the job's answer is waited for."""


class ControlRefused(HeadraceError):  # noqa: N818 (an answer, told as one line)
    """Configuration that the job did not take; the text says why."""


def topics_of(config: Path | None, brokers: str | None) -> KafkaSection:
    """The topics of the settings, on the brokers that the command was given."""
    return settings.load(config, {"kafka.brokers": brokers} if brokers else None).kafka


def bring(
    told: Mapping[str, Control], topics: KafkaSection, as_json: bool, seconds: float = ANSWER_S
) -> None:
    """Put messages on the control topic, one after the other, and print a line on each that the job did not refuse.

    `told` has them by what people call them. Raises `ControlRefused` once all are sent, where the job refused any,
    and `KafkaUnreachable`.
    """
    refused = []
    for called, control in told.items():
        status = publish_and_hear(control, topics, seconds)
        if status is not None and not status.applied:
            refused.append(f"{called}: {status.reason}")
            answer = f"refused: {status.reason}"
        else:
            answer = "not answered" if status is None else "taken"
        if as_json:
            print(json.dumps({control.kind: called, "version": control.version, "answer": answer}))
        elif status is None:
            print(
                f"{called}, version {control.version}: no job answered within {seconds:.0f} s; one that is started "
                f"later reads it from {topics.control}"
            )
        elif status.applied:
            print(f"{called}, version {control.version}: {'removed' if control.deleted else 'in force'}")
    if refused:
        raise ControlRefused(f"the job refused {'; '.join(refused)}")
