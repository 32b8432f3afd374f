"""Rules as their owners write them: what is refused and how that is said, and what the words mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.segments import SegmentBook, SegmentRefused, SegmentRule
from operators.segments.errors import RuleError
from operators.segments.literals import duration, shown_duration
from operators.segments.parser import parse
from operators.segments.rules_file import RulesFileRefused, rules_of


def refusal(when: str, name: str = "vip") -> str:
    with pytest.raises(SegmentRefused) as refused:
        SegmentBook.of([SegmentRule(name=name, when=when)])
    return str(refused.value)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('counts("view") > 3', 'segment "vip", column 1: unknown function "counts"; did you mean count?'),
        ('count("purchse") > 3', 'column 7: unknown event type "purchse"; did you mean purchase'),
        ('count("view", catgory="Toys") > 3', 'column 15: unknown field "catgory"; did you mean category?'),
        ('count("view", within="30 moons") > 3', 'column 22: "30 moons" is no duration; write "30d"'),
        ('count("view", within=30) > 3', 'column 15: within takes a duration in quotes: within="30d"'),
        ("sesion.depth > 3", 'column 1: unknown name "sesion.depth"; did you mean session.depth'),
        ('count("view")', "column 1: this is a number, and a condition is expected; write count(…) > 0"),
        ('count("view") > "3"', "column 15: a number cannot be compared with a text"),
        ('since_last("view") < 2', 'a duration is compared with a duration in quotes, such as "2h"'),
        ('since_last("view") + "1h" < "2h"', 'since_last("view") changes by itself'),
        ('since_last("view") == "2h"', "a time since something is compared with <, <=, > or >="),
        ('persona > "a"', "column 9: a text is compared with == or !=, not >"),
        ('1 < count("view") < 3', "column 19: two comparisons in a row; write a < b and b < c"),
        ('count("view") = 3', "column 15: a comparison is written =="),
        ('count("view") > 3 & true', "column 19: & is not part of the language; write and, or"),
        ('count("view") > 3d', 'column 17: a number is followed by a letter; durations stand in quotes: "3d"'),
        ('count("view" > 3', 'column 14: the parenthesis of column 6 is not closed before ">"'),
        ('count("view") >', "column 16: the rule ends too early"),
        ('count("view") > 3 and\n  cuont("view") > 2', 'line 2 column 3: unknown function "cuont"'),
        ("", "column 1: the rule is empty"),
        ("1 > 2", "column 3: both sides are constants"),
        ('minimum("purchase") > 3', 'write minimum("purchase_line") for its lines'),
        ('count("purchase") > 200', "counts to 128; compare it with less"),
        ('"view" then "view" within "1h"', "the two steps of a sequence are of different event types"),
        ('"view" then "purchase"', 'a sequence ends with within "1h"'),
        ('"view" then "click" then "purchase" within "1h"', "a sequence has two steps"),
        ('count("view", "any") > 3', '"any" means all event types'),
        ('count("purchase", "purchase_line") > 3', "choose one"),
        ('attribute("size") > 3', "declare it as a number: step.attributes"),
        ('segment("gold")', 'unknown segment "gold"; known: none'),
        ('segment("vip") or count("view") > 3', "in a circle: vip → vip"),
        ('count("view", value="a") > 3', "column 21: value is a number; write its value without quotes"),
        ('count("view", item=3) > 3', "column 20: item is a text; write its value in quotes"),
        ('count("view", within="1d", within="2d") > 3', "column 28: within is given twice"),
        ('sum("view", of=colour) > 3', 'column 13: unknown number "colour"'),
        ("(" * 40 + "persona" + ")" * 40, "the rule is nested deeper than 32 levels"),
        ('persona == “owl”', '“ is a typographic quote; write "'),
        ('count("view") / 0 > 1', "column 15: a division by 0"),
        ('last("view") > "soon"', 'column 16: "soon" is no date; write "2026-01-31"'),
    ],
)  # fmt: skip
def test_a_refusal_names_the_place_and_the_way_out(when: str, said: str) -> None:
    assert said in refusal(when)


@given(
    st.text(alphabet=st.sampled_from('count("view") >3.and\n=within"1d",[]+-*/not segment#xé'), max_size=80)
)
def test_any_text_is_either_a_rule_or_refused_at_a_place_in_it(text: str) -> None:
    at = 0
    try:
        parse(text)
    except RuleError as error:
        at = error.at
    assert 0 <= at <= len(text)


def sum_of(hours: int) -> str:
    return f'sum("view", within="{hours}h")'


def test_a_rule_is_refused_where_it_could_take_too_much_memory() -> None:
    when = " or ".join(f'sum("view", within="{n}h") / {n} > 1' for n in range(1, 41))
    assert "could take" in refusal(when)
    rules = [
        SegmentRule(name=f"rule{n}", when=" or ".join(f'{sum_of(30 * n + k)} / 2 > 1' for k in range(1, 30)))
        for n in range(1, 12)
    ]  # fmt: skip
    with pytest.raises(SegmentRefused, match=r'segment "rule\d+": with it, all rules together could take'):
        SegmentBook.of(rules)


def test_cells_are_shared_by_all_rules_that_ask_the_same() -> None:
    book = SegmentBook.of(
        [
            SegmentRule(name="a", when='count("view", device="tv", category="Toys", within="24h") > 3'),
            SegmentRule(name="b", when='not count("view", category="Toys", within="1d", device="tv") < 9'),
        ]
    )
    assert len(book.cells) == 1


def test_circles_are_refused_over_any_number_of_segments() -> None:
    rules = [SegmentRule(name=f"s{n}", when=f'segment("s{(n + 1) % 5}")') for n in range(5)]
    with pytest.raises(SegmentRefused, match="s0 → s1 → s2 → s3 → s4 → s0"):
        SegmentBook.of(rules)
    book = SegmentBook.of([*rules[:4], SegmentRule(name="s4", when='count("view") > 0')])
    assert [entry.rule.name for entry in book.entries] == ["s4", "s3", "s2", "s1", "s0"]
    with pytest.raises(SegmentRefused, match='segment "s3" reads it'):
        book.without("s4")
    assert book.without("nobody") is book


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[segments.a]\nwhen = 3", 'mine.toml: segment "a": Expected `str`, got `int` - at `$.when`'),
        ("[segments.a]\nwhne = 'x'", 'mine.toml: segment "a": '),
        ("[segment.a]\nwhen = 'x'", 'mine.toml: "segment" is not known here; write [segments.NAME]'),
        ("", "mine.toml: it has no segments"),
        ("[segments", "mine.toml: not TOML"),
        ("[segments.'a b']\nwhen = 'x'", 'segment "a b": a name is of letters'),
    ],
)
def test_a_bad_file_is_refused_by_its_name(text: str, said: str) -> None:
    with pytest.raises(RulesFileRefused) as refused:
        rules_of(text, "mine.toml")
    assert said in str(refused.value)


def test_the_body_of_a_control_message_is_read_back() -> None:
    rule = SegmentRule(name="vip", when='count("view") > 3', version=7, description="keen", enabled=False)
    assert SegmentRule.from_body("vip", 7, rule.body()) == rule
    with pytest.raises(SegmentRefused, match='segment "vip": its body is not JSON'):
        SegmentRule.from_body("vip", 1, "count >")


@given(st.integers(1, 10**11))
def test_a_duration_is_read_as_it_is_shown(ms: int) -> None:
    assert duration(shown_duration(ms)) == ms
