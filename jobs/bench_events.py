"""The traffic that `headrace bench` measures with: a shop's events of a fixed mix, users by Zipf's law."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.records import Context, Event, Item

MIX: dict[str, float] = {
    "view": 0.60,
    "scroll": 0.10,
    "impression": 0.05,
    "click": 0.15,
    "add_to_cart": 0.07,
    "purchase": 0.03,
}
"""Share of each event type."""

QUIET = frozenset({"scroll", "impression"})
"""The types of the mix that cannot change a list."""

LIST_CHANGING = sum(share for kind, share in MIX.items() if kind not in QUIET)
"""Share of the events that may change a list."""

CATEGORIES = 60
FAVOURITES = 3
LOYALTY = 0.8
"""Share of a user's events within the user's favourite categories."""

START = 1_760_000_000_000
COUNTRIES = ("GB", "DE", "FR", "US", "NL", "PL", "ES", "IT", "SE", "AT")
DEVICES = ("mobile", "desktop", "tablet")
_CHUNK = 50_000


@dataclass(frozen=True)
class Traffic:
    """What is generated. `per_second` is the rate in event time, `start` the time of the first event (ms).

    Users and the items of a category are drawn by Zipf's law with exponent `skew`. With `everyone`, the first
    `users` draws are one of each user, all draws then shuffled: so every user is among the events.
    """

    events: int
    users: int = 100_000
    items: int = 10_000
    skew: float = 1.0
    seed: int = 20_261_121
    start: int = START
    per_second: float = 1_000.0
    everyone: bool = False


def items_of(traffic: Traffic) -> list[Item]:
    """The catalogue of this traffic.

    >>> items_of(Traffic(events=0, items=61))[60].category
    'Department 0/Shelf 0'
    """
    prices = np.random.default_rng(traffic.seed).lognormal(2.5, 0.8, traffic.items).round(2).tolist()
    return [
        Item(
            item_id=_item_id(number),
            title=f"Product {number}",
            category=_category(number % CATEGORIES),
            price=max(price, 0.01),
            currency="EUR",
        )
        for number, price in enumerate(prices)
    ]


def events_of(traffic: Traffic) -> Iterator[Event]:
    """The events in order of time, without `sent`: the same ones for the same settings.

    >>> first = next(events_of(Traffic(events=10, users=5)))
    >>> first.time == START, first.sent is None
    (True, True)
    """
    rng = np.random.default_rng(traffic.seed)
    law = zipf(traffic.users, traffic.skew)
    in_category = zipf(max(traffic.items // CATEGORIES, 1), traffic.skew)
    favourites = np.random.default_rng(traffic.seed + 1).integers(
        0, CATEGORIES, (traffic.users, FAVOURITES), np.int16
    )
    ordered = _everyone(traffic, law, rng) if traffic.everyone else None
    kinds, shares = list(MIX), np.cumsum(list(MIX.values()))
    for first in range(0, traffic.events, _CHUNK):
        n = min(_CHUNK, traffic.events - first)
        users = drawn(law, n, rng) if ordered is None else ordered[first : first + n]
        loyal = rng.random(n) < LOYALTY
        chosen = np.where(
            loyal, favourites[users, rng.integers(0, FAVOURITES, n)], rng.integers(0, CATEGORIES, n)
        )
        numbers = (drawn(in_category, n, rng) * CATEGORIES + chosen) % traffic.items
        types = np.searchsorted(shares, rng.random(n) * shares[-1], side="right")
        fractions = rng.random(n).round(3)
        for k, (user, item, kind, fraction) in enumerate(
            zip(users.tolist(), numbers.tolist(), types.tolist(), fractions.tolist(), strict=True), first
        ):
            yield _event(traffic, k, user, item, kinds[kind], fraction)


def zipf(size: int, skew: float) -> NDArray[np.float64]:
    """Cumulative shares of ranks 1 to `size`, the k-th proportional to k^-skew; float64 of shape (size,).

    >>> zipf(3, 1.0).round(3).tolist()
    [0.545, 0.818, 1.0]
    """
    shares = np.cumsum(np.arange(1, size + 1, dtype=np.float64) ** -skew)
    law: NDArray[np.float64] = shares / shares[-1]
    return law


def drawn(law: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`n` ranks from 0 by a law of `zipf`."""
    return np.minimum(np.searchsorted(law, rng.random(n), side="right"), len(law) - 1)


def user_id(number: int) -> str:
    """The raw id of a generated user.

    >>> user_id(7)
    'user-0000007'
    """
    return f"user-{number:07d}"


def _everyone(traffic: Traffic, law: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    more = drawn(law, max(traffic.events - traffic.users, 0), rng)
    all_of_them = np.concatenate([np.arange(traffic.users), more])[: traffic.events]
    return rng.permutation(all_of_them)


def _event(traffic: Traffic, k: int, user: int, item: int, kind: str, fraction: float) -> Event:
    priced = kind == "purchase"
    return Event(
        event_id=f"{traffic.seed:x}-{k:08x}",
        user_id=user_id(user),
        type=kind,
        time=traffic.start + int(k * 1_000 / traffic.per_second),
        item_id=_item_id(item),
        value=round(5.0 + 20.0 * fraction, 2) if priced else fraction if kind == "scroll" else None,
        quantity=1.0 if priced else None,
        order_id=f"order-{k:08x}" if priced else None,
        currency="EUR" if priced else None,
        context=Context(device=DEVICES[user % 3], country=COUNTRIES[user % 10], page="/product"),
    )


def _item_id(number: int) -> str:
    return f"item-{number:06d}"


def _category(number: int) -> str:
    return f"Department {number // 6}/Shelf {number % 6}"
