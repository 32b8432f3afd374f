"""What the shelf is fed with: changes of the item side, also the wire format of the streams in Redis.

Scores `s` are logarithms of forward-decayed sums, `ln(sum of w * exp(rate * (t - epoch start))) + rate *
epoch start` with t in ms: they are comparable for ever, and the sum as decayed until time T is `exp(s -
rate * T)`. A greater `s` supersedes a smaller one of the same key, so records may come twice and in any
order.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from operators.context_rules import RuleRecord
from operators.experiment_record import ExperimentRecord
from operators.model_records import CategoryAffinities
from operators.model_reference import ModelRecord
from schemas.records import Item


class Items(msgspec.Struct, tag="items", frozen=True):
    """Catalogue entries, each the whole of what is now known of its item."""

    items: list[Item]


class Arrivals(msgspec.Struct, tag="new", frozen=True):
    """`items[k]` came to the catalogue at `times[k]` (ms). Of several times of an item the earliest counts."""

    items: list[str]
    times: list[int]


class CoVisits(msgspec.Struct, tag="co", frozen=True):
    """`b[k]` goes with `a[k]`, with score `s[k]`."""

    a: list[str]
    b: list[str]
    s: list[float]


class PurchaseScores(msgspec.Struct, tag="buy", frozen=True):
    """`b[k]` of `a[k]` has score `s[k]`, among sums of a `kind` (`operators.purchase_sums.PurchaseKind`)."""

    kind: str
    a: list[str]
    b: list[str]
    s: list[float]


class Popularity(msgspec.Struct, tag="pop", frozen=True):
    """`items[k]` is popular in `scopes[k]`, with score `s[k]`."""

    scopes: list[str]
    items: list[str]
    s: list[float]


class SessionSteps(msgspec.Struct, tag="steps", frozen=True):
    """Session `sessions[k]` went on to `items[k]` at `times[k]` (ms), in the order of the stream."""

    sessions: list[int]
    items: list[str]
    times: list[int]


ShelfRecord = (
    Items
    | Arrivals
    | CoVisits
    | PurchaseScores
    | Popularity
    | SessionSteps
    | CategoryAffinities
    | ModelRecord
    | RuleRecord
    | ExperimentRecord
)
"""The last three travel with the others and are none of the shelf's: the worker's followers of models and of slots take
them."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[ShelfRecord]).decode


def encode_records(records: Iterable[ShelfRecord]) -> bytes:
    """A batch of records as MessagePack, each tagged with its kind.

    >>> decode_records(encode_records([CoVisits(["a"], ["b"], [1.5])]))
    [CoVisits(a=['a'], b=['b'], s=[1.5])]
    """
    return _encode(list(records))


def decode_records(stored: bytes) -> list[ShelfRecord]:
    """The records of `encode_records`. Raises `msgspec.DecodeError` or `ValidationError` for other bytes."""
    return _decode(stored)
