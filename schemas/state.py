"""The one record that is kept per user, its compact encoding, and its migrations.

A stored record is one version byte followed by MessagePack. A record of an older version is brought
forward one step at a time by `MIGRATIONS`; the bytes of every version ever released stay readable
(`tests/contract/golden/`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

STATE_VERSION = 1


class RecentItem(msgspec.Struct, array_like=True, frozen=True):
    """An item the user touched: when (ms), by which event type, and its category at that time."""

    item_id: str
    time: int
    type: str
    category: str


class Session(msgspec.Struct, array_like=True):
    """The user's latest session. `number` counts sessions from 1; `depth` counts its events."""

    number: int = 0
    start: int = 0
    last: int = 0
    depth: int = 0


class PriceScale(msgspec.Struct, array_like=True):
    """Running mean and variance of log price, in river's `StandardScaler` form."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0


class Affinity(msgspec.Struct, array_like=True):
    """The online affinity model of one user: weights, price scale, and what drift detection needs.

    `weights` are little-endian float32; `errors` are prediction errors not yet fed to the detector;
    `boost` is the number of labelled events for which the learning rate is still raised.
    """

    weights: bytes = b""
    price: PriceScale = msgspec.field(default_factory=PriceScale)
    labelled: int = 0
    errors: list[float] = msgspec.field(default_factory=list)
    boost: int = 0
    drifts: int = 0
    drifted_at: int = 0


class UserState(msgspec.Struct, array_like=True):
    """What is known of one user now. Times are event times in ms; nothing here is raw identity.

    `born` is the record time of the first event of this state and `n` counts accepted events since:
    together they are the version of everything published for the user. `seen` holds the 64-bit hashes
    of the last event ids, `bought` the 32-bit hashes of items bought, `touched` of those touched otherwise,
    oldest first. Decayed counters are sums of 2^(-age / half-life) with age measured at `last`.
    """

    uid: str
    born: int
    n: int = 0
    last: int = 0
    seen: bytes = b""
    session: Session = msgspec.field(default_factory=Session)
    types: dict[str, float] = msgspec.field(default_factory=dict)
    categories: dict[str, float] = msgspec.field(default_factory=dict)
    recent: list[RecentItem] = msgspec.field(default_factory=list)
    touched: bytes = b""
    bought: bytes = b""
    affinity: Affinity = msgspec.field(default_factory=Affinity)
    device: str | None = None
    country: str | None = None
    segments: list[str] = msgspec.field(default_factory=list)


class UnreadableState(ValueError):  # noqa: N818 (named like the other refusals)
    """A stored user record that no released version can read."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(UserState).decode
_PREFIX = bytes([STATE_VERSION])

MIGRATIONS: dict[int, Callable[[list[Any]], list[Any]]] = {}
"""`MIGRATIONS[v]` turns the plain fields of version v into those of version v + 1."""


def encode_state(state: UserState) -> bytes:
    """The stored bytes of a user record.

    >>> decode_state(encode_state(UserState("u", born=5))).born
    5
    """
    return _PREFIX + _encode(state)


def decode_state(stored: bytes) -> UserState:
    """The user record of stored bytes, of whatever released version.

    Raises `UnreadableState` when the version is unknown or the bytes do not parse.
    """
    if not stored:
        raise UnreadableState("a stored user record is empty")
    version = stored[0]
    try:
        if version == STATE_VERSION:
            return _decode(memoryview(stored)[1:])
        fields = msgspec.msgpack.decode(memoryview(stored)[1:])
        while version != STATE_VERSION:
            fields = MIGRATIONS[version](fields)
            version += 1
        return msgspec.convert(fields, UserState)
    except KeyError as missing:
        raise UnreadableState(
            f"a stored user record has version {stored[0]}; this release reads 1 to {STATE_VERSION}"
        ) from missing
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UnreadableState(
            f"a stored user record of version {stored[0]} does not parse: {error}"
        ) from error
