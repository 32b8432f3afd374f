"""What one accepted event says about items: the row from which all item statistics are made."""

from __future__ import annotations

from hashlib import blake2b

import msgspec


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase says of an item beside being a step to it.

    `mates` are items of the same order, `viewed` items that the user looked at before and did not buy, newest
    first. `days` passed since the same user bought the item last: 0 where they are not known to have, or did so on
    that day. `areas` are what the sums of repeated purchases go by, see `areas_of`.
    """

    mates: tuple[str, ...] = ()
    viewed: tuple[str, ...] = ()
    days: int = 0
    areas: tuple[str, ...] = ()


class ItemStep(msgspec.Struct, frozen=True, kw_only=True):
    """A user went on to `item`. It carries no user id.

    `prev` are the user's items before it, newest first, at most 5 and none of them `item`; `apart` are the ms
    that lie between each of them and `item`, none where none are given. `scopes` are the scopes of popularity it
    counts in ('all', 'category:<top level>', 'country:<code>'). `weight` says how much the type of event counts (a
    purchase more than a view). `session` numbers the user's session, unique over all users. `time` is the event's,
    in ms. `purchase` says more of a purchase.

    >>> ItemStep(item="85123A", prev=("71053",), scopes=("all",), weight=1.0, session=7, time=1_000).prev
    ('71053',)
    """

    item: str
    prev: tuple[str, ...]
    scopes: tuple[str, ...]
    weight: float
    session: int
    time: int
    apart: tuple[int, ...] = ()
    purchase: Purchase | None = None


ITEM_AREA = "item:"
"""Before the id of an item where it is an area."""


def areas_of(item: str, category_scope: str | None) -> tuple[str, ...]:
    """What a purchase counts for where repeated purchases are summed up: the item, its top category, all there is.

    >>> areas_of("soap", "category:Bath")
    ('item:soap', 'category:Bath', 'all')
    """
    own = ITEM_AREA + item
    return (own, "all") if category_scope is None else (own, category_scope, "all")


def top_level(category: str) -> str:
    """The first level of a category path.

    >>> top_level("Garden/Lights/Solar")
    'Garden'
    """
    return category.split("/", 1)[0]


def session_key(uid: str, number: int) -> int:
    """The number of a user's session over all users: 63 bits of BLAKE2b (RFC 7693), so that it tells no
    pseudonym.

    >>> session_key("9dc6a1e4ef03b1e5e9a1ce44", 1) == session_key("9dc6a1e4ef03b1e5e9a1ce44", 2)
    False
    """
    return int.from_bytes(blake2b(f"{uid}/{number}".encode(), digest_size=8).digest(), "little") >> 1
