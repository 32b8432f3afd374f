"""Which models a rank worker uses: the field `models` of `hr:stats:{worker}`, JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

FIELD = "models"
"""The field of the worker's hash."""

SILENT_AFTER_MS = 15_000
"""A worker that has told nothing for so long has stopped: it tells its models every 5 s."""

READING_VERSION = 1


class SlotReading(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of a slot in this worker. Times are its wall clock in ms.

    `model` is the bundle in use (NAME/VERSION; None: no bundle), loaded at `since`. `version` is that of the latest
    reference it has dealt with; where that was refused, `refused` says why and `refused_at` when, and what was
    in use stays.
    """

    model: str | None = None
    since: int = 0
    version: int = 0
    refused: str | None = None
    refused_at: int = 0


class ShadowReading(SlotReading, kw_only=True, omit_defaults=True):
    """The same of the model that is only compared, and with which result so far.

    `against` is the model it was compared with. `lists` were compared; `overlap` sums the share of items that both
    lists hold, `same_first` counts those with the same item first, `micros` sums the µs it took.
    """

    against: str | None = None
    lists: int = 0
    overlap: float = 0.0
    same_first: int = 0
    micros: int = 0


class RuleRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A context rule that the worker refused at `at` (its wall clock in ms), and why."""

    name: str
    version: int
    why: str
    at: int


class WorkerModels(msgspec.Struct, kw_only=True):
    """The models of one worker as it told them at `at` (its wall clock in ms), and the rules that it refused."""

    v: int = READING_VERSION
    at: int
    serve: SlotReading
    shadow: ShadowReading
    rules: list[RuleRefusal] | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(WorkerModels).decode
encode_models = msgspec.json.Encoder().encode
"""A reading as it is stored."""


def decode_models(stored: bytes | None) -> WorkerModels | None:
    """The reading in a worker's hash, or None where there is none that this release reads.

    >>> told = WorkerModels(at=1, serve=SlotReading(model="shop/1"), shadow=ShadowReading())
    >>> decode_models(encode_models(told)) == told
    True
    """
    if stored is None:
        return None
    try:
        reading = _decode(stored)
    except msgspec.DecodeError:
        return None
    return reading if reading.v <= READING_VERSION else None


def living_models(stored: Mapping[str, bytes | None], now: int) -> dict[str, WorkerModels]:
    """The readings of the workers that live, of what each has in its field; `now` is the wall clock in ms.

    >>> living_models({"rank-1": None, "rank-2": b"no reading"}, now=0)
    {}
    """
    told = {worker: decode_models(reading) for worker, reading in stored.items()}
    return {
        worker: models
        for worker, models in told.items()
        if models is not None and now - models.at <= SILENT_AFTER_MS
    }
