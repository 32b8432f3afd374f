"""Visitors of the demo page: what a click may say, how often, and the event that it becomes."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jobs.page_view import Shown
from operators.refresh import TokenBucket
from schemas.errors import HeadraceError
from schemas.records import Context, Event

MOST_VISITORS = 1_000
CLICKS_PER_S = 5.0
CLICKS_AT_ONCE = 15
ALL_CLICKS_PER_S = 200.0

VisitorId = Annotated[str, Meta(pattern=r"^visitor-[0-9a-f]{32}$")]
"""Made at random by each browser tab. The prefix keeps visitors apart from the shop's own users."""


class Click(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a page sends when its visitor clicks. `click` is the page's own name for it."""

    visitor: VisitorId
    click: Annotated[str, Meta(pattern=r"^[0-9a-z]{1,16}$")]
    type: Literal["view", "like", "add_to_cart", "purchase"]
    item_id: Annotated[str, Meta(min_length=1, max_length=200)]
    rec_id: Annotated[str, Meta(max_length=100)] | None = None
    position: Annotated[int, Meta(ge=0, le=100)] | None = None
    device: Literal["phone", "desktop"] | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None


class TooManyClicks(HeadraceError):  # noqa: N818 (a state, told as one sentence)
    """A visitor, or all visitors together, click faster than the page lets through."""


@dataclass
class Visitor:
    """One browser tab. `events` counts what it sent, from `known` that its list already covered before."""

    bucket: TokenBucket
    known: int = 0
    events: int = 0
    last_time: int = 0


class Visitors:
    """The last `MOST_VISITORS` visitors, and the limit on each and on all. Clocks are passed in."""

    def __init__(self) -> None:
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()
        self._all = TokenBucket(ALL_CLICKS_PER_S, int(ALL_CLICKS_PER_S))

    def admit(self, visitor_id: str, now: int) -> tuple[Visitor, bool]:
        """The visitor of a click at wall clock `now` (ms), and whether it is new. Raises `TooManyClicks`."""
        visitor = self._visitors.get(visitor_id)
        new = visitor is None
        if visitor is None:
            visitor = Visitor(TokenBucket(CLICKS_PER_S, CLICKS_AT_ONCE))
            self._visitors[visitor_id] = visitor
            if len(self._visitors) > MOST_VISITORS:
                self._visitors.popitem(last=False)
        self._visitors.move_to_end(visitor_id)
        if not visitor.bucket.take(now):
            raise TooManyClicks("That was too fast: wait a second between clicks.")
        if not self._all.take(now):
            raise TooManyClicks("Too many visitors click at once: try again in a second.")
        return visitor, new


def event_of(click: Click, item: Shown | None, visitor: Visitor, clock: int, sent: int) -> Event:
    """The event of a click: `clock` is the replay clock, `sent` the wall clock, both ms.

    A visitor's events keep their order in time, also where the replay clock stands still.
    """
    time = max(clock, visitor.last_time + 1)
    visitor.last_time = time
    bought = click.type in ("add_to_cart", "purchase")
    event_id = uuid.uuid4().hex
    return Event(
        event_id=event_id,
        user_id=click.visitor,
        type=click.type,
        time=time,
        sent=sent,
        item_id=click.item_id,
        value=item["price"] if item and bought else None,
        currency=item["currency"] if item and bought else None,
        quantity=1.0 if bought else None,
        order_id=f"demo-{event_id}" if click.type == "purchase" else None,
        context=Context(device=click.device, country=click.country, page="demo"),
        rec_id=click.rec_id,
        position=click.position,
    )
