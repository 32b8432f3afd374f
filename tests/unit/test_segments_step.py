"""Segments of one user over time: entries and exits on the ms, evidence, rules that change on the way."""

from __future__ import annotations

import pytest

from operators.item_facts import ItemFacts
from operators.segments import SegmentBook, SegmentRule, SegmentStep, Transition
from operators.segments.rules_file import ready_rules
from schemas.records import Event
from schemas.state import UserState

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BEGIN = 1_700_000_000_000


class Shopper:
    """One user and a fake clock."""

    def __init__(self, *rules: SegmentRule) -> None:
        self.step = SegmentStep(SegmentBook.of(rules))
        self.user = UserState("pseudonym", born=BEGIN)
        self.n = 0

    def does(
        self,
        type: str,
        at: int,
        value: float | None = None,
        *,
        order: str | None = None,
        price: float | None = None,
    ) -> list[Transition]:
        self.n += 1
        time = BEGIN + at
        self.user.last = max(self.user.last, time)
        event = Event(
            event_id=str(self.n), user_id="ann", type=type, time=time, item_id=f"item-{self.n}", value=value,
            order_id=order,
        )  # fmt: skip
        return self.step.update(self.user, event, ItemFacts("Toys", price), time)

    def waits_until(self, at: int) -> list[tuple[str, str, int]]:
        return told(self.step.advance(self.user, BEGIN + at))

    def due(self) -> int | None:
        due = self.step.next_due(self.user)
        return None if due is None else due - BEGIN

    def rules_become(self, *rules: SegmentRule) -> None:
        self.step = SegmentStep(SegmentBook.of(rules))


def told(changes: list[Transition]) -> list[tuple[str, str, int]]:
    return [(each.segment, "entered" if each.entered else "left", each.at - BEGIN) for each in changes]


def rule(when: str, name: str = "s", version: int = 1) -> SegmentRule:
    return SegmentRule(name=name, when=when, version=version)


def test_a_user_leaves_more_than_3_purchases_in_30_days_without_an_event() -> None:
    ann = Shopper(rule('count("purchase", within="30d") > 3', version=5))
    for day in (0, 1, 2):
        assert ann.does("purchase", day * DAY) == []
        assert ann.due() is None
    [entered] = ann.does("purchase", 3 * DAY)
    assert entered == Transition("s", True, BEGIN + 3 * DAY, 5, {'count("purchase", within="30d")': 4.0})
    assert ann.due() == 30 * DAY
    assert ann.waits_until(30 * DAY - 1) == []
    assert ann.waits_until(90 * DAY) == [("s", "left", 30 * DAY)]
    assert (ann.user.segments, ann.due()) == ([], None)


def test_the_lines_of_an_order_are_one_purchase() -> None:
    ann = Shopper(rule('count("purchase") >= 2'), rule('count("purchase_line") >= 3', "lines"))
    ann.does("purchase", 0, order="o-1")
    ann.does("purchase", 1, order="o-1")
    assert told(ann.does("purchase", 2, order="o-1")) == [("lines", "entered", 2)]
    assert told(ann.does("purchase", 3)) == [("s", "entered", 3)]


def test_an_abandoned_cart_is_noticed_after_an_hour_and_a_purchase_ends_it() -> None:
    ann = Shopper(rule('"add_to_cart" then not "purchase" within "1h" and since_last("add_to_cart") < "7d"'))
    ann.does("add_to_cart", 0)
    assert ann.due() == HOUR
    assert ann.waits_until(2 * HOUR) == [("s", "entered", HOUR)]
    assert ann.due() == 7 * DAY
    assert told(ann.does("purchase", 3 * HOUR)) == [("s", "left", 3 * HOUR)]
    ann.does("add_to_cart", DAY)
    assert ann.waits_until(30 * DAY) == [("s", "entered", DAY + HOUR), ("s", "left", 8 * DAY)]


def test_what_was_due_before_an_event_comes_before_it() -> None:
    ann = Shopper(rule('since_last("view") < "2h"'))
    assert told(ann.does("view", 0)) == [("s", "entered", 0)]
    assert told(ann.does("view", 5 * HOUR)) == [("s", "left", 2 * HOUR), ("s", "entered", 5 * HOUR)]
    assert ann.does("view", 7 * HOUR) == []


