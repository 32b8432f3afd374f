"""The items and categories that a user touched last, newest first: what sequence models and people read."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.state import UserState


def last_items(user: UserState, most: int) -> list[str]:
    """The last `most` items, each once, newest first.

    >>> from schemas.state import RecentItem
    >>> ann = UserState("u", born=0, recent=[RecentItem("a", 1, "view", "Toys"), RecentItem("b", 2, "view", "?")])
    >>> last_items(ann, 5)
    ['b', 'a']
    """
    return [entry.item_id for entry in user.recent[: -most - 1 : -1]]


def last_categories(user: UserState, most: int) -> list[str]:
    """The last `most` categories, newest first, known ones only; one that goes on is named once.

    >>> from schemas.state import RecentItem
    >>> seen = ["Toys", "Toys", "?", "Garden"]
    >>> ann = UserState("u", 0, recent=[RecentItem(str(k), k, "view", seen[k]) for k in range(4)])
    >>> last_categories(ann, 5)
    ['Garden', 'Toys']
    """
    found: list[str] = []
    for category in _known_backwards(user):
        if found and found[-1] == category:
            continue
        if len(found) == most:
            break
        found.append(category)
    return found


def category_variety(user: UserState) -> int:
    """How many known categories the user's recent items are of.

    >>> category_variety(UserState("u", born=0))
    0
    """
    return len(set(_known_backwards(user)))


def _known_backwards(user: UserState) -> Iterator[str]:
    return (entry.category for entry in reversed(user.recent) if entry.category != "?")
