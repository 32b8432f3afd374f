"""The one record that is kept per user, its compact encoding, and its migrations.

A stored record is one version byte followed by MessagePack. A record of an older version is brought
forward one step at a time by `MIGRATIONS`; the bytes of every version ever released stay readable
(`tests/contract/golden/`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from schemas.attributes import Attribute
from schemas.habits import Habits
from schemas.segment_memory import SegmentMemory
from schemas.traffic_state import Traffic

STATE_VERSION = 3

_TYPES = (
    "view", "click", "search", "scroll", "dwell", "form_submit", "like", "dislike", "rating",
    "add_to_cart", "remove_from_cart", "purchase", "refund", "impression",
    "identify", "profile_update", "consent", "forget",
)  # fmt: skip
"""Event types in the order of their stored numbers: new ones go to the end, none is ever moved."""

_NUMBER_OF = {type: number for number, type in enumerate(_TYPES)}


class RecentItem(msgspec.Struct, array_like=True, frozen=True):
    """An item the user touched: when (ms), by which event type, and its category at that time.

    `kind` is the stored number of the event type, or the type itself where it has none.

    >>> touched = RecentItem.of("mug", 5, "purchase", "Kitchen")
    >>> touched.kind, touched.type
    (11, 'purchase')
    """

    item_id: str
    time: int
    kind: int | str
    category: str

    @classmethod
    def of(cls, item_id: str, time: int, type: str, category: str) -> RecentItem:
        """The entry of an item touched by an event of `type`."""
        return cls(item_id, time, _NUMBER_OF.get(type, type), category)

    @property
    def type(self) -> str:
        """The event type."""
        kind = self.kind
        return kind if isinstance(kind, str) else _TYPES[kind]


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
    together they are the version of everything published for the user. `seen` holds the 48-bit hashes
    of the last event ids, `bought` the 32-bit hashes of items bought, `touched` of those touched otherwise,
    oldest first. Decayed counters are sums of 2^(-age / half-life) with age measured at `last`.
    `attributes` came with profile_update events: by name, the latest of each source; `lake_id` is the random
    pseudonym under which the user's events lie in the data lake. `consent` names the purposes agreed to (None:
    never asked). `basket` holds what is in the cart, by item the time at which it was put there. `bought_days` are
    16-bit days since 1970 beside the hashes of `bought` (operators/bought_items.py), `order` is the order that the
    user is at (operators/order_lines.py).
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
    habits: Habits = msgspec.field(default_factory=Habits)
    attributes: dict[str, list[Attribute]] = msgspec.field(default_factory=dict)
    segment_memory: SegmentMemory = msgspec.field(default_factory=SegmentMemory)
    persona: str | None = None
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    lake_id: bytes = b""
    consent: str | None = None
    basket: dict[str, int] = msgspec.field(default_factory=dict)
    bought_days: bytes = b""
    order: bytes = b""


class UnreadableState(ValueError):  # noqa: N818 (named like the other refusals)
    """A stored user record that no released version can read."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(UserState).decode
_PREFIX = bytes([STATE_VERSION])


def _shorter_hashes_and_numbered_types(fields: list[Any]) -> list[Any]:
    """Version 2 keeps 6 of the 8 bytes of each event id's hash and the number of a recent item's event type.

    Fields that it has beside those of version 1 are at the end and begin with their defaults.
    """
    seen, recent = fields[4], fields[8]
    fields[4] = b"".join(seen[at : at + 6] for at in range(0, len(seen), 8))
    fields[8] = [[item, time, _NUMBER_OF.get(type, type), category] for item, time, type, category in recent]
    return fields


def _as_it_was(fields: list[Any]) -> list[Any]:
    """Version 3 has days of purchases and the order that the user is at: at the end, begun with their defaults."""
    return fields


MIGRATIONS: dict[int, Callable[[list[Any]], list[Any]]] = {
    1: _shorter_hashes_and_numbered_types,
    2: _as_it_was,
}
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
    except (msgspec.DecodeError, msgspec.ValidationError, IndexError, TypeError, ValueError) as error:
        raise UnreadableState(
            f"a stored user record of version {stored[0]} does not parse: {error}"
        ) from error
