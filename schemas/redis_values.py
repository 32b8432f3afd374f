"""The JSON that downstream applications find in Redis, and the exact bytes of it.

A user's two values begin with the same 38 characters, `{"v":1,"seq":"<13 digits>.<10 digits>`, so that
the publishing script compares versions by `GETRANGE` and never parses JSON. Times are ms since 1970, UTC.
Fields may be added behind the documented ones without a new `v`; a field never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from schemas.records import Item
from schemas.redis_keys import SEQ_LENGTH

SEQ_START: Final = len('{"v":1,"seq":"')
SEQ_END: Final = SEQ_START + SEQ_LENGTH
"""`value[SEQ_START:SEQ_END]` is the version of a rec or profile value."""

_UNITS: Final = 1e6
"""Numbers keep six decimals: `round(x * _UNITS) / _UNITS` takes a fifth of the time of `round(x, 6)`."""

_encoder = msgspec.json.Encoder()


class RecValue(msgspec.Struct, frozen=True, kw_only=True):
    """`hr:rec:{uid}`: the user's list, best first. An item is `[item_id, score, why]`.

    `at` is the event time the list was computed for; `model` names the ranker; `experiment` maps
    experiment to variant. `why` is `because_viewed:<item_id>`,
    `because_bought:<item_id>`, `similar:<item_id>`, `trending:<scope>`, `new` or `for_you`, and behind it
    `;rule:<name>` where a context rule moved the item.
    """

    v: int = 1
    seq: str
    id: str
    at: int
    model: str
    experiment: dict[str, str] = {}
    items: Sequence[tuple[str, float, str]] = ()


class SlotValue(RecValue, frozen=True, kw_only=True):
    """`hr:rec:{uid}:<slot>`: the user's list in another slot than `home`.

    As `RecValue`, and behind it the `slot`, and in `item` the one that a list about an item goes with (null: none).
    """

    slot: str
    item: str | None = None


class SessionValue(msgspec.Struct, frozen=True, kw_only=True):
    """The user's latest session: its number counted from 1, when it began and last moved (ms), its events."""

    number: int = 0
    start: int = 0
    last: int = 0
    depth: int = 0


class DriftValue(msgspec.Struct, frozen=True, kw_only=True):
    """How often the user's taste was seen to change, when last (0: never), on how many labelled events."""

    drifts: int = 0
    at: int = 0
    labelled: int = 0


class ProfileValue(msgspec.Struct, frozen=True, kw_only=True):
    """`hr:profile:{uid}`: what is known of the user now.

    `at` is the time of the user's latest event and `events` the accepted ones. `types` and `categories`
    are decayed counts as of `at`, `affinities` `[category, probability that the next engaging event is there]`
    best first, `recent` `[item_id, time, type, category]` newest first. `learning` names the classes that learn
    and detect.
    `features` are profile features by name, as of `at`, those without a value left out, and `attributes` what
    counts of the profile attributes. `traffic` says why the user is taken for a bot or for internal traffic.
    """

    v: int = 1
    seq: str
    at: int
    born: int
    events: int
    country: str | None = None
    device: str | None = None
    session: SessionValue = SessionValue()
    types: dict[str, float] = {}
    categories: dict[str, float] = {}
    affinities: Sequence[tuple[str, float]] = ()
    recent: Sequence[tuple[str, int, str, str]] = ()
    segments: Sequence[str] = ()
    persona: str | None = None
    drift: DriftValue = DriftValue()
    learning: dict[str, str] = {}
    features: dict[str, float | str | bool] = {}
    attributes: dict[str, float | str | bool] = {}
    traffic: Sequence[str] = ()


class SimilarValue(msgspec.Struct, frozen=True, kw_only=True):
    """`hr:similar:{item_id}`: what goes with the item, best first, as `[item_id, score]`.

    A score is the decayed sum of visits together, as a share of the list's best; `at` is when it was made.
    """

    v: int = 1
    at: int
    items: Sequence[tuple[str, float]] = ()


class TrendingValue(msgspec.Struct, frozen=True, kw_only=True):
    """`hr:trending:{scope}`: popular now within the scope, best first, as `[item_id, score]`.

    A score is the decayed sum of event weights, as a share of the list's best; `at` is when it was made.
    """

    v: int = 1
    at: int
    scope: str
    items: Sequence[tuple[str, float]] = ()


