"""What the demo page shows of the values in Redis. An unreadable value shows as one not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from operators.reasons import without_rule
from schemas.records import Item
from schemas.redis_values import ProfileValue, RecValue, SlotValue, TrendingValue

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


class UserView(NamedTuple):
    """What is known of a user: the list of `home`, the profile, and the lists of other slots by name."""

    ranked: RecValue | None
    profile: ProfileValue | None
    slots: dict[str, SlotValue]


def read_user(stored: Sequence[bytes | None], slots: Sequence[str]) -> UserView:
    """A user's values: list, profile, and one of each of `slots`.

    A user's lists are written together, so one of another version than that of `home` is of former settings, and
    left out.
    """
    ranked, profile = read_list(stored[0]), read_profile(stored[1])
    others = {name: _read(value, SlotValue) for name, value in zip(slots, stored[2:], strict=True)}
    version = ranked.seq if ranked else None
    return UserView(
        ranked, profile, {name: each for name, each in others.items() if each and each.seq == version}
    )


def mentioned_items(view: UserView) -> set[str]:
    """Every item id that lists, their reasons or the profile of a user name."""
    ids: set[str] = {each.item for each in view.slots.values() if each.item}
    for ranked in (view.ranked, *view.slots.values()):
        for item, _, why in ranked.items if ranked else ():
            ids.add(item)
            if why.startswith(BECAUSE):
                ids.add(without_rule(why).partition(":")[2])
    ids.update(item for item, *_ in (view.profile.recent if view.profile else ()))
    return ids


def shown_user(uid: str, view: UserView, items: dict[str, Shown]) -> Shown:
    """A user as the page gets them: lists, profile, and the catalogue entries that these name."""
    return {
        "uid": uid,
        "rec": msgspec.to_builtins(view.ranked) if view.ranked else None,
        "slots": {name: msgspec.to_builtins(each) for name, each in view.slots.items()},
        "profile": msgspec.to_builtins(view.profile) if view.profile else None,
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
