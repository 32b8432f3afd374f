"""Shoppers of three kinds that personas can tell apart, and events of theirs."""

from __future__ import annotations

import random

from schemas.records import Context, Event
from tests.pipeline.story import BEGIN, DAY, HOUR, ITEMS

MONDAY = BEGIN - BEGIN % DAY + (4 - BEGIN // DAY) % 7 * DAY + 28 * DAY
"""Midnight of a Monday after the story: day 4 since 1970 was one."""

EVENTS_A_VISIT = 8
KINDS = 3


def visits(user: str, kind: int, count: int, since: int = MONDAY) -> list[Event]:
    """So many visits of a user: by phone on weekday evenings (0), buying much on Saturdays (1), or often in the
    morning to like and to read (2). `since` is the midnight of a Monday."""
    drawn = random.Random(f"{user}/{kind}/{since}")
    events = []
    for number in range(count):
        day, hour = (
            (number // 5 * 7 + number % 5, 19),
            (number * 7 + 5, 13),
            (number // 7 * 7 + number % 7, 7),
        )[kind]
        at = since + day * DAY + hour * HOUR + drawn.randrange(HOUR)
        for place in range(EVENTS_A_VISIT):
            events.append(_event(user, kind, f"{since}-{number}-{place}", at, place, drawn))
            at += drawn.randrange(20_000, 60_000)
    return events


def _event(user: str, kind: int, mark: str, at: int, place: int, drawn: random.Random) -> Event:
    item = drawn.choice(ITEMS)
    type = (
        ("view", "scroll", "view", "add_to_cart"),
        ("view", "purchase", "purchase", "purchase"),
        ("view", "like", "dwell", "like"),
    )[kind][place % 4]
    value = {
        "scroll": drawn.uniform(0.7, 1.0),
        "dwell": drawn.uniform(40.0, 90.0),
        "purchase": item.price,
    }.get(type)
    return Event(
        event_id=f"{user}-{mark}",
        user_id=user,
        type=type,
        time=at,
        item_id=item.item_id,
        value=value,
        quantity=float(drawn.randrange(5, 15)) if type == "purchase" else None,
        order_id=f"{user}-{mark.rsplit('-', 1)[0]}" if type == "purchase" else None,
        context=Context(device="iPhone" if kind == 0 else "desktop"),
    )