class SegmentChangeValue(msgspec.Struct, frozen=True, kw_only=True):
    """A message on `hr:changes`; the publishing script writes it, this reads it."""

    v: int
    uid: str
    seq: str
    entered: tuple[str, ...]
    left: tuple[str, ...]


def rec_value(value: RecValue) -> bytes:
    """The bytes of `hr:rec:{uid}`. Scores are written as given: the ranker rounds a whole batch in one call.

    >>> value = RecValue(seq="1700000000000.0000000001", id="r", at=5, model="m", items=[("A", 0.5, "")])
    >>> rec_value(value)[SEQ_END:]
    b'","id":"r","at":5,"model":"m","experiment":{},"items":[["A",0.5,""]]}'

    Raises `ValueError` when `seq` is not a version as `redis_keys.seq` writes it.
    """
    return _versioned(value)


def slot_value(value: SlotValue) -> bytes:
    """The bytes of `hr:rec:{uid}:<slot>`.

    >>> slot_value(SlotValue(seq="1700000000000.0000000001", id="r", at=5, model="m", slot="cart"))[SEQ_END:]
    b'","id":"r","at":5,"model":"m","experiment":{},"items":[],"slot":"cart","item":null}'

    Raises `ValueError` when `seq` is not a version as `redis_keys.seq` writes it.
    """
    return _versioned(value)


def profile_value(value: ProfileValue) -> bytes:
    """The bytes of `hr:profile:{uid}`. Counts and probabilities keep six decimals, features three.

    Raises `ValueError` when `seq` is not a version as `redis_keys.seq` writes it.
    """
    rounded = msgspec.structs.replace(
        value,
        types=_rounded(value.types),
        categories=_rounded(value.categories),
        affinities=_rounded_pairs(value.affinities),
        features={name: _short(feature) for name, feature in value.features.items()},
    )
    return _versioned(rounded)


def similar_value(value: SimilarValue) -> bytes:
    """The bytes of `hr:similar:{item_id}`. Scores keep six decimals."""
    return _encoder.encode(msgspec.structs.replace(value, items=_rounded_pairs(value.items)))


def trending_value(value: TrendingValue) -> bytes:
    """The bytes of `hr:trending:{scope}`. Scores keep six decimals."""
    return _encoder.encode(msgspec.structs.replace(value, items=_rounded_pairs(value.items)))


_ITEM_ALWAYS: Final = ("title", "category", "price", "currency", "in_stock")


def item_value(item: Item) -> bytes:
    """The bytes of `hr:item:{item_id}`: the main fields always, any other field where it is set.

    >>> item_value(Item(item_id="A", title="Mug", price=2.5, tags=("red",)))
    b'{"v":1,"item_id":"A","title":"Mug","category":"?","price":2.5,"currency":null,"in_stock":true,"tags":["red"]}'
    """
    fields: dict[str, Any] = {"v": 1, "item_id": item.item_id}
    fields.update((name, getattr(item, name)) for name in _ITEM_ALWAYS)
    for name in item.__struct_fields__:
        value = getattr(item, name)
        if name not in fields and value not in (None, (), {}, False):
            fields[name] = value
    return _encoder.encode(fields)


def seq_of(value: bytes) -> str:
    """The version of a rec or profile value.

    Raises `ValueError` when the value does not begin as those do.
    """
    if (
        len(value) < SEQ_END
        or not value.startswith(b'{"v":')
        or value[SEQ_START - 8 : SEQ_START] != b',"seq":"'
    ):
        raise ValueError(f"not a versioned value: it begins {value[:SEQ_END]!r}")
    return value[SEQ_START:SEQ_END].decode("ascii")


def _versioned(value: RecValue | ProfileValue) -> bytes:
    if len(value.seq) != SEQ_LENGTH:
        raise ValueError(
            f"version {value.seq!r} is not {SEQ_LENGTH} characters long; make it with redis_keys.seq"
        )
    return _encoder.encode(value)


def _rounded(numbers: dict[str, float]) -> dict[str, float]:
    return {name: round(number * _UNITS) / _UNITS for name, number in numbers.items()}


def _short(feature: float | str | bool) -> float | str | bool:
    return round(feature * 1e3) / 1e3 if isinstance(feature, float) else feature


def _rounded_pairs(pairs: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    return [(name, round(score * _UNITS) / _UNITS) for name, score in pairs]
