"""What the evaluation protocols ask of every list, and which events touch an item."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas.records import Event

TOUCHING = frozenset({"view", "click", "like", "rating", "add_to_cart", "purchase"})
"""Event types by which a user touches the event's item."""

LENGTH = 20
"""Places of a list."""


class BrokenList(ValueError):  # noqa: N818 (named for what it says, as the other refusals)
    """A list that the protocol does not allow; the message names the recommender and what is wrong."""


def touches(event: Event) -> bool:
    """Whether an event touches its item.

    >>> touches(Event(event_id="1", user_id="ann", type="view", time=0, item_id="mug"))
    True
    >>> touches(Event(event_id="2", user_id="ann", type="search", time=0))
    False
    """
    return event.item_id is not None and event.type in TOUCHING


def fault_of(
    made: Sequence[int], items: int, unknown: str, barred: Callable[[int], bool], why_barred: str
) -> str | None:
    """What is wrong with a list of item numbers, None for nothing.

    It holds at most `LENGTH` items, none twice, none from `items` on (`unknown` says what those are), and none
    that is `barred` (`why_barred` says why).

    >>> fault_of([0, 2, 0], 3, "is new", lambda item: item == 2, "was touched")
    'holds an item twice'
    >>> fault_of([0, 2], 3, "is new", lambda item: item == 2, "was touched")
    'was touched'
    """
    if len(made) > LENGTH:
        return f"holds {len(made)} items; at most {LENGTH} are allowed"
    if len(set(made)) < len(made):
        return "holds an item twice"
    if made and not 0 <= min(made) <= max(made) < items:
        return unknown
    return why_barred if any(map(barred, made)) else None
