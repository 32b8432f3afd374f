"""Whether a rule holds, judged anew over a user's whole history each time: slow, and hard to get wrong.

It knows nothing of cells, windows that slide, due times or what was judged before.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from math import fsum
from typing import Any

from operators.item_facts import ItemFacts
from operators.segments.selection import Filter, Selection
from operators.segments.tree import (
    Aggregate,
    Among,
    Arithmetic,
    Both,
    Condition,
    Constant,
    Elapsed,
    Followed,
    InSegment,
    IsTrue,
    Known,
    Not,
    Value,
)
from schemas.records import Event
from schemas.state import UserState

OPERATORS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
History = list[tuple[Event, ItemFacts]]


@dataclass
class Reference:
    """The truth of rules over a whole history."""

    rules: dict[str, Condition]
    history: History = field(default_factory=list)

    def members_of(self, user: UserState, now: int) -> set[str]:
        return {name for name, rule in self.rules.items() if self.holds(rule, user, now)}

    def holds(self, rule: Condition, user: UserState, now: int) -> bool:
        if isinstance(rule, Both):
            parts = [self.holds(part, user, now) for part in rule.parts]
            return all(parts) if rule.every else any(parts)
        if isinstance(rule, Not):
            return not self.holds(rule.part, user, now)
        if isinstance(rule, InSegment):
            return self.holds(self.rules[rule.segment], user, now)
        if isinstance(rule, Followed):
            return self.followed(rule, now)
        if isinstance(rule, IsTrue):
            return self.value(rule.value, user, now) is True
        if isinstance(rule, Among):
            found = self.value(rule.value, user, now)
            return found is not None and (found in rule.constants) is not rule.negated
        left, right = self.value(rule.left, user, now), self.value(rule.right, user, now)
        if left is None or right is None or isinstance(left, str) is not isinstance(right, str):
            return False
        return bool(OPERATORS[rule.operator](left, right))

    def value(self, value: Value, user: UserState, now: int) -> Any:
        if isinstance(value, Constant):
            return value.value
        if isinstance(value, Known):
            return value.reading.value(user, now)
        if isinstance(value, Elapsed):
            times = [user.born] if value.selection is None else self.times(value.selection)
            return None if not times else now - (max if value.function == "since_last" else min)(times)
        if isinstance(value, Arithmetic):
            left, right = self.value(value.left, user, now), self.value(value.right, user, now)
            if left is None or right is None or (value.operator == "/" and right == 0):
                return None
            return {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[
                value.operator
            ](left, right)
        return self.aggregate(value, now)

    def aggregate(self, value: Aggregate, now: int) -> Any:
        begin = -1 if value.within is None else now - value.within
        seen = [
            (event, facts)
            for event, facts in self.history
            if selected(value.selection, event, facts) and event.time > begin
        ]
        times = [event.time for event, _ in seen]
        numbers = [
            number for event, facts in seen if (number := number_of(value.of, event, facts)) is not None
        ]
        if value.function == "count":
            return len(numbers) if value.of else len(seen)
        if value.function == "distinct":
            return len({key for event, facts in seen if (key := key_of(value.of, event, facts)) is not None})
        if value.function == "sum":
            return fsum(numbers)
        chosen = {
            "minimum": (min, numbers),
            "maximum": (max, numbers),
            "first": (min, times),
            "last": (max, times),
        }
        choose, among = chosen[value.function]
        return choose(among) if among else None

    def followed(self, rule: Followed, now: int) -> bool:
        firsts, seconds = self.times(rule.first), self.times(rule.second)
        if rule.negated:
            return (
                bool(firsts) and now >= max(firsts) + rule.within and max(seconds, default=-1) < max(firsts)
            )
        if not seconds:
            return False
        before = [time for time in firsts if time <= max(seconds)]
        return bool(before) and max(seconds) - max(before) <= rule.within

    def times(self, selection: Selection) -> list[int]:
        return [event.time for event, facts in self.history if selected(selection, event, facts)]


def selected(selection: Selection, event: Event, facts: ItemFacts) -> bool:
    right_type = not selection.types or event.type in selection.types
    return right_type and all(met(each, event, facts) for each in selection.filters)


def met(condition: Filter, event: Event, facts: ItemFacts) -> bool:
    values = condition.values
    if isinstance(values[0], float):
        number = number_of(condition.field, event, facts)
        if number is None:
            return False
        return (
            number in values
            if condition.operator == "in"
            else bool(OPERATORS[condition.operator](number, values[0]))
        )
    text = key_of(condition.field, event, facts)
    if text is None:
        return False
    if condition.field == "category":
        inside = any(text == value or text.startswith(f"{value}/") for value in values)
    else:
        inside = any(
            text == value or (str(value)[-1] == "*" and text.startswith(str(value)[:-1])) for value in values
        )
    return inside is not (condition.operator == "!=")


def number_of(name: str, event: Event, facts: ItemFacts) -> float | None:
    if name == "price":
        return facts.price
    if name == "position":
        return event.position
    if name == "discount":
        return (
            1.0 - event.value / facts.price
            if event.value is not None and facts.price and priced(event)
            else None
        )
    if name == "quantity":
        return 1.0 if event.quantity is None else event.quantity
    if name == "amount" and priced(event):
        return None if event.value is None else event.value * (event.quantity or 1.0)
    return event.value


def priced(event: Event) -> bool:
    return event.type in ("purchase", "refund", "add_to_cart", "remove_from_cart")


def key_of(name: str, event: Event, facts: ItemFacts) -> str | None:
    if name == "order":
        return (
            f"order {event.order_id}"
            if event.type == "purchase" and event.order_id
            else f"event {event.event_id}"
        )
    if name == "category":
        return None if facts.category == "?" else facts.category
    if name.startswith("attribute."):
        return event.attributes.get(name.removeprefix("attribute."))
    if name == "item":
        return event.item_id
    holder = event if name in ("site", "slot", "query", "currency") else event.context
    found: str | None = getattr(holder, name)
    return found
