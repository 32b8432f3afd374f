"""Which events a rule counts: their types, and what must hold of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from json import dumps

from operators.item_facts import ItemFacts
from operators.segments.fields import NUMBERS, text_reader
from schemas.records import Event

Matcher = Callable[[Event, ItemFacts], bool]

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Filter:
    """One condition on a field of the event. One on a field that the event does not have is never met.

    A category is met by itself and all below it; another text by itself, or by its beginning where the value
    ends with `*`. `values` has one entry, but for the operator `in`.

    >>> str(Filter("category", "==", ("Toys",))), str(Filter("value", ">=", (5.0,)))
    ('category="Toys"', 'value >= 5')
    """

    field: str
    operator: str
    values: tuple[float | str, ...]

    def __str__(self) -> str:
        shown = [dumps(v, ensure_ascii=False) if isinstance(v, str) else f"{v:g}" for v in self.values]
        if self.operator == "in":
            return f"{self.field} in ({', '.join(shown)})"
        return (
            f"{self.field}={shown[0]}"
            if self.operator == "=="
            else f"{self.field} {self.operator} {shown[0]}"
        )

    def matcher(self) -> Matcher:
        """Whether an event meets the condition."""
        if self.field in NUMBERS:
            return self._number_matcher()
        read = text_reader(self.field)
        meets = _text_test(self.field, tuple(str(value) for value in self.values))
        wanted = self.operator != "!="

        def match(event: Event, facts: ItemFacts) -> bool:
            text = read(event, facts)
            return text is not None and meets(text) is wanted

        return match

    def _number_matcher(self) -> Matcher:
        read = NUMBERS[self.field]
        if self.operator == "in":
            values = frozenset(self.values)
            return lambda event, facts: read(event, facts) in values
        compare = COMPARE[self.operator]
        bound = float(self.values[0])

        def match(event: Event, facts: ItemFacts) -> bool:
            number = read(event, facts)
            return number is not None and compare(number, bound)

        return match


@dataclass(frozen=True)
class Selection:
    """Events of some types (none named: of any type) that meet all filters.

    >>> str(Selection(frozenset({"view"}), (Filter("device", "==", ("mobile",)),)))
    '"view", device="mobile"'
    """

    types: frozenset[str]
    filters: tuple[Filter, ...] = ()
    text: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        types = [dumps(type) for type in sorted(self.types)] or ['"any"']
        object.__setattr__(self, "text", ", ".join(types + sorted(map(str, self.filters))))

    def __str__(self) -> str:
        return self.text

    def matcher(self) -> Matcher | None:
        """Whether an event of these types meets the filters; None where there are none."""
        tests = [each.matcher() for each in self.filters]
        if not tests:
            return None
        if len(tests) == 1:
            return tests[0]
        return lambda event, facts: all(test(event, facts) for test in tests)


def _text_test(field: str, values: tuple[str, ...]) -> Callable[[str], bool]:
    if field == "category":
        below = tuple(value + "/" for value in values)
        return lambda text: text in values or text.startswith(below)
    beginnings = tuple(value[:-1] for value in values if value.endswith("*"))
    whole = frozenset(value for value in values if not value.endswith("*"))
    if not beginnings:
        return whole.__contains__
    return lambda text: text in whole or text.startswith(beginnings)
