"""Which answers of a comparison can only be turned by an event: a count in a window never grows by itself."""

from __future__ import annotations

from operators.segments.tree import Aggregate, Constant, Value

_NEVER_NEGATIVE = frozenset({"quantity", "price"})
_VALUE_NEVER_NEGATIVE = frozenset(
    {"purchase", "refund", "add_to_cart", "remove_from_cart", "dwell", "scroll", "rating"}
)
"""Event types whose `value` is refused below 0."""


def settled(operator: str, left: Value, right: Value) -> bool | None:
    """The answer of `left operator right` that stays as it is until an event comes; None: neither does.

    With time alone, a window loses events: counts, sums of what is never negative, and maxima fall (or are gone,
    and a comparison with what is gone is false), minima rise.
    """
    if not isinstance(left, Aggregate) or not isinstance(right, Constant):
        return None
    if operator in (">", ">="):
        return False if left.function in ("count", "distinct", "maximum") or _sum_falls(left) else None
    if operator in ("<", "<="):
        if left.function in ("count", "distinct") or _sum_falls(left):
            return True
        return False if left.function == "minimum" else None
    return None


def _sum_falls(value: Aggregate) -> bool:
    if value.function != "sum":
        return False
    types = value.selection.types
    return value.of in _NEVER_NEGATIVE or (
        value.of in ("amount", "value") and bool(types) and types <= _VALUE_NEVER_NEGATIVE
    )
