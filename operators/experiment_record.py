"""An experiment on its way to the rank workers."""

from __future__ import annotations

from typing import Any

import msgspec

from operators.in_force import record_reader
from schemas.errors import HeadraceError

RECORD_VERSION = 1


class ExperimentRefused(HeadraceError):  # noqa: N818 (a state, told as one line)
    """An experiment that cannot be used; the text names it, what is wrong, and what may stand there."""


class ExperimentRecord(msgspec.Struct, tag="experiment", frozen=True, kw_only=True):
    """What is said of an experiment's name: a value of the internal key `hr:experiments` (JSON), and a record of the
    shelf's stream.

    The higher `version` holds. `experiment` is the body of the control message; None: the settings' experiment of that
    name, if there is one.
    """

    v: int = RECORD_VERSION
    name: str
    version: int
    experiment: dict[str, Any] | None = None


encode_experiment = msgspec.json.Encoder().encode
"""A record as it is stored."""
decode_experiment = record_reader(ExperimentRecord, RECORD_VERSION, "an experiment", ExperimentRefused)
"""The record of `encode_experiment`. Raises `ExperimentRefused` for one of a later release, or that is none."""
