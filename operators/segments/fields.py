"""What rules can ask of one event: its numbers and its texts, by the names that rules write."""

from __future__ import annotations

from collections.abc import Callable

from operators.item_facts import ItemFacts
from schemas.records import Event

NumberReader = Callable[[Event, ItemFacts], float | None]
TextReader = Callable[[Event, ItemFacts], str | None]

PRICED = frozenset({"purchase", "refund", "add_to_cart", "remove_from_cart"})
"""Event types whose `value` is the price of one piece."""

UNKNOWN_CATEGORY = "?"


def amount(event: Event, facts: ItemFacts) -> float | None:
    """The value of an event: of a priced type, the price of all its pieces.

    >>> from operators.item_facts import NOTHING_KNOWN
    >>> line = Event(event_id="e", user_id="u", type="purchase", time=1, value=2.5, quantity=4)
    >>> amount(line, NOTHING_KNOWN)
    10.0
    """
    value = event.value
    if value is None or event.quantity is None or event.type not in PRICED:
        return value
    return value * event.quantity


def _quantity(event: Event, facts: ItemFacts) -> float | None:
    return 1.0 if event.quantity is None else event.quantity


def _discount(event: Event, facts: ItemFacts) -> float | None:
    price = facts.price
    if event.value is None or not price or event.type not in PRICED:
        return None
    return 1.0 - event.value / price


def _category(event: Event, facts: ItemFacts) -> str | None:
    return None if facts.category == UNKNOWN_CATEGORY else facts.category


NUMBERS: dict[str, NumberReader] = {
    "amount": amount,
    "value": lambda event, facts: event.value,
    "quantity": _quantity,
    "price": lambda event, facts: facts.price,
    "discount": _discount,
    "position": lambda event, facts: event.position,
}
"""By name: amount (price of all pieces, or the value), value, quantity, the catalogue's price, the part of the
catalogue's price that was not paid, and the place in a list that was clicked."""

TEXTS: dict[str, TextReader] = {
    "category": _category,
    "item": lambda event, facts: event.item_id,
    "device": lambda event, facts: event.context.device,
    "country": lambda event, facts: event.context.country,
    "region": lambda event, facts: event.context.region,
    "locale": lambda event, facts: event.context.locale,
    "page": lambda event, facts: event.context.page,
    "referrer": lambda event, facts: event.context.referrer,
    "site": lambda event, facts: event.site,
    "slot": lambda event, facts: event.slot,
    "query": lambda event, facts: event.query,
    "currency": lambda event, facts: event.currency,
}
"""By name; `category` is the path of the event's item."""

ATTRIBUTE = "attribute."
"""`attribute.colour` is what the event's own attributes hold under `colour`."""


def text_reader(field: str) -> TextReader:
    """The reader of a text field. Raises `KeyError` for one that is not known.

    >>> from operators.item_facts import NOTHING_KNOWN
    >>> event = Event(event_id="e", user_id="u", type="view", time=1, attributes={"colour": "red"})
    >>> text_reader("attribute.colour")(event, NOTHING_KNOWN)
    'red'
    """
    if field.startswith(ATTRIBUTE):
        name = field[len(ATTRIBUTE) :]
        return lambda event, facts: event.attributes.get(name)
    return TEXTS[field]


def order_of(event: Event, facts: ItemFacts) -> str:
    """What counts as one order: the lines of a purchase that share an `order_id`, any other event by itself."""
    if event.type == "purchase" and event.order_id is not None:
        return "o" + event.order_id
    return "e" + event.event_id


KEYS: dict[str, TextReader] = {**TEXTS, "order": order_of}
"""What can be told apart by `distinct`."""
