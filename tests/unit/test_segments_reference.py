"""Segments as they are kept, event by event, against every rule judged anew over the whole history.

The judging anew is that of `tests.unit.segments_by_force`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import groupby

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.feature import EVERY_TYPE, Feature, Kind
from operators.item_facts import NOTHING_KNOWN, Catalogue, ItemFacts
from operators.segments import SegmentBook, SegmentRule, SegmentStep
from operators.segments.checker import check
from operators.segments.vocabulary import Vocabulary
from operators.user_step import StepSettings, UserStep
from schemas.attributes import Attribute
from schemas.records import Context, Event
from schemas.segment_memory import SegmentMemory
from schemas.state import UserState
from tests.unit.segments_by_force import Reference

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
            "value >= 2", "quantity > 1", 'item="ro*"', 'device != "mobile"', "price < 20", 'region="GB-ENG"',
            'region="GB*"', 'locale != "en-GB"', 'locale in ("en-GB", "de-DE")', 'page="/sale*"', 'page != "/cart"',
            'referrer="https://search.example/*"', 'site="uk"', 'site != "uk"', 'slot="home"',
            'slot in ("home", "cart")', 'query="red *"', 'currency="EUR"',
            'attribute.colour="red"', 'attribute.colour != "red"',
            "discount > 0.5", "discount <= 0", "position < 3", "position in (0, 7)",
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


TOLD_APART = of("category", "device", "region", "page", "site", "slot", "attribute.colour")
WITHIN = st.none() | SPANS.map(lambda span: f'within="{span}"')
COUNTS = st.builds(call, st.just("count"), COUNTED, FILTERS, WITHIN)
WINDOW_COUNTS = st.builds(
    call, st.just("count"), COUNTED, st.just([]), SPANS.map(lambda span: f'within="{span}"')
)
NUMBERS = st.one_of(
    COUNTS,
    st.builds(call, st.just("distinct"), COUNTED, FILTERS, WITHIN, TOLD_APART),
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


def chosen(rng: random.Random, *texts: str) -> str | None:
    return rng.choice((None, *texts))


def surroundings(count: int = 40, seed: int = 5) -> list[Event]:
    """Where events come from, in every mixture: of each field what is filtered by, what is not, and nothing."""
    rng = random.Random(seed)
    return [
        Event(
            event_id="", user_id="ann", type="", time=0,
            site=chosen(rng, "uk", "de"), slot=chosen(rng, "home", "cart", "email"),
            query=chosen(rng, "red mug", "mug"), currency=chosen(rng, "EUR", "GBP"),
            position=rng.choice((None, 0, 2, 7)),
            attributes=rng.choice(({}, {"colour": "red"}, {"colour": "blue"}, {"size": "red"})),
            context=Context(
                region=chosen(rng, "GB-ENG", "GB-SCT", "DE-BE"), locale=chosen(rng, "en-GB", "de-DE", "fr-FR"),
                page=chosen(rng, "/sale", "/sale/mugs", "/cart"),
                referrer=chosen(rng, "https://search.example/?q=mug", "https://mail.example/"),
            ),
        )
        for _ in range(count)
    ]  # fmt: skip


SURROUNDINGS = surroundings()


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
        around = draw(st.sampled_from(SURROUNDINGS))
        event = msgspec.structs.replace(
            around,
            event_id=str(draw(st.integers(0, number)) if draw(st.integers(0, 9)) == 0 else number),
            type=type,
            attributes={} if type == "profile_update" else around.attributes,
            time=clock - behind,
            item_id=draw(st.sampled_from([None, "robot", "ball", "toyshelf", "mug", "unknown"])),
            value=draw(st.sampled_from([None, 0.25, 1.0, 2.0, 7.25])),
            quantity=draw(st.sampled_from([None, None, 2.0, 3.0])),
            order_id=draw(st.sampled_from([None, "o1", "o2", "o3"])),
            context=msgspec.structs.replace(
                around.context,
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
