"""Putting control messages on their topic one by one, and telling what the job said to each."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jobs.control_topic import publish_and_hear
from jobs.settings import KafkaSection
from schemas.errors import HeadraceError
from schemas.records import Control

_ANSWER_S = 10.0


def bring(
    controls: Sequence[Control], topics: KafkaSection, as_json: bool, refused: type[HeadraceError]
) -> None:
    """Put the messages, and print a line for each. Raises `refused` in the end where the job refused one.

    Raises `KafkaUnreachable`.
    """
    reasons = []
    for control in controls:
        status = publish_and_hear(control, topics, _ANSWER_S)
        if status is None:
            said = "not answered"
        elif status.applied:
            said = "taken"
        else:
            said = f"refused: {status.reason}"
            reasons.append(f"{control.name}: {status.reason}")
        if as_json:
            print(json.dumps({control.kind: control.name, "version": control.version, "answer": said}))
        else:
            print(f"{control.name} version {control.version}: {said}")
    if reasons:
        raise refused(f"the job refused {'; '.join(reasons)}")
