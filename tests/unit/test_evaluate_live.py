"""Judging the lists of a running job: which list an event is judged by, and what the figures say of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from jobs.cli import build
from jobs.evaluate_live import LiveTrial, Parts, parts_of
from jobs.live_figures import LiveEvaluation
from jobs.live_report import tell_live
from jobs.plain_stream import PlainStream
from jobs.recommenders import CannotJudge
from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from operators.live_lists import LiveLists
from operators.ranker import Ranker
from schemas.codec import RECOMMENDATIONS
from schemas.records import Event, Recommendation, ScoredItem
from schemas.redis_keys import seq

SECOND = 1_000
NOON = 1_300_000_000_000
SETTINGS = Settings()


def listed(n: int, written_at: int, items: tuple[str, ...] = (), born: int = 0) -> Recommendation:
    """A list of ann's first `n` events, as it comes from the recommendations topic."""
    places = tuple(ScoredItem(item_id=item, score=1.0, why="for_you") for item in items)
    made = Recommendation(
        rec_id=f"{n}", uid="ann", seq=seq(born, n), at=n, written_at=written_at, model="blend", items=places
    )
    return RECOMMENDATIONS.decode(RECOMMENDATIONS.encode(made))


def log_of(*made: Recommendation) -> LiveLists:
    lists = LiveLists()
    for each in made:
        lists.take(each)
    return lists


def test_the_list_is_the_newest_that_was_written_before_the_event_was_sent() -> None:
    lists = log_of(listed(1, 100, ("mug",)), listed(2, 200, ("bowl", "pan")))
    assert lists.before("ann", 100) is None
    first, second = lists.before("ann", 200), lists.before("ann", 201)
    assert first is not None
    assert second is not None
    assert (first.covers, first.items) == (1, ("mug",))
    assert (second.covers, second.items) == (2, ("bowl", "pan"))
    assert lists.before("bob", 500) is None


def test_an_older_list_that_a_restart_writes_again_takes_no_newer_ones_place() -> None:
    lists = log_of(listed(1, 100), listed(3, 200), listed(2, 300))
    held = lists.before("ann", 400)
    assert held is not None
    assert held.covers == 3


def test_a_user_who_was_forgotten_and_came_back_has_lists_of_the_new_record() -> None:
    lists = log_of(listed(9, 100, ("old",), born=1), listed(1, 200, ("new",), born=2))
    held = lists.before("ann", 300)
    assert held is not None
    assert held.items == ("new",)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), max_size=8), st.integers(0, 10))
def test_no_list_of_the_future_is_ever_taken(written: list[tuple[int, int]], moment: int) -> None:
    lists = log_of(*(listed(n, at) for n, at in sorted(written, key=lambda each: each[1])))
    held = lists.before("ann", moment)
    earlier = [n for n, at in written if at < moment]
    assert (held.covers if held else None) == (max(earlier) if earlier else None)


def shoppers(users: int, views: int = 8) -> list[Event]:
    """Users who view items of one of two shelves, one a second in turn, each beginning at another item."""
    return [
        Event(
            event_id=f"{user}-{step}",
            user_id=f"user-{user}",
            type="view",
            time=NOON + (step * users + user) * SECOND,
            item_id=f"{('even', 'odd')[user % 2]}-{(user + step) % 12}",
        )
        for step in range(views)
        for user in range(users)
    ]


def judged(
    events: list[Event], after: Callable[[int], int | None], history: int = 60
) -> tuple[LiveEvaluation, LiveTrial]:
    """The judgement of a job that is never wrong, whose list of event k is written `after(k)` ms later (None: never).

    Events are sent at their own times.
    """
    parts = Parts(events[:history], events[history:], None, "1x")
    lists, sent_at = LiveLists(), {event.event_id: event.time for event in parts.live}
    trial = LiveTrial(TrainingEvents(events, [], 0), parts, SETTINGS, None, lists, sent_at, str)
    stream = PlainStream()
    ranker = Ranker(stream.shelf, SETTINGS.rank)
    made = []
    for place, event in enumerate(events):
        stream.learn(event)
        stream.catch_up()
        state, late = stream.states[event.user_id], after(place)
        if late is not None:
            [ranked] = ranker.rank([state], [state.last])
            places = [ScoredItem(item_id=item, score=0.0, why="") for item in ranked.items]
            head = Recommendation(
                rec_id="", uid=state.uid, seq=seq(state.born, state.n), at=state.last,
                written_at=event.time + late, model="blend", items=tuple(places),
            )  # fmt: skip
            made.append(RECOMMENDATIONS.encode(head))
    for message in made:
        lists.take(RECOMMENDATIONS.decode(message))
    trial.take_history()
    trial.take_live()
    return trial.figures(), trial


