"""What the job and its workers refused lately, for every page: the name, the reason, and what goes on instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from jobs.page_feed import Feed
from jobs.page_view import Shown
from operators.attribute_refusals import PROFILE_UPDATE
from operators.control import ControlStatus
from operators.ranker import NO_BUNDLE
from operators.worker_refusals import by_worker
from schemas.worker_models import SlotReading, WorkerModels

SHOWN = 20
KEPT = 200
EVERY_S = 1.0

_decode = msgspec.json.Decoder(ControlStatus).decode


class Refusal(msgspec.Struct):
    """One thing that was refused `refused` times, last `at` (wall clock, ms); `hosts`: only by these machines."""

    kind: str
    name: str
    version: int
    reason: str
    stays: str
    at: int
    refused: int = 1
    hosts: list[str] = []


class Refusals:
    """What the control-status topic and the workers tell, the newest of each kind and name.

    A refusal goes when a version that is no older is taken. `version_of` is the version of a segment in force.

    >>> refusals = Refusals(lambda name: 4)
    >>> refusals.take_status(b'{"kind":"segment","name":"vip","version":5,"applied":false,"reason":"too dear"}', 7)
    >>> [(each["name"], each["reason"], each["stays"]) for each in refusals.shown()]
    [('vip', 'too dear', 'version 4 goes on')]
    >>> refusals.take_status(b'{"kind":"segment","name":"vip","version":6,"applied":true}', 8)
    >>> refusals.shown()
    []
    """

    def __init__(self, version_of: Callable[[str], int | None]) -> None:
        self._version_of = version_of
        self._told: dict[tuple[str, ...], Refusal] = {}
        self._by_workers: list[Refusal] = []

    def take_status(self, value: bytes, at: int) -> None:
        """Take in a message of the control-status topic, written at `at` (ms); one that cannot be read is left out."""
        with suppress(msgspec.DecodeError):
            self._take(_decode(value), at)

    def take_workers(self, living: Mapping[str, WorkerModels]) -> None:
        """Take in what the living workers tell of the models and rules that they use."""
        found: dict[tuple[object, ...], Refusal] = {}

        def add(worker: str, refusal: Refusal) -> None:
            same = found.setdefault((refusal.kind, refusal.name, refusal.version, refusal.reason), refusal)
            same.hosts.append(worker)
            same.at = max(same.at, refusal.at)

        for worker, models in living.items():
            serve, shadow = models.serve, models.shadow
            for refusal in (
                _of_slot("to rank with", f"lists go on with {serve.model or NO_BUNDLE}", serve),
                _of_slot("to compare", f"{shadow.model or 'nothing'} is compared", shadow),
            ):
                if refusal is not None:
                    add(worker, refusal)
            for rule in models.rules or ():
                stays = "the rules in force go on"
                add(worker, Refusal("rule", rule.name, rule.version, rule.why, stays, rule.at))
        self._by_workers = list(found.values())

    def shown(self) -> list[Shown]:
        """The newest refusals, the newest first."""
        # Of those of one moment, what was told last comes first.
        told = reversed((*self._by_workers, *self._told.copy().values()))
        found = sorted(told, key=lambda each: -each.at)
        return [msgspec.to_builtins(each) for each in found[:SHOWN]]

    async def keep(self, feed: Feed) -> None:
        """Tell open pages of what is new, for ever."""
        told: list[Shown] = []
        while True:
            if feed.watched and (now := self.shown()) != told:
                feed.broadcast("refused", {"refused": now})
                told = now
            await asyncio.sleep(EVERY_S)

    def _take(self, status: ControlStatus, at: int) -> None:
        if by_worker(status):
            return  # the workers' readings say it with what goes on, and when it is over
        if status.applied:
            self._clear(status)
            return
        of_records = status.kind == PROFILE_UPDATE
        key = (status.kind, status.name, status.reason) if of_records else (status.kind, status.name)
        before = self._told.pop(key, None)
        hosts = [] if isinstance(status.host, msgspec.UnsetType) else [status.host]
        refused = 1 if isinstance(status.refused, msgspec.UnsetType) else status.refused
        if before is not None and of_records:
            refused += before.refused
        elif before is not None and before.version == status.version:
            hosts = list(dict.fromkeys((*before.hosts, *hosts)))
        while len(self._told) >= KEPT:
            del self._told[next(iter(self._told))]
        self._told[key] = Refusal(
            status.kind, status.name, status.version, status.reason, self._stays(status), at, refused, hosts
        )

    def _clear(self, status: ControlStatus) -> None:
        held = self._told.get((status.kind, status.name))
        # What one machine refused may be in force on another, which says so at the same time.
        if held is not None and status.version >= held.version + bool(held.hosts):
            del self._told[status.kind, status.name]

    def _stays(self, status: ControlStatus) -> str:
        if status.kind == PROFILE_UPDATE:
            return "what was known of these users goes on"
        if status.kind == "segment":
            version = self._version_of(status.name)
            return "no rule of this name is in force" if version is None else f"version {version} goes on"
        return "what was in force goes on"


def _of_slot(name: str, stays: str, reading: SlotReading) -> Refusal | None:
    if reading.refused is None:
        return None
    return Refusal("model", name, reading.version, reading.refused, stays, reading.refused_at)
