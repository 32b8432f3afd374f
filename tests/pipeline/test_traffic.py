"""Robots in the live job: they move no public list, are counted, get no list, and may become visitors again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from heapq import merge

import pytest

from jobs.control_topic import publish_and_hear
from jobs.plain_stream import PlainStream
from operators.traffic_settings import TrafficSettings
from schemas.codec import RECOMMENDATIONS
from schemas.item_scores import log_score
from schemas.records import NO_CONTEXT, Context, Control, Event
from tests.job_feed import until_known
from tests.pipeline.conftest import LiveJob
from tests.pipeline.story import BEGIN, DAY, Story
from tests.robots import (
    SAYS_SO,
    Lists,
    Site,
    by_exponential_gaps,
    by_the_clock,
    changed,
    in_one_rush,
    lists,
    offsets_of,
    sums,
    thirty_percent,
    ware,
)

# So long after what other tests tell the live job that nothing of it trends any more: 40 half-lives after personas.
SITE = Site(people=350, items=120, begin=BEGIN + 300 * DAY)
ANNOUNCED, LISTED, RUSHING, CLOCKWORK = ROBOTS = ("announced", "listed", "rushing", "clockwork")
SIX_DECIMALS = 1e-5
"""What rounding makes of lists whose shares are published with six decimals."""


@dataclass
class Visited:
    """The live job after the visits, and the plain classes after the same ones, with robots and without."""

    live: LiveJob
    plain: PlainStream
    without: PlainStream
    robot_events: int
    counted: Counter[str]
    asked: int
    """Bots that asked for the catalogue before."""
    before: dict[str, int]
    """The job's counters before the visits: what other tests told it may look like robots too."""

    def kept_out(self, reason: str) -> int:
        """How many events of these visits were kept out for a reason."""
        name = f"kept_out.{reason}"
        return self.live.counters()[name] - self.before[name]

    @cached_property
    def offsets(self) -> dict[str, float]:
        """The units of all sums."""
        return offsets_of(self.without._statistics, SITE)

    def expected(self, stream: PlainStream) -> Lists:
        """The lists of a plain stream."""
        return lists(stream._statistics, SITE, self.offsets)

    def published(self) -> Lists:
        """The lists in Redis, which tell shares of the best item's sum; that sum stands beside them."""
        live, names, found = self.live, self.live.names, {}
        keys = {("trending", scope): (names.trending(scope), names.pop(scope)) for scope in SITE.scopes()}
        keys |= {("similar", ware(n)): (names.similar(ware(n)), names.co(ware(n))) for n in range(SITE.items)}
        for name, (shown, internal) in keys.items():
            value, best = live.redis.get(shown), live.redis.zrange(internal, 0, 0, desc=True, withscores=True)
            [unit] = sums([("", log_score(best[0][1]))], self.offsets[name[0]]).values() if best else [0.0]
            shares = json.loads(value)["items"] if value else []
            found[name] = {item: share * unit for item, share in shares}
        return found

    def lists_of(self, user: str) -> list[int]:
        """How many events of a user each list covered that they were given, in the order of the log."""
        uid = self.live.pseudonym.of(user)
        logged = map(RECOMMENDATIONS.decode, self.live.read(self.live.topics.recommendations))
        return [int(entry.seq.split(".")[1]) for entry in logged if entry.uid == uid]


def put_policy(live: LiveJob, version: int, *, deleted: bool = False, **body: object) -> None:
    """Put a traffic policy in force."""
    control = Control(kind="policy", name="traffic", version=version, body=json.dumps(body), deleted=deleted)
    status = publish_and_hear(control, live.topics, 60)
    assert status is not None
    assert status.applied, status.reason


def robots(count: int) -> list[Iterator[Event]]:
    """Each sends so many events. The first two are told by configuration, the others by what they do."""
    return [
        SITE.robot(ANNOUNCED, count, by_exponential_gaps, SAYS_SO),
        SITE.robot(LISTED, count, by_exponential_gaps),
        SITE.robot(RUSHING, count, in_one_rush),
        SITE.robot(CLOCKWORK, count, by_the_clock),
    ]


