"""What one list was made from, as bytes: enough to make the list again, bit for bit, with nothing else at hand.

One byte says the version of the form; then come sections, each with its number, its length, the CRC-32 of its
stored bytes, and these bytes, deflated. So whoever alters an input is told which part does not fit.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

FORMAT: Final = 2
"""Form 1 had no rules: lists in which they had a hand were logged without inputs. It is read as before."""

SECTIONS: Final = ("settings", "user", "items", "candidates", "features", "scores", "additions", "rules")
"""The parts, as differences name them. Their numbers are their places: new ones go to the end."""

_OPTIONAL = ("rules",)
"""Parts that are not there where they would say nothing."""

_HEAD = struct.Struct("<BII")
_QUICK = 1
_pack = msgspec.msgpack.Encoder().encode


class Tried(msgspec.Struct, array_like=True, frozen=True):
    """A new item that was drawn for a list: its place among the shelf's new items, its place in `items`, when
    it came to the catalogue (ms), and how many sessions hold it."""

    drawn: int
    item: int
    arrived: int
    holders: int


class Making(msgspec.Struct, array_like=True, frozen=True):
    """By what a list was made: the model that it names, the SHA-256 of its bundle's manifest (empty: none), the
    release of Headrace, the list's time (ms), and the settings of ranking."""

    model: str
    bundle: str
    release: str
    at: int
    settings: dict[str, Any]


class Additions(msgspec.Struct, array_like=True, frozen=True):
    """What came into a list beside its candidates: the items that filled it up, as places in `items`, in their
    order; how many new items the shelf knew, and which of them were drawn."""

    filled: tuple[int, ...] = ()
    pool: int = 0
    tried: tuple[Tried, ...] = ()


class HeldRule(msgspec.Struct, array_like=True, frozen=True):
    """A context rule that held for the user, with its effect and what it multiplied scores by (0: out)."""

    name: str
    effect: str
    weight: float


@dataclass(frozen=True, eq=False)
class HeldRules:
    """The context rules that held for a list with I `items`, in the order in which they were applied: `fits`
    bool[R, I] says which items each one names."""

    rules: tuple[HeldRule, ...]
    fits: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ListInputs:
    """The inputs of a list with n candidates, of which S sources spoke, and F features.

    `user` is the user's record (`schemas.state`), of which only what a list depends on is kept. `items` are all
    item ids that matter here, the n candidates first; `groups` int32[I] their groups (-1: none) and `shown`
    bool[I] whether the user might be shown them. `anchor` int8[n] and `scope` int32[n], a place in `scopes` or -1,
    are those of `operators.candidates.Candidates`; `said` float32[n, S] is what each of `sources` said. `rows`
    float32[n, F] are `features` by name, without columns where no trained ranker scored. `scores` float32[n] are the
    candidates' scores before rules and rounding. `rules` are None where none had a hand in the list.
    """

    making: Making
    user: bytes
    items: list[str]
    groups: NDArray[np.int32]
    shown: NDArray[np.bool_]
    sources: list[str]
    scopes: list[str]
    anchor: NDArray[np.int8]
    scope: NDArray[np.int32]
    said: NDArray[np.float32]
    features: list[str]
    rows: NDArray[np.float32]
    scores: NDArray[np.float32]
    additions: Additions
    rules: HeldRules | None = None


class UnreadableInputs(ValueError):  # noqa: N818 (named like the other refusals)
    """Bytes that are no inputs of a list, or of a later form; the message names the part."""


_decode_making = msgspec.msgpack.Decoder(Making).decode
_decode_items = msgspec.msgpack.Decoder(tuple[list[str], bytes, bytes]).decode
_decode_candidates = msgspec.msgpack.Decoder(tuple[list[str], list[str], bytes, bytes, bytes]).decode
_decode_features = msgspec.msgpack.Decoder(tuple[list[str], bytes]).decode
_decode_rules = msgspec.msgpack.Decoder(tuple[tuple[HeldRule, ...], bytes]).decode
_decode_additions = msgspec.msgpack.Decoder(Additions).decode


def encode_inputs(inputs: ListInputs) -> bytes:
    """The bytes of the inputs: for 145 candidates some 3.5 KB, and 5 KB more where a trained ranker scored."""
    parts = [
        _pack(inputs.making),
        inputs.user,
        _pack([inputs.items, _bytes(inputs.groups, "<i4"), _bytes(inputs.shown, "?")]),
        _pack(
            [
                inputs.sources,
                inputs.scopes,
                _bytes(inputs.anchor, "i1"),
                _bytes(inputs.scope, "<i4"),
                _bytes(inputs.said.T, "<f4"),
            ]
        ),
        _pack([inputs.features, _bytes(inputs.rows.T, "<f4")]),
        _bytes(inputs.scores, "<f4"),
        _pack(inputs.additions),
    ]
    if inputs.rules is not None:
        parts.append(_pack([inputs.rules.rules, _bytes(inputs.rules.fits, "?")]))
    out = bytearray([FORMAT])
    for number, part in enumerate(parts):
        stored = zlib.compress(part, _QUICK)
        out += _HEAD.pack(number, len(stored), zlib.crc32(stored))
        out += stored
    return bytes(out)


