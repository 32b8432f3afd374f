"""What is in force by name: of the settings, and in its place or beside it what control messages brought."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from schemas.errors import HeadraceError


class NamedRecord(Protocol):
    """The newest word on a name; the higher version holds. `v` is the version of the record's form."""

    @property
    def v(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...


class Named(Protocol):
    """What may be in force."""

    @property
    def name(self) -> str: ...
    @property
    def enabled(self) -> bool: ...


R = TypeVar("R", bound=NamedRecord)
T = TypeVar("T", bound=Named)


class InForce(Generic[R, T]):
    """What is in force, by the settings and the newest records.

    `read` gives what a record brings, None where it gives the name back to the settings. `check` raises for what cannot
    be in force together. See `operators.context_rules.RulesInForce`.
    """

    def __init__(
        self,
        settings: Iterable[T],
        read: Callable[[R], T | None],
        check: Callable[[tuple[T, ...]], None],
    ) -> None:
        self._settings = {each.name: each for each in settings}
        self._read = read
        self._check = check
        self._told: dict[str, tuple[R, T | None]] = {}
        check(self.all())

    def offer(self, record: R) -> bool:
        """Take a record; False where a newer one is there. Raises what `read` and `check` do; then nothing changes."""
        held = self._told.get(record.name)
        if held is not None and held[0].version > record.version:
            return False
        told = self._told | {record.name: (record, self._read(record))}
        self._check(self._in_force(told))
        self._told = told
        return True

    def offer_all(self, records: Sequence[R]) -> list[HeadraceError]:
        """Take records in whatever order they come: one that another one bars is tried again after it.

        Returns why those are refused that are so in the end.
        """
        waiting = list(records)
        while waiting:
            refused: list[tuple[R, HeadraceError]] = []
            for record in waiting:
                try:
                    self.offer(record)
                except HeadraceError as why:
                    refused.append((record, why))
            if len(refused) == len(waiting):
                return [why for _, why in refused]
            waiting = [record for record, _ in refused]
        return []

    def all(self) -> tuple[T, ...]:
        """What is in force, by name."""
        return self._in_force(self._told)

    def records(self) -> list[R]:
        """The newest record of every name."""
        return [record for record, _ in self._told.values()]

    def _in_force(self, told: Mapping[str, tuple[R, T | None]]) -> tuple[T, ...]:
        held = self._settings | {name: each for name, (_, each) in told.items() if each is not None}
        return tuple(held[name] for name in sorted(held) if held[name].enabled)


def record_reader(
    kind: type[R], version: int, what: str, refused: type[HeadraceError]
) -> Callable[[bytes], R]:
    """What reads a stored record (JSON), and raises `refused` for one of a later form than `version`, or none."""
    decode = msgspec.json.Decoder(kind).decode

    def read(stored: bytes) -> R:
        try:
            record = decode(stored)
        except msgspec.DecodeError as error:
            raise refused(f"{what} in Redis is unreadable: {error}") from None
        if record.v > version:
            raise refused(f"{what} in Redis has version {record.v}; this release reads {version}")
        return record

    return read