def test_when_time_is_let_pass_makes_no_difference() -> None:
    when = rule('count("view", within="1h") >= 2 or sum("dwell", within="2h") > 50')
    often, seldom = Shopper(when), Shopper(when)
    seen: list[tuple[str, str, int]] = []
    for n in range(40):
        at = n * n % 17 * 11 * MINUTE + n * 20 * MINUTE
        type, value = ("view", None) if n % 3 else ("dwell", 30.0)
        for minute in range(0, at // MINUTE, 7):
            seen += often.waits_until(minute * MINUTE) if BEGIN + minute * MINUTE < often.user.last else []
        seen += told(often.does(type, at, value))
        seldom.does(type, at, value)
    assert often.user.segments == seldom.user.segments
    assert often.user.segment_memory == seldom.user.segment_memory


def test_a_late_event_counts_where_it_belongs() -> None:
    ann = Shopper(rule('count("view", within="1h") >= 2'))
    ann.does("view", 3 * HOUR)
    assert told(ann.does("view", 2 * HOUR + 30 * MINUTE)) == [("s", "entered", 3 * HOUR)]
    assert ann.due() == 3 * HOUR + 30 * MINUTE
    assert ann.does("view", HOUR) == []


def test_segments_of_segments_follow_at_once_and_on_time() -> None:
    ann = Shopper(
        rule('segment("b") and segment("here")', "a"),
        rule('segment("here")', "b"),
        rule('since_last("any") < "30m"', "here"),
    )
    assert told(ann.does("view", 0)) == [("here", "entered", 0), ("b", "entered", 0), ("a", "entered", 0)]
    late = 30 * MINUTE
    assert ann.waits_until(DAY) == [("here", "left", late), ("b", "left", late), ("a", "left", late)]


def test_a_new_version_keeps_the_cells_whose_text_is_the_same() -> None:
    ann = Shopper(rule('count("purchase", within="30d") > 3'))
    for n in range(3):
        ann.does("purchase", n)
    ann.rules_become(
        rule('count("purchase", within="30d") > 2 and count("view", within="1d") == 0', version=2)
    )
    [change] = ann.does("search", 10)
    assert (change.entered, change.version) == (True, 2)


def test_a_new_cell_begins_empty() -> None:
    ann = Shopper(rule('count("purchase", within="30d") >= 2'))
    ann.does("purchase", 0)
    ann.rules_become(rule('count("purchase", within="60d") >= 2'))
    assert ann.does("purchase", 1) == []
    assert told(ann.does("purchase", 2)) == [("s", "entered", 2)]
    assert len(ann.user.segment_memory.cells) == 1


@pytest.mark.parametrize("enabled", [None, False])
def test_members_of_a_removed_rule_leave_with_the_next_event(enabled: bool | None) -> None:
    gone = rule('count("view") > 0', version=4)
    ann = Shopper(gone)
    ann.does("view", 0)
    disabled = SegmentRule(name="s", when=gone.when, version=5, enabled=False)
    ann.rules_become(*([] if enabled is None else [disabled]))
    [left] = ann.does("view", 1)
    assert (left.segment, left.entered, left.version) == ("s", False, 0 if enabled is None else 5)
    assert (ann.user.segments, ann.user.segment_memory.cells) == ([], {})


def test_members_of_a_changed_rule_leave_when_something_is_due() -> None:
    ann = Shopper(rule('since_last("view") < "2h"'))
    ann.does("view", 0)
    ann.rules_become(rule('since_last("view") < "1h"', version=2))
    assert ann.waits_until(DAY) == [("s", "left", 2 * HOUR)]


def test_evidence_is_in_seconds_and_leaves_out_what_is_not_known() -> None:
    ann = Shopper(
        rule('since_last("view") < "2h" and (average("dwell", within="1d") > 5 or known_for < "1d")')
    )
    ann.does("search", 0)
    [change] = ann.does("view", 90_000)
    assert change.evidence == {
        'since_last("view")': 0.0,
        'sum("dwell", of=amount, within="1d")': 0.0,
        'count("dwell", of=amount, within="1d")': 0.0,
        "known_for": 90.0,
    }


def test_the_rules_that_ship_fit_who_they_are_named_for() -> None:
    ann = Shopper(*ready_rules())
    ann.does("view", 0)
    assert ann.user.segments == ["new"]
    for n in range(20):
        ann.does("view", HOUR + n)
    assert ann.user.segments == ["new", "window_shoppers"]
    ann.does("add_to_cart", 2 * HOUR)
    ann.waits_until(4 * HOUR)
    assert "cart_abandoners" in ann.user.segments
    for n in range(6):
        ann.does("purchase", DAY + n, value=5.0, price=10.0)
    ann.does("dwell", DAY + HOUR, value=900.0)
    ann.does("scroll", DAY + HOUR, value=0.9)
    assert ann.user.segments == ["bargain_seekers", "engaged_readers", "frequent_buyers", "high_value", "new"]
    ann.waits_until(60 * DAY)
    assert ann.user.segments == ["at_risk", "bargain_seekers", "frequent_buyers"]
    ann.waits_until(1000 * DAY)
    assert (ann.user.segments, ann.due()) == ([], None)
