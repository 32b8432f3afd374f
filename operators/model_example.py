"""What the stream's own models learn from: one engaging event, and what was known of its user before it.

It names neither user nor event. Examples are a sample of the stream by the hash of the event id, so a replay
takes the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import msgspec

from operators.item_facts import NOTHING_KNOWN, Catalogue
from operators.learner import linear_bytes
from schemas.records import Event
from schemas.state import UserState

MOST_SHARES = 8
"""Of how many of the user's most counted categories an example knows the share."""

MOST_LAST = 5
"""How many of the user's last categories an example knows."""

_SPAN = 2**32
_NEVER = 365 * 86_400_000


class ModelExample(msgspec.Struct, array_like=True, frozen=True):
    """An event of `type` on an item of `category` at `time` (ms), and its user just before.

    `draw` is 32 random bits of the event; `events` counts the user's, `depth` those of the session, `idle` is
    ms since the last; `shares` are parts of the user's decayed counts by category, `last` the categories of
    the last items, newest first; `weights` are the user's own linear weights (operators/learner.py).
    """

    draw: int
    time: int
    type: str
    category: str
    events: int = 0
    depth: int = 0
    idle: int = _NEVER
    device: str = "?"
    country: str = "?"
    shares: dict[str, float] = {}
    last: list[str] = []
    weights: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ModelExample).decode


def is_sampled(event_id: str, rate: float) -> bool:
    """Whether the event is of the sample, of which so large a share of all events is.

    >>> is_sampled("event-1", 1.0), is_sampled("event-1", 0.0)
    (True, False)
    """
    return crc32(event_id.encode()) < rate * _SPAN


def example_of(user: UserState, event: Event, category: str) -> ModelExample:
    """The example of an engaging event. Call it before the event changes the user's record.

    >>> event = Event(event_id="e1", user_id="ann", type="view", time=5, item_id="mug")
    >>> example_of(UserState("u", born=1), event, "Kitchen").category
    'Kitchen'
    """
    total = sum(user.categories.values())
    best = sorted(user.categories.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_SHARES]
    return ModelExample(
        draw=crc32(b"contrast:" + event.event_id.encode()),
        time=event.time,
        type=event.type,
        category=category,
        events=user.n,
        depth=user.session.depth,
        idle=max(0, event.time - user.last) if user.n else _NEVER,
        device=event.context.device or user.device or "?",
        country=event.context.country or user.country or "?",
        shares={name: count / total for name, count in best} if total > 0.0 else {},
        last=[recent.category for recent in reversed(user.recent[-MOST_LAST:])],
        weights=linear_bytes(user.affinity.weights) if user.affinity.weights else b"",
    )


def sampled_example(
    user: UserState,
    event: Event,
    catalogue: Catalogue,
    rate: float,
    label: Callable[[str, float | None], float],
) -> ModelExample | None:
    """The example of an event that is engaging by its `label` and of the sample, None for any other.

    To be asked before the user's record follows the event.

    >>> event = Event(event_id="e1", user_id="ann", type="view", time=5, item_id="mug")
    >>> sampled_example(UserState("u", born=1), event, {}, 1.0, lambda type, value: 0.5).category
    '?'
    """
    if event.item_id is None or not is_sampled(event.event_id, rate) or label(event.type, event.value) <= 0:
        return None
    return example_of(user, event, catalogue.get(event.item_id, NOTHING_KNOWN).category)


def encode_example(example: ModelExample) -> bytes:
    """The bytes of an example, some 400.

    >>> decode_example(encode_example(ModelExample(1, 2, "view", "Toys"))).category
    'Toys'
    """
    return _encode(example)


def decode_example(stored: bytes) -> ModelExample:
    """The example of such bytes. Raises `msgspec.DecodeError` or `ValidationError` for others."""
    return _decode(stored)
