"""The publishing script on a real Redis: what it writes, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.publication import PUBLISH_SCRIPT, Published, UserValues, publish_arguments
from schemas.redis_keys import RedisKeys, seq
from schemas.redis_values import ProfileValue, RecValue, profile_value, rec_value, seq_of

NAMES = RedisKeys()
BORN = 1_700_000_000_000
TTL_S = 600


@pytest.fixture
def client(client: Any) -> Any:
    client.set(NAMES.alive, "1")
    return client


def values(
    n: int, item: str = "A", segments: Sequence[str] = (), uid: str = "u", born: int = BORN
) -> UserValues:
    version = seq(born, n)
    rec = RecValue(seq=version, id=f"r{n}", at=n, model="m", items=[(item, 1.0, "for_you")])
    profile = ProfileValue(seq=version, at=n, born=born, events=n, segments=segments)
    return UserValues(uid, rec_value(rec), profile_value(profile), segments)


def publish(client: Any, *users: UserValues) -> Published:
    keys, args = publish_arguments(NAMES, users, TTL_S)
    return Published.of(client.register_script(PUBLISH_SCRIPT)(keys=keys, args=args))


def test_all_three_keys_of_every_user_are_written_in_one_call(client: Any) -> None:
    users = [values(1, segments=["vip"], uid=f"u{i}") for i in range(50)]
    assert publish(client, *users) == Published(lists=50, profiles=50, segment_changes=50, marker=True)
    for user in users:
        assert client.get(NAMES.rec(user.uid)) == user.rec
        assert client.get(NAMES.profile(user.uid)) == user.profile
        assert client.smembers(NAMES.seg(user.uid)) == {b"vip"}
        assert all(TTL_S - 5 <= client.ttl(key) <= TTL_S for key in NAMES.of_user(user.uid))


def test_an_older_version_never_replaces_a_newer_one(client: Any) -> None:
    newer = values(10, item="NEW", segments=["new"])
    publish(client, newer)
    assert publish(client, values(9, item="OLD", segments=["old"])) == Published(0, 0, 0, True)
    assert client.get(NAMES.rec("u")) == newer.rec
    assert client.get(NAMES.profile("u")) == newer.profile
    assert client.smembers(NAMES.seg("u")) == {b"new"}


@pytest.mark.parametrize(("born", "n"), [(BORN, 10), (BORN, 1_000_000_000), (BORN + 1, 0)])
def test_an_equal_or_later_version_overwrites(client: Any, born: int, n: int) -> None:
    publish(client, values(10, item="FIRST"))
    second = values(n, item="SECOND", born=born)
    assert publish(client, second) == Published(1, 1, 0, True)
    assert client.get(NAMES.rec("u")) == second.rec
    assert seq_of(client.get(NAMES.profile("u"))) == seq(born, n)


def test_a_row_without_a_list_leaves_the_list_as_it_is(client: Any) -> None:
    first = values(1)
    publish(client, first)
    later = values(2, segments=["vip"])._replace(rec=b"")
    assert publish(client, later) == Published(lists=0, profiles=1, segment_changes=1, marker=True)
    assert client.get(NAMES.rec("u")) == first.rec
    assert client.get(NAMES.profile("u")) == later.profile


def test_subscribers_hear_of_changed_segments_and_of_nothing_else(client: Any) -> None:
    with client.pubsub() as listener:
        listener.subscribe(NAMES.changes)
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        publish(client, values(1, segments=["b", 'quoted "a"']))
        publish(client, values(2, segments=["b", 'quoted "a"']))
        publish(client, values(3, segments=["b", "c"]))
        publish(client, values(4, segments=[]))
        heard = []
        while len(heard) < 3 and (message := listener.get_message(timeout=5)) is not None:
            heard.append(json.loads(message["data"]))
        assert listener.get_message(timeout=0.1) is None
    assert heard == [
        {"v": 1, "uid": "u", "seq": seq(BORN, 1), "entered": ["b", 'quoted "a"'], "left": []},
        {"v": 1, "uid": "u", "seq": seq(BORN, 3), "entered": ["c"], "left": ['quoted "a"']},
        {"v": 1, "uid": "u", "seq": seq(BORN, 4), "entered": [], "left": ["b", "c"]},
    ]
    assert not client.exists(NAMES.seg("u"))


def test_the_same_row_twice_changes_nothing_but_the_time_to_live(client: Any) -> None:
    publish(client, values(1, segments=["vip"]))
    client.expire(NAMES.rec("u"), 5)
    assert publish(client, values(1, segments=["vip"])) == Published(1, 1, 0, True)
    assert client.ttl(NAMES.rec("u")) > 5


def test_an_emptied_redis_is_noticed(client: Any) -> None:
    client.flushall()
    assert publish(client, values(1)).marker is False
    client.set(NAMES.alive, "1")
    assert publish(client, values(2)).marker is True


def test_a_call_without_the_marker_touches_keys_of_one_user_slot_only(client: Any) -> None:
    keys, args = publish_arguments(NAMES, [values(1)], TTL_S, with_marker=False)
    assert {key.partition("{")[2] for key in keys} == {"u}"}
    answer = client.register_script(PUBLISH_SCRIPT)(keys=keys, args=args)
    assert Published.of(answer) == Published(1, 1, 0, True)


def test_a_thousand_users_with_many_segments_fit_one_call(client: Any) -> None:
    segments = [f"segment-{i}" for i in range(40)]
    users = [values(1, segments=segments, uid=f"u{i}") for i in range(1_000)]
    assert publish(client, *users).segment_changes == 1_000
    assert client.scard(NAMES.seg("u999")) == 40