def test_a_job_that_lists_at_once_is_as_good_as_evaluate() -> None:
    done, _ = judged(shoppers(12), after=lambda k: 50)
    current, stale, none = done.groups
    # 96 events, of which 60 are history; every live event is of a known user and a new item.
    assert (done.live, done.counting, done.strict) == (36, 36, 36)
    assert (current.events, stale.events, none.events) == (36, 0, 0)
    plain, same, live = done.scores
    assert plain.hit_rate
    # The shelf of the live list lacks what other users did since: that is all that may differ.
    assert same.hit_rate == plain.hit_rate
    assert live.hit_rate == pytest.approx(plain.hit_rate, abs=0.06)
    assert done.delay == [50.0] * 3
    assert done.gap == [12 * SECOND] * 3
    assert done.rapid == 0.0


def test_lists_that_come_too_late_are_stale_and_cost_what_their_record_lacks() -> None:
    done, trial = judged(shoppers(12), after=lambda k: 13 * SECOND)
    _, stale, none = done.groups
    assert stale.events == done.counting
    assert none.events == 0
    assert [known - made for known, made in zip(trial.live.events, trial.live.covered, strict=True)] == [
        1
    ] * 36
    assert set(trial.live.age) == {11 * SECOND}


def test_without_a_list_an_event_is_a_miss_of_the_job_alone() -> None:
    done, _ = judged(shoppers(12), after=lambda k: None)
    none = done.groups[2]
    assert none.events == done.counting == 36
    assert none.hit_rate["live job"] == 0.0
    assert (none.hit_rate["headrace"] or 0.0) > 0.0
    assert done.hit_rate is not None
    assert done.hit_rate.value == 0.0


def test_touched_items_of_an_old_list_win_nothing_and_break_nothing() -> None:
    events = shoppers(12)
    # Only the lists of the history are there: by and by their items are touched.
    done, _ = judged(events, after=lambda k: 50 if k < 60 else None)
    assert done.groups[1].events + done.groups[0].events == done.counting


def test_history_ends_where_the_time_changes_and_live_ends_with_the_minutes() -> None:
    events = shoppers(2, views=50)
    together = [replace_time(event, NOON) if place < 10 else event for place, event in enumerate(events)]
    parts = parts_of(together, 5, None, "10x", 0.1)
    assert len(parts.history) == 10
    # Six seconds at ten times recorded time are a minute: events 10 to 70.
    assert len(parts.live) == 61
    with pytest.raises(CannotJudge, match="leaves none of 100 events"):
        parts_of(together, 100, None, None, 1.0)


def test_a_job_that_knew_the_users_before_is_not_judged() -> None:
    events = shoppers(12)
    lists = log_of(listed(99, NOON))
    parts = Parts(events[:60], events[60:], None, "1x")
    sent_at = {event.event_id: event.time for event in parts.live}
    trial = LiveTrial(
        TrainingEvents(events, [], 0), parts, SETTINGS, None, lists, sent_at, lambda user: "ann"
    )
    trial.take_history()
    with pytest.raises(CannotJudge, match="begin with an empty Kafka and Redis"):
        trial.take_live()


def replace_time(event: Event, time: int) -> Event:
    return Event(
        event_id=event.event_id, user_id=event.user_id, type=event.type, time=time, item_id=event.item_id
    )


def test_the_report_names_the_ratio_and_what_is_amiss(capsys: pytest.CaptureFixture[str]) -> None:
    done, _ = judged(shoppers(12), after=lambda k: 50)
    tell_live(done)
    said = capsys.readouterr().out
    assert "live job : evaluate" in said
    assert "list is current" in said
    assert "in no list" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--speed", "30x"), "--live: give that too"),
        (("--live", "--cold"), "trial of its own"),
        (("--live", "--brokers", "h:1"), "--brokers and --redis go together"),
        (("--live", "--rate", "1/s", "--speed", "2x"), "exclude each other"),
        (("--live", "--history", "999"), "leaves none of 6 events"),
    ],
)
def test_bad_options_end_with_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    rows = [f"user-{n},view,{NOON + n},mug-{n}" for n in range(6)]
    file.write_text("\n".join(["user_id,type,time,item_id", *rows]))
    result = CliRunner().invoke(build(["evaluate"]), ["evaluate", str(file), *words])
    assert result.exit_code == 2
    assert said in result.stderr.replace("\n", " ")
