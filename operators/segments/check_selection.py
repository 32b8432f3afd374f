"""What a call says of events: their types and filters, checked."""

from __future__ import annotations

from operators.segments.errors import RuleError, unknown
from operators.segments.fields import ATTRIBUTE, KEYS, NUMBERS, TEXTS
from operators.segments.literals import duration
from operators.segments.selection import Filter, Selection
from operators.segments.syntax import Call, Literal, Name, Node, Options, Setting
from operators.segments.vocabulary import ANY_TYPE, COUNTED_TYPES, LINE, ORDER

OTHER_SETTINGS = frozenset({"within", "of"})


def types_of(call: Call) -> frozenset[str]:
    """The event types that a call names, as it names them. Raises `RuleError`."""
    found: set[str] = set()
    for argument in call.arguments:
        found.add(type_of(argument))
    if not found:
        raise RuleError(f'{call.function} needs an event type, such as {call.function}("view")', call.at)
    if ANY_TYPE in found and len(found) > 1:
        raise RuleError('"any" means all event types; name no other beside it', call.at)
    if LINE in found and ORDER in found:
        raise RuleError('"purchase" counts orders and "purchase_line" their lines; choose one', call.at)
    return frozenset(found)


def type_of(node: Node) -> str:
    """The event type that a text names."""
    if not isinstance(node, Literal) or not isinstance(node.value, str):
        raise RuleError('an event type in quotes is expected here, such as "view"', node.at)
    if node.value not in COUNTED_TYPES:
        raise RuleError(unknown("event type", node.value, COUNTED_TYPES), node.at)
    return node.value


def selection_of(call: Call, types: frozenset[str]) -> Selection:
    """The selection of a call that names `types`. Raises `RuleError`."""
    filters = [_filter(each) for each in call.settings if each.field not in OTHER_SETTINGS]
    for name in OTHER_SETTINGS:
        again = [each for each in call.settings if each.field == name][1:]
        if again:
            raise RuleError(f"{name} is given twice", again[0].at)
    return Selection(stored_types(types), tuple(sorted(set(filters), key=str)))


def stored_types(types: frozenset[str]) -> frozenset[str]:
    """The event types as events bear them; empty for any."""
    if ANY_TYPE in types:
        return frozenset()
    return frozenset(ORDER if type == LINE else type for type in types)


def window_of(call: Call) -> int | None:
    """The window (ms) of a call; None where it has none."""
    setting = _setting(call, "within")
    if setting is None:
        return None
    if not isinstance(setting.value, Literal) or not isinstance(setting.value.value, str):
        raise RuleError('within takes a duration in quotes: within="30d"', setting.at)
    return duration_at(setting.value)


def duration_at(literal: Literal) -> int:
    """The ms of a duration in quotes. Raises `RuleError` at its place."""
    try:
        return duration(str(literal.value))
    except ValueError as error:
        raise RuleError(str(error), literal.at) from None


def number_field(call: Call, otherwise: str) -> str:
    """The field whose numbers a call sums up: what `of=` says."""
    setting = _setting(call, "of")
    name = otherwise if setting is None else _plain_name(setting)
    if name not in NUMBERS:
        raise RuleError(unknown("number", name, NUMBERS), call.at if setting is None else setting.at)
    return name


def key_field(call: Call, otherwise: str) -> str:
    """The field whose values a call tells apart: what `of=` says."""
    setting = _setting(call, "of")
    name = otherwise if setting is None else _plain_name(setting)
    if name not in KEYS and not name.startswith(ATTRIBUTE):
        raise RuleError(unknown("field", name, KEYS), call.at if setting is None else setting.at)
    return name


def refuse(call: Call, *settings: str) -> None:
    """Raise `RuleError` where the call says what this function does not take."""
    for name in settings:
        setting = _setting(call, name)
        if setting is not None:
            raise RuleError(f"{call.function} takes no {name}", setting.at)


def _setting(call: Call, name: str) -> Setting | None:
    return next((each for each in call.settings if each.field == name), None)


def _plain_name(setting: Setting) -> str:
    value = setting.value
    if isinstance(value, Name):
        return value.name
    if isinstance(value, Literal) and isinstance(value.value, str):
        return value.value
    raise RuleError(f"{setting.field}= takes the name of a field", setting.at)


def _filter(setting: Setting) -> Filter:
    name = setting.field
    operator = "==" if setting.operator == "=" else setting.operator
    if name in NUMBERS:
        return Filter(name, operator, tuple(_number(name, value) for value in _literals(setting)))
    if name not in TEXTS and not name.startswith(ATTRIBUTE):
        known = frozenset(TEXTS) | frozenset(NUMBERS) | OTHER_SETTINGS
        raise RuleError(unknown("field", name, known), setting.at)
    if operator not in ("==", "!=", "in"):
        raise RuleError(f"{name} is a text; it is compared with =, != or in", setting.at)
    values = []
    for value in _literals(setting):
        if not isinstance(value.value, str) or not value.value:
            raise RuleError(f"{name} is a text; write its value in quotes", value.at)
        values.append(value.value.strip("/") if name == "category" else value.value)
    return Filter(name, operator, tuple(sorted(values)))


def _literals(setting: Setting) -> tuple[Literal, ...]:
    value = setting.value
    if isinstance(value, Options):
        return value.values
    if isinstance(value, Name):
        raise RuleError(f'{value.name} is a name; a value is expected, such as "{value.name}"', value.at)
    return (value,)


def _number(name: str, literal: Literal) -> float:
    if isinstance(literal.value, str | bool):
        raise RuleError(f"{name} is a number; write its value without quotes", literal.at)
    return literal.value
