"""Segments as they are kept, event by event, against every rule judged anew over the whole history.

The reference below knows nothing of cells, windows that slide, due times or what was judged before.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from itertools import groupby
from math import fsum
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.feature import EVERY_TYPE, Feature, Kind
from operators.item_facts import NOTHING_KNOWN, Catalogue, ItemFacts
from operators.segments import SegmentBook, SegmentRule, SegmentStep
from operators.segments.checker import check
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
from operators.segments.vocabulary import Vocabulary
from operators.user_step import StepSettings, UserStep
from schemas.attributes import Attribute
from schemas.records import Context, Event
from schemas.segment_memory import SegmentMemory
from schemas.state import UserState

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BEGIN = 1_700_000_000_000 // DAY * DAY
CATALOGUE: Catalogue = {
    "robot": ItemFacts("Toys/Robots", 40.0),
    "ball": ItemFacts("Toys", 8.0),
    "toyshelf": ItemFacts("Toyshelves", 90.0),
    "mug": ItemFacts("Kitchen/Mugs", 10.0),
}
FEATURES = {
    feature.name: feature
    for feature in (
        Feature(
            "age_days", Kind.NUMBER, "", "days since the first event", frozenset(),
            lambda user, now: (now - user.born) / DAY, moves=True,
        ),
        Feature("busy", Kind.BOOL, "", "more than ten events", EVERY_TYPE, lambda user, now: user.n > 10),
        Feature(
            "waited", Kind.NUMBER, "s", "length of the session", EVERY_TYPE,
            lambda user, now: (user.session.last - user.session.start) / 1000,
        ),
    )
}  # fmt: skip
VOCABULARY = Vocabulary(FEATURES)
OPERATORS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
History = list[tuple[Event, ItemFacts]]


# --- the reference ---------------------------------------------------------------------------------------


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
    if name == "quantity":
        return 1.0 if event.quantity is None else event.quantity
    if name == "amount" and event.type in ("purchase", "refund", "add_to_cart", "remove_from_cart"):
        return None if event.value is None else event.value * (event.quantity or 1.0)
    return event.value


def key_of(name: str, event: Event, facts: ItemFacts) -> str | None:
    if name == "order":
        return (
            f"order {event.order_id}"
            if event.type == "purchase" and event.order_id
            else f"event {event.event_id}"
        )
    if name == "category":
        return None if facts.category == "?" else facts.category
    return {"item": event.item_id, "device": event.context.device, "country": event.context.country}[name]


# --- random rules ----------------------------------------------------------------------------------------

COUNTED = st.sampled_from(["view", "purchase", "purchase_line", "add_to_cart", "dwell", "any"])
LINES = st.sampled_from(["view", "purchase_line", "add_to_cart", "dwell", "any"])
SPANS = st.sampled_from(["10m", "1h", "6h", "1d", "2d", "90m", "1s"])
RELATIONS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
ORDERED = st.sampled_from(["<", "<=", ">", ">="])
FILTERS = st.lists(
    st.sampled_from(
        [
            'category="Toys"', 'category != "Toys"', 'item="mug"', 'device="mobile"', 'country in ("GB", "IE")',
            "value >= 2", "quantity > 1", 'item="ro*"', 'device != "mobile"', "price < 20",
        ]
    ),
    max_size=2,
    unique=True,
)  # fmt: skip


def call(function: str, type: str, filters: list[str], *more: str | None) -> str:
    return (
        f"{function}({', '.join([f'{chr(34)}{type}{chr(34)}', *filters, *(each for each in more if each)])})"
    )


def of(*fields: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *(f"of={field}" for field in fields)])


WITHIN = st.none() | SPANS.map(lambda span: f'within="{span}"')
COUNTS = st.builds(call, st.just("count"), COUNTED, FILTERS, WITHIN)
WINDOW_COUNTS = st.builds(
    call, st.just("count"), COUNTED, st.just([]), SPANS.map(lambda span: f'within="{span}"')
)
NUMBERS = st.one_of(
    COUNTS,
    st.builds(call, st.just("distinct"), COUNTED, FILTERS, WITHIN, of("category", "device")),
    st.builds(call, st.sampled_from(["sum", "average"]), COUNTED, FILTERS, WITHIN, of("quantity")),
    st.builds(call, st.sampled_from(["minimum", "maximum"]), LINES, FILTERS, WITHIN, of("price")),
    st.sampled_from(["session.depth", "session.pace", 'affinity("Toys")', "age_days"]),
)  # fmt: skip
CALCULATED = st.one_of(
    st.builds("({} {} {})".format, NUMBERS, st.sampled_from("+-*/"), NUMBERS),
    st.builds("({} * 2 - {})".format, NUMBERS, NUMBERS),
)
CONSTANTS = st.sampled_from(["0", "1", "2", "3", "5", "0.5", "7.25", "-1", "2 * 2"])
TIMES = st.builds(call, st.sampled_from(["first", "last"]), COUNTED, FILTERS, WITHIN)
ELAPSED = st.one_of(
    st.builds(call, st.sampled_from(["since_last", "since_first"]), COUNTED, FILTERS), st.just("known_for")
)
STEPS = st.sampled_from(
    [
        '"add_to_cart" then not "purchase"', '"view" then "purchase"', '"view" then not "add_to_cart"',
        'event("view", category="Toys") then event("purchase", "add_to_cart", category="Toys")',
        'event("add_to_cart", device="mobile") then not event("purchase")',
    ]
)  # fmt: skip
ATOMS = st.one_of(
    st.builds("{} {} {}".format, WINDOW_COUNTS, RELATIONS, st.sampled_from("1234")),
    st.builds("{} {} {}".format, COUNTS, RELATIONS, CONSTANTS),
    st.builds("{} {} {}".format, NUMBERS, RELATIONS, CONSTANTS),
    st.builds("{} {} {}".format, CONSTANTS, RELATIONS, NUMBERS),
    st.builds("{} {} {}".format, CALCULATED, RELATIONS, CONSTANTS | NUMBERS),
    st.builds('{} {} "{}"'.format, ELAPSED, ORDERED, SPANS),
    st.builds('{} - {} {} "{}"'.format, TIMES, TIMES, ORDERED, SPANS),
    st.builds('{} {} "{}"'.format, TIMES, ORDERED, st.sampled_from(["2023-11-15", "2023-11-16T06:00"])),
    st.builds('{} within "{}"'.format, STEPS, SPANS),
    st.builds('{} {} "{}"'.format, st.sampled_from(["session.length", "waited"]), ORDERED, SPANS),
    st.builds("{} {} (1, 2, 3)".format, COUNTS, st.sampled_from(["in", "not in"])),
    st.sampled_from(
        [
            'persona == "owl"', 'persona != "owl"', 'persona not in ("owl", "lark")', 'attribute("tier") == "gold"',
            "busy", "busy == false", 'attribute("tier") in ("gold", "silver")',
            'segment("first")', 'not segment("first")',
        ]
    ),
)  # fmt: skip
RULES = st.recursive(
    ATOMS,
    lambda parts: st.one_of(
        st.builds("({} and {})".format, parts, parts),
        st.builds("({} or {})".format, parts, parts),
        st.builds("not ({})".format, parts),
    ),
    max_leaves=4,
)
FREE = RULES.filter(lambda text: "segment(" not in text)
BOOKS = st.builds(
    lambda first, others: {"first": first} | {f"rule{n}": text for n, text in enumerate(others)},
    FREE,
    st.lists(RULES, min_size=1, max_size=3),
)

# --- random streams --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrival:
    """An event as it arrives, and how long after it (ms) somebody looks, with no further event."""

    event: Event
    looked_at: tuple[int, ...]


@st.composite
def streams(draw: st.DrawFn, most: int = 40) -> list[Arrival]:
    clock = BEGIN
    found = []
    for number in range(draw(st.integers(1, most))):
        clock += draw(st.sampled_from([0, 1, 10 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY]))
        behind = draw(st.sampled_from([0, 0, 0, 10 * MINUTE, HOUR, DAY - MINUTE, DAY, DAY + 1]))
        type = draw(
            st.sampled_from(["view", "view", "purchase", "add_to_cart", "dwell", "profile_update", "odd"])
        )
        event = Event(
            event_id=str(draw(st.integers(0, number)) if draw(st.integers(0, 9)) == 0 else number),
            user_id="ann",
            type=type,
            time=clock - behind,
            item_id=draw(st.sampled_from([None, "robot", "ball", "toyshelf", "mug", "unknown"])),
            value=draw(st.sampled_from([None, 0.25, 1.0, 2.0, 7.25])),
            quantity=draw(st.sampled_from([None, None, 2.0, 3.0])),
            order_id=draw(st.sampled_from([None, "o1", "o2", "o3"])),
            context=Context(
                device=draw(st.sampled_from([None, "mobile", "desktop"])),
                country=draw(st.sampled_from([None, "GB", "DE"])),
            ),
        )  # fmt: skip
        looks = draw(
            st.lists(st.sampled_from([0, 1, 10 * MINUTE, HOUR - 1, HOUR, 7 * HOUR, 2 * DAY]), max_size=2)
        )
        found.append(Arrival(event, tuple(clock + look for look in looks)))
    return found


PERSONAS = [None, "owl", "lark", "owl"]
TIERS = ["gold", "silver", "bronze"]


class Follower:
    """A user followed by the real user step, the segment step and the reference."""

    def __init__(self, rules: dict[str, str]) -> None:
        book = SegmentBook.of([SegmentRule(name=name, when=when) for name, when in rules.items()], FEATURES)
        self.step = SegmentStep(book)
        self.reference = Reference({name: check(when, VOCABULARY) for name, when in rules.items()})
        self.user = UserState("pseudonym", born=0)
        self.user_step = UserStep(StepSettings(), CATALOGUE)

    def take(self, event: Event) -> bool:
        user = self.user
        if not user.n:
            user.born = event.time
        window = None
        if self.user_step.update(user, event, window).refused is not None:
            return False
        facts = CATALOGUE.get(event.item_id or "", NOTHING_KNOWN)
        user.persona = PERSONAS[user.n % 4]
        if event.type == "profile_update":
            user.attributes["tier"] = [Attribute(TIERS[user.n % 3], "crm", event.time)]
        self.reference.history.append((event, facts))
        before = user.segment_memory.now
        changes = self.step.update(user, event, facts, event.time)
        now = user.segment_memory.now
        assert now == max(before, event.time)
        self.agrees(now)
        assert all(change.at <= now for change in changes)
        self.stored()
        return True

    def look(self, at: int) -> None:
        """Nothing happens until `at`: every change comes at the ms at which the reference sees it."""
        user = self.user
        members = set(user.segments)
        begun = user.segment_memory.now
        for when, changes in groupby(self.step.advance(user, at), lambda change: change.at):
            if when - 1 > begun:
                assert self.reference.members_of(user, when - 1) == members, f"1 ms before {when - BEGIN}"
            for change in changes:
                assert (change.segment in members) is not change.entered
                members ^= {change.segment}
            assert self.reference.members_of(user, when) == members, when - BEGIN
            begun = when
        assert members == set(user.segments)
        self.agrees(at)
        self.stored()

    def agrees(self, now: int) -> None:
        assert set(self.user.segments) == self.reference.members_of(self.user, now), now - BEGIN
        assert self.user.segments == sorted(self.user.segments)
        due = self.step.next_due(self.user)
        assert due is None or due > now

    def stored(self) -> None:
        memory = self.user.segment_memory
        self.user.segment_memory = msgspec.msgpack.decode(msgspec.msgpack.encode(memory), type=SegmentMemory)


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(BOOKS, streams())
def test_segments_are_at_all_times_what_the_whole_history_says(
    rules: dict[str, str], stream: list[Arrival]
) -> None:
    followed = Follower(rules)
    clock = 0
    for arrival in stream:
        followed.take(arrival.event)
        for at in sorted(arrival.looked_at):
            if at >= max(clock, followed.user.last):
                followed.look(at)
                clock = at
    followed.look(max(clock, followed.user.last) + 3 * DAY)