def decode_inputs(stored: bytes) -> ListInputs:
    """The inputs of `encode_inputs`, whether or not their checksums fit: ask `altered_sections`.

    Raises `UnreadableInputs` where a part cannot be read.
    """
    parts = {}
    for number, _, part in _sections(stored):
        try:
            parts[number] = zlib.decompress(part)
        except zlib.error as error:
            raise UnreadableInputs(f"{_name(number)}: {error}") from None
    needed = (number for number, name in enumerate(SECTIONS) if name not in _OPTIONAL)
    if missing := [SECTIONS[number] for number in needed if number not in parts]:
        raise UnreadableInputs(f"{missing[0]}: it is missing")
    making = _read(parts, 0, _decode_making)
    scores = _read(parts, 5, _floats)
    n = len(scores)
    items, groups, shown = _read(parts, 2, lambda part: _items(part, n))
    sources, scopes, anchor, scope, said = _read(parts, 3, lambda part: _candidates(part, n))
    features, rows = _read(parts, 4, lambda part: _features(part, n))
    additions = _read(parts, 6, _decode_additions)
    rules = _read(parts, 7, lambda part: _rules(part, len(items))) if 7 in parts else None
    return ListInputs(
        making, parts[1], items, groups, shown, sources, scopes, anchor, scope, said,
        features, rows, scores, additions, rules,
    )  # fmt: skip


def altered_sections(stored: bytes) -> list[str]:
    """The names of the parts whose bytes are not those that were written.

    Raises `UnreadableInputs` where the bytes do not even part into sections.
    """
    return [_name(number) for number, crc, part in _sections(stored) if zlib.crc32(part) != crc]


def _read(parts: dict[int, bytes], number: int, read: Callable[[bytes], T]) -> T:
    """What `read` makes of a part. Raises `UnreadableInputs` with the part's name."""
    try:
        return read(parts[number])
    except (msgspec.DecodeError, ValueError) as error:
        raise UnreadableInputs(f"{_name(number)}: {error}") from None


def _floats(part: bytes) -> NDArray[np.float32]:
    return np.frombuffer(part, "<f4")


def _columns(part: bytes, names: list[str], n: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(_floats(part).reshape(len(names), n).T)


def _items(part: bytes, n: int) -> tuple[list[str], NDArray[np.int32], NDArray[np.bool_]]:
    items, groups, shown = _decode_items(part)
    if not len(items) == len(groups) // 4 == len(shown) >= n:
        raise ValueError("its columns are of unequal lengths")
    return items, np.frombuffer(groups, "<i4"), np.frombuffer(shown, "?")


def _candidates(
    part: bytes, n: int
) -> tuple[list[str], list[str], NDArray[np.int8], NDArray[np.int32], NDArray[np.float32]]:
    sources, scopes, anchor, scope, said = _decode_candidates(part)
    if not len(anchor) == len(scope) // 4 == n:
        raise ValueError("its columns are of unequal lengths")
    return (
        sources,
        scopes,
        np.frombuffer(anchor, "i1"),
        np.frombuffer(scope, "<i4"),
        _columns(said, sources, n),
    )


def _features(part: bytes, n: int) -> tuple[list[str], NDArray[np.float32]]:
    names, rows = _decode_features(part)
    return names, _columns(rows, names, n)


def _rules(part: bytes, items: int) -> HeldRules:
    rules, fits = _decode_rules(part)
    return HeldRules(rules, np.frombuffer(fits, "?").reshape(len(rules), items))


def _sections(stored: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The number, checksum and stored bytes of each section."""
    if not stored or not 1 <= stored[0] <= FORMAT:
        version = stored[0] if stored else "none"
        raise UnreadableInputs(f"inputs of form {version}; this release reads 1 to {FORMAT}")
    at = 1
    while at < len(stored):
        if at + _HEAD.size > len(stored):
            raise UnreadableInputs("the inputs end within a section's head")
        number, length, crc = _HEAD.unpack_from(stored, at)
        at += _HEAD.size
        if at + length > len(stored):
            raise UnreadableInputs(f"{_name(number)}: it goes on after the end")
        yield number, crc, stored[at : at + length]
        at += length


def _name(number: int) -> str:
    return SECTIONS[number] if number < len(SECTIONS) else f"section {number}"


def _bytes(values: NDArray[Any], dtype: str) -> bytes:
    return np.ascontiguousarray(values, dtype).tobytes()
