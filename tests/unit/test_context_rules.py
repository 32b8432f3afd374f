"""Context rules: when they hold, what they do to a list, and how bad ones are refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.backfill import Backfill
from operators.context_rule import MOST_RULES, ContextRule, Moment, RuleRefused, rule_of
from operators.context_rules import (
    RuleRecord,
    RulesInForce,
    decode_rule,
    encode_rule,
    ready_rules,
    record_of_rule,
    rules_of_file,
)
from operators.control import Configuration, ControlStatus
from operators.following import Following, FollowingSettings
from operators.following_control import FollowingControl
from operators.idle_clock import IdleClock
from operators.item_selector import ItemSelector
from operators.item_traits import ItemTraits
from operators.local_time import local_hour
from operators.rank_settings import RankSettings
from operators.ranker import MadeLists, Ranker
from operators.rule_weights import RuleWeights, weigh
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Items, Popularity
from operators.slot_ranker import SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import SlotSettings, slots_of
from operators.traffic_settings import TrafficSettings
from schemas.codec import CONTROLS
from schemas.records import Control, Item
from schemas.schema_book import SchemaBook
from schemas.state import UserState

NOON = int(datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp() * 1000)
"""A Wednesday."""
NEW = ItemSelector(tags=("new",))


def slot_ranker(rules: Sequence[ContextRule], items: Sequence[Item]) -> SlotRanker:
    """Ranks items that are popular in the order in which they stand."""
    shelf = Shelf(ShelfBounds(items=2_000, sessions=1_000))
    shelf.apply(Items(list(items)))
    ids = [item.item_id for item in items]
    shelf.apply(Popularity(["all"] * len(ids), ids, [5.0 - 0.1 * k for k in range(len(ids))]))
    slots = slots_of({"other": SlotSettings(rules=("only",))}, RankSettings())
    return SlotRanker(Ranker(shelf), SlotRules(slots, rules, shelf))


def made(rules: Sequence[ContextRule], items: Sequence[Item], state: UserState, slot: str = "home") -> Any:
    """The list of a user."""
    return slot_ranker(rules, items).rank([state], [NOON])[slot][0].ranked


def items(count: int = 12) -> list[Item]:
    return [
        Item(
            item_id=f"i{k:02d}",
            title="A thing"
            if k % 2
            else "A thing of which there is very much more to be said than fits here",
            image_url="https://shop/i.jpg",
            tags=("new",) if k in (7, 9) else (),
        )
        for k in range(count)
    ]


def test_the_shipped_rule_prefers_short_and_visual_items_on_mobile_alone() -> None:
    mobile, desktop = UserState("u", born=0, device="mobile"), UserState("u", born=0, device="desktop")
    before = made(ready_rules(), items(), desktop)
    after = made(ready_rules(), items(), mobile)
    assert before == made((), items(), mobile)
    short = {f"i{k:02d}" for k in range(1, 12, 2)}
    assert sum(map(after.items.index, short)) < sum(map(before.items.index, short))
    for item, why in zip(after.items, after.whys, strict=True):
        assert why == "trending:all" + (";rule:short_and_visual_on_mobile" if item in short else "")


def test_what_is_recorded_names_the_lists_in_which_a_rule_had_a_hand() -> None:
    bare = [Item(item_id=f"bare-{n}", title="mug") for n in range(12)]
    cases: list[tuple[list[Item], set[int]]] = [(items(), {0}), (bare, set())]
    for catalogue, moved in cases:
        told: list[MadeLists] = []
        state = UserState("u", born=0, device="mobile")
        slot_ranker(ready_rules(), catalogue).rank([state], [NOON], record=told.append)
        assert [set(made.moved) for made in told] == [moved]


@pytest.mark.parametrize("item", [{"title": "A thing"}, {"image_url": "https://shop/i.jpg"}, {}])
def test_the_shipped_rule_does_nothing_where_items_have_no_title_or_no_image(item: dict[str, str]) -> None:
    bare = [Item(item_id=f"i{k}", **item) for k in range(8)]
    state = UserState("u", born=0, device="mobile")
    assert made(ready_rules(), bare, state) == made((), bare, state)


def test_items_are_buried_hidden_or_alone_kept() -> None:
    state = UserState("u", born=0)
    ids = [item.item_id for item in items()]
    buried = made([ContextRule("b", "bury", NEW)], items(), state)
    assert buried.items[-2:] == ["i07", "i09"] or buried.items.index("i07") > 7
    assert [why for why in buried.whys if why.endswith(";rule:b")] == ["trending:all;rule:b"] * 2
    assert made([ContextRule("h", "hide", NEW)], items(), state).items == [
        i for i in ids if i not in ("i07", "i09")
    ]
    assert made([ContextRule("k", "keep", NEW)], items(), state).items == ["i07", "i09"]


def test_rules_count_in_the_slots_that_they_and_the_slots_name() -> None:
    state = UserState("u", born=0)
    for rule, home, other in (
        (ContextRule("only", "hide", NEW), 10, 10),
        (ContextRule("another", "hide", NEW), 10, 12),
        (ContextRule("only", "hide", NEW, slots=("other",)), 12, 10),
    ):
        assert len(made([rule], items(), state).items) == home
        assert len(made([rule], items(), state, "other").items) == other


@given(
    scores=st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=30),
    weights=st.lists(st.sampled_from([0.25, 0.5, 0.9, 1.0, 1.1, 2.0, 4.0]), min_size=2, max_size=2),
    bits=st.lists(st.integers(0, 1), min_size=30, max_size=30),
)
def test_a_greater_factor_never_gives_a_lower_score(
    scores: list[float], weights: list[float], bits: list[int]
) -> None:
    low, high = sorted(weights)
    n = len(scores)
    traits = np.array(bits, np.uint64)

    def weighed(weight: float) -> Any:
        rule = ContextRule(
            "r", "boost" if weight > 1 else "bury", NEW, factor=None if weight == 1 else weight
        )
        book = RuleWeights([rule], [0])
        arrays = book.of([UserState("u", born=0)], [NOON])
        assert arrays is not None
        arrays.weight[:] = weight
        start, item = np.array([0, n], np.int32), np.arange(n, dtype=np.int32)
        return weigh(arrays, start, item, np.array(scores, np.float32), traits)

    less, more = weighed(low), weighed(high)
    assert (more.scores >= less.scores - 1e-5).all()
    named = traits[:n] == 1
    assert (less.scores[~named] == np.array(scores, np.float32)[~named]).all()
    assert not more.out.any()


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"devices": ("mobile", "tablet")}, True),
        ({"devices": ("desktop",)}, False),
        ({"countries": ("JP",)}, True),
        ({"countries": ("GB",), "devices": ("mobile",)}, False),
        ({"hours": (21, 24)}, True),
        ({"hours": (20, 2)}, True),
        ({"hours": (9, 21)}, False),
        ({"weekdays": ("wed",)}, True),
        ({"weekdays": ("sat", "sun")}, False),
        ({"segments": ("vip", "new")}, True),
        ({"segments": ("at_risk",)}, False),
    ],
)
def test_a_rule_holds_in_its_context(when: dict[str, Any], holds: bool) -> None:
    """It is noon UTC, and nine in the evening in Japan."""
    state = UserState("u", born=0, device="mobile", country="JP", segments=["vip"])
    weights = RuleWeights([ContextRule("r", "hide", NEW, Moment(**when))], [0])
    assert (weights.of([state], [NOON]) is not None) == holds
    other = UserState("v", born=0)
    arrays = weights.of([other, state], [NOON, NOON])
    assert holds == (arrays is not None and arrays.weight[1, 0] == 0.0)


def test_local_time_is_that_of_most_people_in_the_country_in_summer_and_winter() -> None:
    july = int(datetime(2026, 7, 1, 23, 30, tzinfo=UTC).timestamp() * 1000)
    told = {code: local_hour(code, NOON)[0] for code in ("GB", "DE", "US", "AU", "BR", "IN", "RU")}
    assert told == {"GB": 12, "DE": 13, "US": 7, "AU": 23, "BR": 9, "IN": 17, "RU": 15}
    assert local_hour("DE", july) == (1, 3)
    assert local_hour("XX", NOON, "Asia/Tokyo") == local_hour(None, NOON, "Asia/Tokyo") == (21, 2)


GOOD = {"effect": "boost", "items": {"tags": ["new"]}}


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ([], "it is a table with effect and items"),
        ({"effect": "boost"}, "missing required field `items`"),
        ({"items": {"tags": ["new"]}}, "missing required field `effect`"),
        ({**GOOD, "effect": "filter"}, "Invalid enum value 'filter'"),
        ({**GOOD, "factor": 9}, "factor 9 of a boost is not within 1 and 4"),
        ({**GOOD, "factor": 0.5}, "factor 0.5 of a boost is not within 1 and 4"),
        ({**GOOD, "effect": "bury", "factor": 0.01}, "factor 0.01 of a bury is not within 0.25 and 1"),
        ({**GOOD, "effect": "hide", "factor": 2}, "factor: hide takes none"),
        ({**GOOD, "items": {}}, "say which items are meant"),
        ({**GOOD, "items": {"tag": ["new"]}}, 'items has no "tag"; it may have: attributes, categories'),
        ({**GOOD, "items": {"price_from": 5, "price_to": 2}}, "price_from 5 is above price_to 2"),
        ({**GOOD, "items": {"attributes": {"colour": []}}}, "colour has no value"),
        ({**GOOD, "when": {"hour": [1, 2]}}, 'when has no "hour"; it may have: countries, devices, hours'),
        ({**GOOD, "when": {"hours": [22, 30]}}, r"hours \[22, 30\]: from 0 to 23"),
        ({**GOOD, "when": {"weekdays": ["caturday"]}}, "weekday 'caturday' is not known; known: mon, tue"),
        ({**GOOD, "then": 1}, 'it has no "then"'),
    ],
)
def test_a_bad_rule_is_refused_with_its_name_and_what_is_wrong(table: Any, why: str) -> None:
    with pytest.raises(RuleRefused, match=f'rule "sale": .*{why}'):
        rule_of("sale", table)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rules = 1", "it has no rules"),
        ("[rule.x]", '"rule" is not known here'),
        ("[rules.x", "not TOML"),
        ('[rules.x]\neffect = "hide"\nitems = {}', 'rule "x": items: say which items'),
        ('[rules."a b"]\neffect = "hide"\nitems = {tags = ["t"]}', "a name is of letters"),
    ],
)
def test_a_bad_file_is_refused_with_its_name(text: str, why: str) -> None:
    with pytest.raises(RuleRefused, match=f"^mine.toml: .*{why}"):
        rules_of_file(text, "mine.toml")


def answer(
    body: str, deleted: bool = False, name: str = "sale", of: Configuration | None = None
) -> ControlStatus:
    message = Control(kind="rule", name=name, version=3, body=body, deleted=deleted)
    applied = (of or configuration()).apply_control(CONTROLS.encode(message))
    assert applied.status is not None
    return ControlStatus(**json.loads(applied.status))


def configuration(*rules: ContextRule) -> Configuration:
    """The configuration of a subtask whose settings have these rules."""
    following = Following(FollowingSettings(), {})
    control = FollowingControl(following, [], TrafficSettings(), Backfill(), IdleClock(now=0), rules)
    made = Configuration(SchemaBook())
    made.give(control.takers())
    return made


def test_the_job_takes_a_good_rule_and_refuses_a_bad_one_with_the_reason() -> None:
    assert answer(json.dumps(GOOD)).applied
    assert answer("{}", deleted=True).applied
    refused = answer(json.dumps({**GOOD, "factor": 9}))
    assert (refused.applied, refused.reason) == (
        False,
        'rule "sale": factor 9 of a boost is not within 1 and 4',
    )
    assert "its body is not JSON" in answer("{").reason


def test_a_rule_of_a_message_takes_the_place_of_a_configured_one_and_gives_it_back() -> None:
    rules = RulesInForce(ready_rules())
    name = ready_rules()[0].name
    off = record_of_rule(
        Control(kind="rule", name=name, version=2, body=json.dumps({**GOOD, "enabled": False}))
    )
    assert rules.offer(decode_rule(encode_rule(off)))
    assert rules.all() == ()
    assert not rules.offer(RuleRecord(name=name, version=1, rule=GOOD))
    assert rules.offer(record_of_rule(Control(kind="rule", name=name, version=3, deleted=True)))
    assert rules.all() == ready_rules()
    assert [record.version for record in rules.records()] == [3]


def test_more_rules_than_are_possible_are_refused_and_the_others_stay() -> None:
    rules = RulesInForce(())
    for k in range(MOST_RULES):
        rules.offer(RuleRecord(name=f"r{k}", version=1, rule=GOOD))
    with pytest.raises(RuleRefused, match="17 rules are in force with this one; 16 are possible"):
        rules.offer(RuleRecord(name="more", version=1, rule=GOOD))
    assert len(rules.all()) == MOST_RULES


def test_the_job_refuses_one_rule_too_many_with_those_of_the_settings_counted() -> None:
    job, good = configuration(*ready_rules()), json.dumps(GOOD)
    for k in range(MOST_RULES - 1):
        assert answer(good, name=f"r{k}", of=job).applied
    assert "17 rules are in force with this one" in answer(good, name="more", of=job).reason
    assert answer(good, name="r0", of=job).applied
    off = json.dumps({**GOOD, "enabled": False})
    assert answer(off, name=ready_rules()[0].name, of=job).applied
    assert answer(good, name="more", of=job).applied


@pytest.mark.parametrize("stored", [b"{", b'{"v":2,"type":"rule","name":"x","version":1}'])
def test_a_stored_rule_that_cannot_be_read_is_refused(stored: bytes) -> None:
    with pytest.raises(RuleRefused, match="a rule in Redis"):
        decode_rule(stored)


@pytest.mark.parametrize(
    ("selector", "takes"),
    [
        (ItemSelector(categories=("Home",)), True),
        (ItemSelector(categories=("Hom",)), False),
        (ItemSelector(not_categories=("Home/Mugs",)), False),
        (ItemSelector(tags=("red", "new")), True),
        (ItemSelector(not_tags=("new",)), False),
        (ItemSelector(price_from=5.0, price_to=5.0), True),
        (ItemSelector(price_from=5.01), False),
        (ItemSelector(title_at_most=3), True),
        (ItemSelector(title_at_most=2), False),
        (ItemSelector(has_image=False), True),
        (ItemSelector(in_stock=False), False),
        (ItemSelector(sold_in=("FR",)), False),
        (ItemSelector(languages=("en",), media=("text",)), True),
        (ItemSelector(attributes={"colour": ("blue", "red")}), True),
        (ItemSelector(attributes={"colour": ("*",), "size": ("*",)}), False),
    ],
)
def test_a_selector_takes_what_fulfils_all_of_it(selector: ItemSelector, takes: bool) -> None:
    mug = Item(
        item_id="mug", title="Mug", category="Home/Mugs", tags=("new",), price=5.0, language="en", media="text",
        attributes={"colour": "red"},
    )  # fmt: skip
    assert selector.takes(mug) == takes


def test_bits_of_conditions_that_are_gone_are_used_again_and_begin_clean() -> None:
    traits = ItemTraits(most_items=10)
    red, unknown = ItemSelector(tags=("red",)), ItemSelector(not_tags=("red",))
    traits.begin([red])
    traits.enter(0, Item(item_id="mug", tags=("red",)))
    traits.keep([])
    assert traits.begin([unknown])
    assert traits.bit_of(unknown) == 0
    assert [traits.has(number, 0) for number in (0, 1)] == [True, True]
    traits.mark(range(2), {0: Item(item_id="mug", tags=("red",))}.get)
    assert [traits.has(number, 0) for number in (0, 1)] == [False, True]
    with pytest.raises(ValueError, match="more than 64 conditions"):
        traits.begin([ItemSelector(price_to=float(k)) for k in range(65)])
