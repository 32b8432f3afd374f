"""The values of a rule: numbers, texts, durations, points in time, checked."""

from __future__ import annotations

from dataclasses import replace

from operators.feature import Feature, FeatureValue
from operators.feature import Kind as FeatureKind
from operators.segments import reading
from operators.segments.check_selection import (
    key_field,
    number_field,
    refuse,
    selection_of,
    types_of,
    window_of,
)
from operators.segments.errors import RuleError, unknown
from operators.segments.fields import ATTRIBUTE
from operators.segments.literals import duration, point_in_time, shown_duration
from operators.segments.reading import Reading
from operators.segments.selection import Selection
from operators.segments.syntax import Calculation, Call, Literal, Name, Negative, Node
from operators.segments.tree import Aggregate, Arithmetic, Constant, Elapsed, Kind, Known, Value
from operators.segments.vocabulary import (
    AGE,
    AGGREGATES,
    ELAPSED,
    FUNCTIONS,
    LINE,
    MS_OF_UNIT,
    ORDER,
    Vocabulary,
)
from schemas.state import UserState

_KIND_OF_FEATURE = {
    FeatureKind.NUMBER: Kind.NUMBER,
    FeatureKind.TEXT: Kind.TEXT,
    FeatureKind.BOOL: Kind.BOOL,
}