@pytest.fixture(scope="module")
def visited(story: Story) -> Iterator[Visited]:
    """Two days of visits, and four robots that each make 30 % of all events beside them."""
    live: LiveJob = story.live
    before = live.counters_now()
    items, visits = SITE.catalogue(), SITE.visits()
    for item in items:
        live.send_item(item)
    asked = until_known(live.send, live.profile, items[-1], SITE.begin)
    put_policy(live, 1, bots=[live.pseudonym.of(LISTED)])
    plain, without = PlainStream(items), PlainStream(items)
    plain._following.use_traffic(TrafficSettings(bots=(LISTED,)))
    count = thirty_percent(len(visits))
    counted = Counter[str]()
    for event in merge(visits, *robots(count), key=lambda event: event.time):
        live.send(event)
        if plain.learn(event).step is not None:
            counted[event.user_id] += 1
        if event.user_id not in ROBOTS:
            without.learn(event)
    live.producer.flush()
    yield Visited(live, plain, without, count, counted, asked, before)
    put_policy(live, 9, deleted=True)


def differ(before: Lists, after: Lists) -> float:
    """By what share the lists differ, of the kind that differs more."""
    return max(changed("trending", before, after), changed("similar", before, after))


def test_robots_with_30_percent_of_all_events_each_leave_trending_and_similar_items_as_they_were(
    visited: Visited,
) -> None:
    expected = visited.expected(visited.plain)
    visited.live.until(lambda: differ(expected, visited.published()) < SIX_DECIMALS, "the plain lists")
    assert visited.counted[ANNOUNCED] == visited.counted[LISTED] == 0
    assert 0 < visited.counted[RUSHING] <= 70
    assert 0 < visited.counted[CLOCKWORK] <= 24
    without, published = visited.expected(visited.without), visited.published()
    assert changed("trending", without, published) <= 0.01
    # Until it is noticed, whoever is in a rush makes pairs that count in full; of visitors, minutes lie between.
    assert changed("similar", without, published) <= 0.03


def test_events_of_robots_are_counted_by_what_they_were_known_by(visited: Visited) -> None:
    live, each, kept_out = visited.live, visited.robot_events, visited.kept_out
    told = each + visited.asked
    live.until(lambda: kept_out("user_agent") == told, "the one that says so")
    live.until(lambda: kept_out("listed") == each, "the listed one")
    live.until(lambda: each - 70 <= kept_out("rate") < each, "the rushing one")
    live.until(lambda: each - 24 <= kept_out("regularity") < each, "the one with a timer")
    assert kept_out("internal") == kept_out("internal_user") == 0


def test_a_robot_gets_no_list_from_when_it_is_known(visited: Visited) -> None:
    live = visited.live
    for robot in (ANNOUNCED, LISTED):
        assert visited.lists_of(robot) == []
        assert live.rec(robot) is None
        assert live.profile(robot) is not None
    assert all(events <= 70 for events in visited.lists_of(RUSHING))
    assert all(events <= 30 for events in visited.lists_of(CLOCKWORK))
    for robot, reason in ((ANNOUNCED, "user_agent"), (LISTED, "listed"), (RUSHING, "rate")):
        assert reason in json.loads(live.profile(robot))["traffic"]


def comes_again(visited: Visited, user: str, context: Context = NO_CONTEXT) -> None:
    """One view, a month later, of an item of the user's own counts, and brings a list.

    By then it is worth more than what anyone else viewed, though who viewed so much counts less a while.
    """
    live, item = visited.live, f"seen-by-{user}"
    live.send(
        Event(
            event_id=f"again-{user}", user_id=user, type="view", time=SITE.begin + 40 * DAY, item_id=item,
            context=context,
        )
    )  # fmt: skip
    covers_it = f".{visited.robot_events + 1:010d}"
    live.until(lambda: (live.rec(user) or {"seq": ""})["seq"].endswith(covers_it), f"a list of {user}")
    live.until(lambda: live.redis.zscore(live.names.pop("all"), item), "the view counts")
    assert json.loads(live.profile(user))["traffic"] == []


def test_who_is_tagged_no_longer_counts_again_and_gets_lists(visited: Visited) -> None:
    # By another user agent, by no name on the list, and by a quiet time.
    comes_again(visited, ANNOUNCED, Context(user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"))
    put_policy(visited.live, 2)
    comes_again(visited, LISTED)
    comes_again(visited, RUSHING)
