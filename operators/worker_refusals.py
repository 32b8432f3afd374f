"""What rank workers refuse, told on the control-status topic: each refusal once, however many workers have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import msgspec

from operators.context_rule import RULE
from operators.control import ControlStatus
from operators.model_reference import SLOTS
from schemas.worker_models import WorkerModels

MODEL = "model"
"""`kind` of the statuses of a bundle; their `name` is its slot, `serve` or `shadow`."""

MOST_KNOWN = 256
"""So many refusals are known again: a worker tells at most 18 at a time, and most workers the same."""


class Refusal(NamedTuple):
    """What makes two refusals the same one, whichever worker tells it."""

    kind: str
    name: str
    version: int
    reason: str


class WorkerRefusals:
    """Picks what is new out of what the workers tell of themselves again and again.

    >>> from schemas.worker_models import ShadowReading, SlotReading
    >>> bad = SlotReading(version=7, refused="shop/2: golden row 7 differs")
    >>> workers = {name: WorkerModels(at=1, serve=bad, shadow=ShadowReading()) for name in ("rank-a", "rank-b")}
    >>> refusals = WorkerRefusals()
    >>> [status] = refusals.news(workers, most=10)
    >>> status.kind, status.name, status.version, status.applied, status.reason, status.host
    ('model', 'serve', 7, False, 'shop/2: golden row 7 differs', 'rank-a')
    >>> refusals.news(workers, most=10)
    []
    """

    def __init__(self) -> None:
        self._known: dict[Refusal, None] = {}

    def news(self, living: Mapping[str, WorkerModels], most: int) -> list[ControlStatus]:
        """What no worker told before, at most `most`; the others are news the next time.

        What is told still is forgotten last, so that it is never news again.
        """
        found: dict[Refusal, str] = {}
        for worker, models in living.items():
            for refusal in _refused_by(models):
                found.setdefault(refusal, worker)
        told = dict(islice(found.items(), MOST_KNOWN))
        fresh = list(islice((refusal for refusal in told if refusal not in self._known), most))
        still = [refusal for refusal in told if refusal in self._known]
        for refusal in (*still, *fresh):
            self._known.pop(refusal, None)
            self._known[refusal] = None
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return [_status(refusal, told[refusal]) for refusal in fresh]


def by_worker(status: ControlStatus) -> bool:
    """Whether a rank worker refused it, and not the job: then the worker's own reading tells it too.

    >>> by_worker(ControlStatus(kind="model", name="serve", version=7, applied=False, host="rank-a"))
    True
    >>> by_worker(ControlStatus(kind="model", name="shop", version=7, applied=False))
    False
    """
    return status.kind in (MODEL, RULE) and status.host is not msgspec.UNSET


def _refused_by(models: WorkerModels) -> Iterator[Refusal]:
    for slot in SLOTS:
        reading = models.serve if slot == "serve" else models.shadow
        if reading.refused is not None:
            yield Refusal(MODEL, slot, reading.version, reading.refused)
    for rule in models.rules or ():
        yield Refusal(RULE, rule.name, rule.version, rule.why)


def _status(refusal: Refusal, worker: str) -> ControlStatus:
    return ControlStatus(**refusal._asdict(), applied=False, host=worker)
