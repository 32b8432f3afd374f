"""What a user has in the cart: put there, and neither taken out nor bought."""

from __future__ import annotations

CART_TYPES = frozenset({"add_to_cart", "remove_from_cart", "purchase"})
"""Event types that change the basket."""


def follow_cart(basket: dict[str, int], item_id: str, type: str, time: int, most: int) -> None:
    """Take an event of one of `CART_TYPES` into the basket, in place; of more than `most` items the oldest go.

    >>> basket = {}
    >>> for type, item in (("add_to_cart", "mug"), ("add_to_cart", "plate"), ("purchase", "mug")):
    ...     follow_cart(basket, item, type, 5, most=10)
    >>> basket
    {'plate': 5}
    """
    basket.pop(item_id, None)
    if type == "add_to_cart":
        basket[item_id] = time
        while len(basket) > most:
            del basket[next(iter(basket))]
