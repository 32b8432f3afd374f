"""What the demo page shows of the values in Redis. An unreadable value shows as one not there."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from operators.reasons import without_rule
from schemas.records import Item
from schemas.redis_values import ProfileValue, RecValue, TrendingValue

T = TypeVar("T")
Shown = dict[str, Any]
"""A JSON object for the page."""

BECAUSE = ("because_", "similar:")
"""A reason that begins so names an item: `because_viewed:<item_id>`, `similar:<item_id>`."""


def _read(stored: bytes | None, kind: type[T]) -> T | None:
    if stored is None:
        return None
    try:
        return msgspec.json.decode(stored, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def read_list(stored: bytes | None) -> RecValue | None:
    """A user's list, or None."""
    return _read(stored, RecValue)


def read_profile(stored: bytes | None) -> ProfileValue | None:
    """A user's profile, or None."""
    return _read(stored, ProfileValue)


def ranked_items(stored: bytes | None) -> list[str]:
    """The item ids of a trending value, best first."""
    value = _read(stored, TrendingValue)
    return [item for item, _ in value.items] if value else []


def events_covered(ranked: RecValue) -> int:
    """How many of its user's accepted events a list was made from: the last part of its version."""
    events = ranked.seq.rpartition(".")[2]
    return int(events) if events.isascii() and events.isdecimal() else 0


def mentioned_items(ranked: RecValue | None, profile: ProfileValue | None) -> set[str]:
    """Every item id that a list, its reasons or a profile names."""
    ids: set[str] = set()
    for item, _, why in ranked.items if ranked else ():
        ids.add(item)
        if why.startswith(BECAUSE):
            ids.add(without_rule(why).partition(":")[2])
    ids.update(item for item, *_ in (profile.recent if profile else ()))
    return ids


def shown_user(
    uid: str, ranked: RecValue | None, profile: ProfileValue | None, items: dict[str, Shown]
) -> Shown:
    """A user as the page gets them: list, profile, and the catalogue entries that both name."""
    return {
        "uid": uid,
        "rec": msgspec.to_builtins(ranked) if ranked else None,
        "profile": msgspec.to_builtins(profile) if profile else None,
        "items": items,
    }


def shown_item(item_id: str, stored: bytes | None) -> Shown | None:
    """A catalogue entry as the page gets it, or None where it is unknown or deleted."""
    item = _read(stored, Item)
    if item is None or item.deleted:
        return None
    return {
        "id": item_id,
        "title": item.title or item_id,
        "category": item.category,
        "price": item.price,
        "currency": item.currency,
        "in_stock": item.in_stock,
    }
