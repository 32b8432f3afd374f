"""Who is taken for a bot or for internal traffic, who is not, and how the tag goes again."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.traffic import CLEAN, TrafficStep, Verdict
from operators.traffic_settings import PolicyRefused, TrafficSettings, with_policy
from schemas.pseudonym import Pseudonym
from schemas.records import EVENT_TYPES, Context, Event
from schemas.traffic_state import Traffic, kind_of, reasons

BEGIN = 1_700_000_000_123
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


def event(
    time: int, type: str = "view", agent: str | None = None, referrer: str | None = None, **attributes: str
) -> Event:
    context = Context(user_agent=agent, referrer=referrer)
    name = f"{type}{time}"
    return Event(
        event_id=name,
        user_id="ann",
        type=type,
        time=time,
        item_id="mug",
        context=context,
        attributes=attributes,
    )


def judged(
    events: Iterable[Event], settings: TrafficSettings = TrafficSettings(), traffic: Traffic | None = None
) -> tuple[Traffic, list[Verdict]]:
    step, traffic = TrafficStep(settings), traffic or Traffic()
    return traffic, [step.update(traffic, each, "ann") for each in events]


def tags(events: Iterable[Event], settings: TrafficSettings = TrafficSettings()) -> tuple[str, ...]:
    return reasons(judged(events, settings)[0].marks)


def test_forty_pages_in_ten_minutes_are_a_visitors() -> None:
    gaps = [3, 40, 8, 2, 1, 1, 2, 65, 12, 9] * 4
    times = [BEGIN + 1_000 * sum(gaps[:n]) for n in range(len(gaps))]
    assert judged(map(event, times)) == (judged(map(event, times))[0], [CLEAN] * 40)


@pytest.mark.parametrize(
    ("step", "count", "found"),
    [
        (200, 70, "rate"),  # five pages a second
        (20 * SECOND, 30, "regularity"),
        (61 * SECOND + 7, 30, "regularity"),
    ],
)
def test_a_pace_that_no_person_keeps_is_a_bots(step: int, count: int, found: str) -> None:
    assert found in tags(event(BEGIN + step * n) for n in range(count))


def test_a_clock_of_whole_minutes_makes_nobody_regular() -> None:
    whole_minutes = BEGIN - BEGIN % MINUTE
    assert tags(event(whole_minutes + MINUTE * n) for n in range(100)) == ()


def test_a_click_and_the_view_it_leads_to_are_no_gap() -> None:
    pairs = [
        event(BEGIN + 20 * SECOND * n + late, type)
        for n in range(40)
        for late, type in ((0, "click"), (90, "view"))
    ]
    assert tags(pairs) == ("regularity",)


def test_the_lines_of_an_order_are_one_action() -> None:
    lines = [Event(event_id=str(n), user_id="ann", type="purchase", time=BEGIN) for n in range(800)]
    traffic, verdicts = judged(lines)
    assert set(verdicts) == {CLEAN}
    assert judged(lines[:1])[0] == traffic


def test_impressions_and_scrolls_count_a_tenth() -> None:
    assert tags(event(BEGIN + 300 * n, "impression") for n in range(300)) == ()
    assert tags(event(BEGIN + 300 * n, "view") for n in range(300)) == ("rate", "regularity")


def test_what_goes_beyond_fifty_actions_counts_less_and_less() -> None:
    step, traffic = TrafficStep(TrafficSettings()), Traffic()
    gaps = [1 + n * n % 97 for n in range(400)]
    weights = [step.update(traffic, event(BEGIN + SECOND * sum(gaps[:n])), "ann").weight for n in range(400)]
    assert weights[:50] == [1.0] * 50
    assert all(after < before for before, after in pairwise(weights[51:]))
    assert sum(weights) < 50 * (1 + 2.3)


def test_a_tag_of_behaviour_goes_when_the_behaviour_has_changed_for_hours() -> None:
    traffic, verdicts = judged(event(BEGIN + 200 * n) for n in range(100))
    assert [verdict.changed for verdict in verdicts].count(True) == 1
    assert verdicts[-1].weight == 0.0
    last = BEGIN + 200 * 99
    _, after = judged(
        [event(last + 5 * HOUR), event(last + 7 * HOUR), event(last + 8 * HOUR)], traffic=traffic
    )
    assert [(verdict.tagged, verdict.changed) for verdict in after] == [
        (True, False),
        (False, True),
        (False, False),
    ]


def test_a_user_agent_tags_until_another_one_is_seen() -> None:
    crawled = [event(BEGIN, agent="Mozilla/5.0 (compatible; bingbot/2.0)"), event(BEGIN + MINUTE)]
    traffic, verdicts = judged(crawled)
    assert [verdict.tagged for verdict in verdicts] == [True, True]
    _, verdicts = judged([event(BEGIN + 2 * MINUTE, agent="Mozilla/5.0 Firefox/130.0")], traffic=traffic)
    assert verdicts == [Verdict(changed=True)]


@pytest.mark.parametrize(
    ("agent", "robot"),
    [
        (
            "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/116 Mobile Safari/537.36",
            False,
        ),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile Safari/604.1", False),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0 Safari/537.36", True),
        ("python-requests/2.31", True),
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", True),
        ("curl/8.1", True),
    ],
)
def test_user_agents(agent: str, robot: bool) -> None:
    assert (tags([event(BEGIN, agent=agent)]) == ("user_agent",)) is robot


def test_internal_traffic_is_marked_for_the_visit() -> None:
    settings = TrafficSettings(internal_referrers=(r"//cms\.shop\.example/",))
    visit = [
        event(BEGIN, referrer="https://cms.shop.example/edit"),
        event(BEGIN + MINUTE),
        event(BEGIN + HOUR),
    ]
    _, verdicts = judged(visit, settings)
    assert [kind_of(verdict.marks) for verdict in verdicts] == ["internal", "internal", None]
    assert tags([event(BEGIN, internal="true")]) == ("internal",)
    assert tags([event(BEGIN, internal="false")]) == ()


def test_listed_users_are_told_by_raw_id_or_pseudonym_and_kept_as_pseudonyms() -> None:
    of = Pseudonym(b"secret").of
    settings = TrafficSettings(bots=("monitor-1",), internal_users=(of("staff-7"),), allowed=("heavy-buyer",))
    step = TrafficStep(settings, of)
    assert kind_of(step.update(Traffic(), event(BEGIN), of("monitor-1")).marks) == "bot"
    assert kind_of(step.update(Traffic(), event(BEGIN), of("staff-7")).marks) == "internal"
    traffic = Traffic()
    for n in range(100):
        assert not step.update(traffic, event(BEGIN + 200 * n), of("heavy-buyer")).tagged
    assert "monitor-1" not in repr(settings)
    assert "monitor-1" not in repr(vars(step))


def test_configuration_takes_back_what_it_said_with_the_users_next_event() -> None:
    step, traffic = TrafficStep(TrafficSettings(bots=("ann",))), Traffic()
    assert step.update(traffic, event(BEGIN), "ann").tagged
    step.configure(TrafficSettings())
    assert step.update(traffic, event(BEGIN + 1), "ann") == Verdict(changed=True)
    for n in range(100):
        step.update(traffic, event(BEGIN + 200 * n), "ann")
    assert reasons(traffic.marks) == ("rate",)
    step.configure(with_policy(TrafficSettings(), '{"rate_limit": 500}'))
    assert step.update(traffic, event(BEGIN + 30 * SECOND), "ann").changed
    assert (traffic.marks, traffic.until, traffic.policy) == (0, 0, 0)


@pytest.mark.parametrize(
    ("body", "way_out"),
    [
        ('{"user_agents": ["("]}', "user_agents: '(' is no regular expression"),
        ('{"volume_limit": -1}', "volume_limit is -1.0; it must be more than 0"),
        ('{"robots": []}', "robots"),
        ("[]", "object"),
        ('{"bots": [17850]}', "bots"),
    ],
)
def test_a_bad_policy_is_refused_with_the_field_that_is_wrong(body: str, way_out: str) -> None:
    with pytest.raises(PolicyRefused, match=r"^policy traffic: ") as refusal:
        with_policy(TrafficSettings(), body)
    assert way_out in str(refusal.value)
    assert "17850" not in str(refusal.value)


@given(
    st.lists(
        st.tuples(
            st.integers(-HOUR, 10 * HOUR),
            st.sampled_from(sorted(EVENT_TYPES)),
            st.sampled_from([None, "x", "bot"]),
        ),
        max_size=60,
    )
)
def test_the_state_is_small_goes_through_storage_and_says_what_the_verdict_said(
    parts: list[tuple[int, str, str | None]],
) -> None:
    step, traffic, again = TrafficStep(TrafficSettings(rate_limit=4)), Traffic(), Traffic()
    time, marks = BEGIN, 0
    for gap, type, agent in parts:
        time += gap
        verdict = step.update(traffic, event(time, type, agent), "ann")
        assert verdict == step.update(again, event(time, type, agent), "ann")
        stored = msgspec.msgpack.encode(again)
        again = msgspec.msgpack.decode(stored, type=Traffic)
        assert again == traffic
        assert len(stored) <= 50
        assert (verdict.marks, verdict.changed) == (traffic.marks, traffic.marks != marks)
        assert 0.0 <= verdict.weight <= 1.0
        marks = traffic.marks
