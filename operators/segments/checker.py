"""From a rule's syntax to a tree in which every name is known and every type is right."""

from __future__ import annotations

from operators.segments.check_selection import duration_at, selection_of, stored_types, type_of, types_of
from operators.segments.check_value import Values
from operators.segments.errors import RuleError
from operators.segments.literals import shown_duration
from operators.segments.parser import parse
from operators.segments.selection import Selection
from operators.segments.syntax import Call, Comparing, Joined, Literal, Name, Negated, Node, OneOf, Steps
from operators.segments.tree import (
    Among,
    Both,
    Compared,
    Condition,
    Constant,
    Elapsed,
    Followed,
    InSegment,
    IsTrue,
    Kind,
    Known,
    Not,
    Value,
)
from operators.segments.vocabulary import Vocabulary

MOST_CONDITIONS = 50
"""Most comparisons, sequences and segments that one rule may hold."""

_ORDERED = (Kind.NUMBER, Kind.DURATION, Kind.TIME)


def check(text: str, vocabulary: Vocabulary) -> Condition:
    """The checked tree of a rule.

    >>> check('count("view") > 3 and not segment("vip")', Vocabulary()).every
    True

    Raises `RuleError`, which names the place and the way out.
    """
    return _Checker(vocabulary).condition(parse(text))


class _Checker:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self._values = Values(vocabulary)
        self._conditions = 0

    def condition(self, node: Node) -> Condition:
        if isinstance(node, Joined):
            return Both(tuple(self.condition(part) for part in node.parts), node.word == "and")
        if isinstance(node, Negated):
            return Not(self.condition(node.of))
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise RuleError(
                f"the rule has more than {MOST_CONDITIONS} conditions; split it into segments", node.at
            )
        if isinstance(node, Comparing):
            return self._compared(node)
        if isinstance(node, OneOf):
            return self._among(node)
        if isinstance(node, Steps):
            return self._followed(node)
        if isinstance(node, Call) and node.function == "segment":
            return InSegment(self._values.only_text(node), node.at)
        return self._true(node)

    def _true(self, node: Node) -> Condition:
        value = self._values.value(node)
        if isinstance(value, Constant) or value.kind is not Kind.BOOL:
            hint = f"{_named(node)} > 0" if value.kind is Kind.NUMBER else "a comparison"
            raise RuleError(f"this is {value.kind}, and a condition is expected; write {hint}", node.at)
        return IsTrue(value)

    def _compared(self, node: Comparing) -> Condition:
        left = self._values.value(node.left)
        right = self._values.value(node.right)
        if isinstance(left, Constant) and isinstance(right, Constant):
            raise RuleError("both sides are constants", node.at)
        left, right = self._alike(left, right, node)
        if node.operator not in ("==", "!=") and left.kind not in _ORDERED:
            raise RuleError(f"{left.kind} is compared with == or !=, not {node.operator}", node.at)
        if isinstance(left, Elapsed) or isinstance(right, Elapsed):
            if not isinstance(left, Constant) and not isinstance(right, Constant):
                raise RuleError('a time since something is compared with a duration, such as "2h"', node.at)
            if node.operator in ("==", "!="):
                raise RuleError("a time since something is compared with <, <=, > or >=", node.at)
        return Compared(node.operator, left, right)

    def _alike(self, left: Value, right: Value, node: Comparing) -> tuple[Value, Value]:
        left = self._values.as_kind(left, right.kind)
        right = self._values.as_kind(right, left.kind)
        if left.kind is not right.kind:
            if {left.kind, right.kind} == {Kind.DURATION, Kind.NUMBER}:
                raise RuleError('a duration is compared with a duration in quotes, such as "2h"', node.at)
            hint = "; declare it as a number: step.attributes" if _is_attribute(left, right) else ""
            raise RuleError(f"{left.kind} cannot be compared with {right.kind}{hint}", node.at)
        return left, right

    def _among(self, node: OneOf) -> Condition:
        value = self._values.value(node.left)
        if isinstance(value, Constant | Elapsed) or value.kind not in (Kind.NUMBER, Kind.TEXT):
            raise RuleError("in asks of a number or a text; join comparisons with or", node.at)
        for literal in node.options.values:
            kind = self._values.value(literal).kind
            if kind is not value.kind:
                raise RuleError(f"{value.kind} is no {kind.removeprefix('a ')}", literal.at)
        return Among(value, tuple(literal.value for literal in node.options.values), node.negated)

    def _followed(self, node: Steps) -> Condition:
        first, second = self._step(node.first), self._step(node.second)
        if not first.types or not second.types or first.types & second.types:
            raise RuleError("the two steps of a sequence are of different event types", node.at)
        within = duration_at(node.within)
        word = "then not" if node.negated else "then"
        text = f'event({first}) {word} event({second}) within "{shown_duration(within)}"'
        return Followed(first, second, node.negated, within, text)

    def _step(self, node: Node) -> Selection:
        if isinstance(node, Literal):
            return Selection(stored_types(frozenset({type_of(node)})))
        if isinstance(node, Call) and node.function == "event":
            self._values.check_event(node)
            return selection_of(node, types_of(node))
        raise RuleError('a step is "view", or event("view", category="Toys")', node.at)


def _is_attribute(*values: Value) -> bool:
    return any(isinstance(value, Known) and value.text.startswith("attribute") for value in values)


def _named(node: Node) -> str:
    if isinstance(node, Call):
        return f"{node.function}(…)"
    return node.name if isinstance(node, Name) else "…"
