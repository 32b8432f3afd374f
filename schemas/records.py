"""Typed records of all that flows, field for field as in `avro/*.avsc`. Times are ms since 1970, UTC."""

from __future__ import annotations

import msgspec

EVENT_TYPES = frozenset(
    {
        "view", "click", "search", "scroll", "dwell", "form_submit", "like", "dislike", "rating",
        "add_to_cart", "remove_from_cart", "purchase", "refund", "impression",
        "identify", "profile_update", "consent", "forget",
    }
)  # fmt: skip


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Where an event came from."""

    device: str | None = None
    country: str | None = None
    region: str | None = None
    locale: str | None = None
    page: str | None = None
    referrer: str | None = None
    user_agent: str | None = None


NO_CONTEXT = Context()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that one user did. `time` is when it happened; `sent` is the producer's wall clock."""

    event_id: str
    user_id: str
    type: str
    time: int
    session_id: str | None = None
    item_id: str | None = None
    value: float | None = None
    quantity: float | None = None
    query: str | None = None
    order_id: str | None = None
    currency: str | None = None
    anonymous_id: str | None = None
    site: str | None = None
    slot: str | None = None
    context: Context = NO_CONTEXT
    rec_id: str | None = None
    position: int | None = None
    items: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    sent: int | None = None


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """How an item is sold in one country or on one site."""

    price: float | None = None
    currency: str | None = None
    in_stock: bool = True


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One catalogue entry, as its owner last sent it. `category` is a path, its parts joined by '/'."""

    item_id: str
    title: str = ""
    category: str = "?"
    group_id: str | None = None
    price: float | None = None
    currency: str | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None
    image_url: str | None = None
    language: str | None = None
    length: float | None = None
    media: str | None = None
    in_stock: bool = True
    markets: dict[str, Market] = {}
    published_at: int | None = None
    expires_at: int | None = None
    attributes: dict[str, str] = {}
    deleted: bool = False


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of configuration for the running job; `body` is JSON."""

    kind: str
    name: str
    version: int
    body: str = "{}"
    deleted: bool = False


class ScoredItem(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a list. `sources` holds each candidate source's own score."""

    item_id: str
    score: float
    why: str
    sources: dict[str, float] = {}


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """The log of one computed list. `uid` is the pseudonym, never the raw user id.

    `at` is the time of the user's latest event, `written_at` the wall clock when Redis had acknowledged it.
    `inputs` is what the list was made from (`schemas.list_inputs`), None for most lists.
    """

    rec_id: str
    uid: str
    seq: str
    at: int
    written_at: int
    model: str
    slot: str = "home"
    experiment: dict[str, str] = {}
    inputs: bytes | None = None
    items: tuple[ScoredItem, ...] = ()


class SegmentChange(msgspec.Struct, frozen=True, kw_only=True):
    """A user entered or left a segment; `evidence` holds the numbers that decided."""

    uid: str
    segment: str
    change: str
    at: int
    version: int
    evidence: dict[str, float] = {}


class DriftAlert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was steady has changed: a user's fit to their profile, a pool of users, or the stream.

    `scope` says whose it was, USER, POOL or STREAM; `uid` is empty unless it was a user's, `pool` None unless
    it was a pool's. `signal` is the figure that changed, `error_before` and `error_after` what it was and is:
    for `prediction_error` means in [0, 1].
    """

    uid: str
    detector: str
    at: int
    labelled: int
    error_before: float
    error_after: float
    scope: str = "user"
    pool: str | None = None
    signal: str = "prediction_error"
    reason: str = ""


USER = "user"
POOL = "pool"
STREAM = "stream"
"""Scopes of a drift alert."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be used, whole, with where it came from and why it was put aside."""

    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    time: int
    payload: bytes
