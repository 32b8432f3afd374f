"""Which items are meant: conditions on their catalogue entries, as slots and context rules write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.records import Item

ANY = "*"
"""As the one value of an attribute: whatever it holds."""


@dataclass(frozen=True)
class ItemSelector:
    """Conditions on one catalogue entry, all of which must hold; one that is not given always does.

    A category stands for all below it: `Home` for `Home/Mugs` too. An item whose entry does not say what is asked
    for (a price, a title) does not fulfil the condition; one without an entry fulfils `not_categories` and
    `not_tags` alone. Prices include both ends and are those of the entry, not of a market. Raises `ValueError`.

    >>> ItemSelector(categories=("Home",), price_to=5.0).takes(Item(item_id="a", category="Home/Mugs", price=5))
    True
    """

    categories: tuple[str, ...] = ()
    not_categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    not_tags: tuple[str, ...] = ()
    price_from: float | None = None
    price_to: float | None = None
    title_at_most: int | None = None
    has_image: bool | None = None
    in_stock: bool | None = None
    sold_in: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        low, high = self.price_from, self.price_to
        for name, price in (("price_from", low), ("price_to", high)):
            if price is not None and not 0.0 <= price < float("inf"):
                raise ValueError(f"{name} is {price}; a price is 0 or more")
        if low is not None and high is not None and low > high:
            raise ValueError(f"price_from {low:g} is above price_to {high:g}: no item is meant")
        if self.title_at_most is not None and self.title_at_most < 1:
            raise ValueError(f"title_at_most is {self.title_at_most}; it is 1 character at least")
        for name, values in self.attributes.items():
            if not values:
                raise ValueError(f'attributes: {name} has no value; write ["{ANY}"] for any')

    @property
    def is_empty(self) -> bool:
        """Whether every item is meant."""
        return self == ItemSelector()

    def takes(self, item: Item) -> bool:
        """Whether an item is meant."""
        return (
            (not self.categories or _is_in(item.category, self.categories))
            and not _is_in(item.category, self.not_categories)
            and (not self.tags or not set(item.tags).isdisjoint(self.tags))
            and set(item.tags).isdisjoint(self.not_tags)
            and (self.price_from is None or (item.price is not None and item.price >= self.price_from))
            and (self.price_to is None or (item.price is not None and item.price <= self.price_to))
            and (self.title_at_most is None or 0 < len(item.title.strip()) <= self.title_at_most)
            and (self.has_image is None or bool(item.image_url) == self.has_image)
            and (self.in_stock is None or item.in_stock == self.in_stock)
            and (not self.sold_in or self._is_sold(item))
            and (not self.languages or item.language in self.languages)
            and (not self.media or item.media in self.media)
            and all(_holds(item.attributes.get(name), values) for name, values in self.attributes.items())
        )

    def _is_sold(self, item: Item) -> bool:
        return any(name in item.markets and item.markets[name].in_stock for name in self.sold_in)


def _is_in(category: str, wanted: tuple[str, ...]) -> bool:
    return any(category == each or category.startswith(each + "/") for each in wanted)


def _holds(value: str | None, wanted: tuple[str, ...]) -> bool:
    return value is not None and (value in wanted or wanted == (ANY,))