class Values:
    """Checks values by the names of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def value(self, node: Node) -> Value:
        """The checked value of a node. Raises `RuleError`."""
        if isinstance(node, Literal):
            return _constant(node)
        if isinstance(node, Name):
            return self._name(node)
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, Negative):
            zero = Constant(0.0, Kind.NUMBER, node.at)
            return self._arithmetic("-", zero, self.value(node.of), node.at)
        if isinstance(node, Calculation):
            return self._arithmetic(node.operator, self.value(node.left), self.value(node.right), node.at)
        raise RuleError("a condition stands where a value is expected", node.at)

    def as_kind(self, value: Value, kind: Kind) -> Value:
        """A text constant as the duration or the date that it is compared with; other values as they are."""
        if not isinstance(value, Constant) or not isinstance(value.value, str):
            return value
        try:
            if kind is Kind.DURATION:
                return Constant(float(duration(value.value)), kind, value.at)
            if kind is Kind.TIME:
                return Constant(float(point_in_time(value.value)), kind, value.at)
        except ValueError as error:
            raise RuleError(str(error), value.at) from None
        return value

    def only_text(self, call: Call) -> str:
        """The one text that a function takes."""
        if call.settings or len(call.arguments) != 1:
            raise RuleError(f'{call.function} takes one text: {call.function}("…")', call.at)
        [argument] = call.arguments
        if not isinstance(argument, Literal) or not isinstance(argument.value, str) or not argument.value:
            raise RuleError(f"{call.function} takes a text in quotes", argument.at)
        return argument.value

    def check_event(self, call: Call) -> None:
        """Refuse what a step of a sequence does not take."""
        refuse(call, "within", "of")

    def _name(self, node: Name) -> Value:
        if node.name == AGE:
            return Elapsed("since_first", None, AGE, node.at)
        feature = self._vocabulary.feature(node.name)
        if feature is None:
            if node.name in FUNCTIONS:
                raise RuleError(f'{node.name} is a function; write {node.name}("…")', node.at)
            raise RuleError(unknown("name", node.name, self._vocabulary.names()), node.at)
        return _known(feature, node.at)

    def _call(self, call: Call) -> Value:
        function = call.function
        if function in AGGREGATES:
            return self._aggregate(call)
        if function in ELAPSED:
            refuse(call, "within", "of")
            selection = selection_of(call, types_of(call))
            return Elapsed(function, selection, f"{function}({selection})", call.at)
        if function == "affinity":
            found = reading.affinity(self.only_text(call), self._vocabulary.affinities)
            return Known(found, Kind.NUMBER, found.name, call.at)
        if function == "attribute":
            name = self.only_text(call)
            declared = self._vocabulary.feature(ATTRIBUTE + name)
            if declared is not None:
                return _known(declared, call.at)
            found = reading.undeclared_attribute(name)
            return Known(found, Kind.TEXT, found.name, call.at)
        if function == "segment":
            raise RuleError("segment(…) is a condition; join it with and, or, not", call.at)
        if function == "event":
            raise RuleError('event(…) is a step: event("view") then event("purchase") within "1d"', call.at)
        raise RuleError(unknown("function", function, FUNCTIONS), call.at)

    def _aggregate(self, call: Call) -> Value:
        function = call.function
        types = types_of(call)
        selection = selection_of(call, types)
        within = window_of(call)
        orders = ORDER in types
        if function in ("count", "first", "last"):
            refuse(call, "of")
        if function == "count" and orders:
            return _made("distinct", selection, within, "order", call.at)
        if function == "distinct":
            return _made(function, selection, within, key_field(call, "item"), call.at)
        if function in ("count", "first", "last"):
            return _made(function, selection, within, "", call.at)
        field = number_field(call, "amount")
        if function in ("sum", "minimum", "maximum"):
            if orders and function != "sum":
                raise RuleError(
                    f'an order has no {function} of its own; write {function}("purchase_line") for its lines',
                    call.at,
                )
            return _made(function, selection, within, field, call.at)
        total = _made("sum", selection, within, field, call.at)
        if orders:
            number = _made("distinct", selection, within, "order", call.at)
        else:
            number = _made("count", selection, within, field, call.at)
        return Arithmetic("/", total, number, Kind.NUMBER, call.at)

    def _arithmetic(self, operator: str, left: Value, right: Value, at: int) -> Value:
        left, right = self.as_kind(left, right.kind), self.as_kind(right, left.kind)
        for side in (left, right):
            if isinstance(side, Elapsed):
                raise RuleError(
                    f'{side.text} changes by itself; compare it with a duration, such as "2h"', at
                )
        kind = _KINDS.get((left.kind, operator, right.kind))
        if kind is None:
            raise RuleError(f"{left.kind} {operator} {right.kind} has no meaning", at)
        if isinstance(right, Constant) and right.value == 0 and operator == "/":
            raise RuleError("a division by 0", at)
        if isinstance(left, Constant) and isinstance(right, Constant):
            return Constant(calculate(operator, float(left.value), float(right.value)) or 0.0, kind, at)
        return Arithmetic(operator, left, right, kind, at)


_N, _D, _T = Kind.NUMBER, Kind.DURATION, Kind.TIME
_KINDS = {
    (_N, "+", _N): _N, (_N, "-", _N): _N, (_N, "*", _N): _N, (_N, "/", _N): _N,
    (_D, "+", _D): _D, (_D, "-", _D): _D, (_D, "/", _D): _N, (_D, "*", _N): _D, (_N, "*", _D): _D, (_D, "/", _N): _D,
    (_T, "-", _T): _D, (_T, "+", _D): _T, (_T, "-", _D): _T,
}  # fmt: skip


def calculate(operator: str, left: float, right: float) -> float | None:
    """The result of an arithmetic operation; None for a division by 0.

    >>> calculate("/", 1.0, 0.0), calculate("-", 3.0, 1.0)
    (None, 2.0)
    """
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return left / right if right else None


def _constant(node: Literal) -> Constant:
    kind = (
        Kind.BOOL
        if isinstance(node.value, bool)
        else Kind.TEXT
        if isinstance(node.value, str)
        else Kind.NUMBER
    )
    return Constant(node.value, kind, node.at)


def _made(function: str, selection: Selection, within: int | None, of: str, at: int) -> Aggregate:
    kind = Kind.TIME if function in ("first", "last") else Kind.NUMBER
    return Aggregate(function, selection, within, of, kind, _text(function, selection, within, of), at)


def _text(function: str, selection: Selection, within: int | None, of: str) -> str:
    """The aggregate as a rule would write it, its parts in one order."""
    if of == "order":
        function = "count"
    types = ", ".join(f'"{_shown_type(function, of, type)}"' for type in sorted(selection.types)) or '"any"'
    parts = [types, *sorted(map(str, selection.filters))]
    if of and of != "order" and (function, of) != ("distinct", "item"):
        parts.append(f"of={of}")
    if within is not None:
        parts.append(f'within="{shown_duration(within)}"')
    return f"{function}({', '.join(parts)})"


def _shown_type(function: str, of: str, type: str) -> str:
    lines = function in ("count", "minimum", "maximum") and of != "order"
    return LINE if lines and type == ORDER else type


def _known(feature: Feature, at: int) -> Known:
    found = reading.of_feature(feature)
    scale = MS_OF_UNIT.get(feature.unit) if feature.kind is FeatureKind.NUMBER else None
    if scale is None:
        return Known(found, _KIND_OF_FEATURE[feature.kind], feature.name, at)
    return Known(_scaled(found, scale), Kind.DURATION, feature.name, at)


def _scaled(found: Reading, scale: int) -> Reading:
    read = found.read

    def in_ms(user: UserState, now: int) -> FeatureValue:
        value = read(user, now)
        return None if value is None else float(value) * scale

    return replace(found, read=in_ms)
