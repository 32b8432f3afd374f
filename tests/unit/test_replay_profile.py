"""A profile made again from the lake is the one that Redis holds, or the difference has a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from jobs.lake_files import SCHEMA
from jobs.replay_profile import replay_profile
from jobs.settings import Settings, load
from operators.affinity import AffinityModel
from operators.drift import DriftDetector
from operators.following import Following, FollowingSettings
from operators.item_facts import facts_of
from operators.lake_row import LakeRows, LakeSettings
from operators.profile import ProfileReading, learning_classes, profile_of
from schemas.pseudonym import Pseudonym
from schemas.records import Event, Item
from schemas.redis_keys import RedisKeys
from schemas.redis_values import item_value, profile_value
from schemas.state import UserState
from tests.unit.test_lake import row_of, stream

SECRET = "the secret of these tests"
ITEMS = [Item(item_id=f"i{k}", category=f"c{k % 4}", price=1.0 + k) for k in range(30)]
NAMES = RedisKeys()


class Shop:
    """A lake and a Redis, as the job leaves them after some days."""

    def __init__(self, folder: Path, url: str, client: Any) -> None:
        self.client = client
        given = {"lake.folder": str(folder), "redis.url": url, "privacy.secret": SECRET}
        self.told: Settings = load(None, given, {})
        self._pseudonym = Pseudonym(SECRET.encode())
        self._rows = LakeRows(LakeSettings(folder=str(folder)))
        self._folder = folder

    def follow(self, events: list[Event], first: int = 1) -> None:
        """Follow events and write what is accepted to the lake, from each user's event number `first` on."""
        self.users: dict[str, UserState] = {}
        parts: dict[str, list[dict[str, Any]]] = {}
        made = _following(self.told)
        windows: dict[str, bytes] = {}
        for event in events:
            user = self.users.setdefault(
                event.user_id,
                UserState(
                    self._pseudonym.of(event.user_id),
                    born=event.time,
                    lake_id=event.user_id.encode().ljust(12),
                ),
            )
            followed = made.update(user, event, windows.get(event.user_id))
            if followed.outcome.refused is not None:
                continue
            if followed.outcome.drift_window is not None:
                windows[event.user_id] = followed.outcome.drift_window
            cells = self._rows.cells(event, user, user.consent)
            assert cells is not None
            if user.n >= first:
                day = pd.Timestamp(user.last, unit="ms").strftime("%Y-%m-%d")
                parts.setdefault(day, []).append(row_of(cells))
        for day, rows in parts.items():
            place = self._folder / f"day={day}"
            place.mkdir()
            pq.write_table(pa.Table.from_pylist(rows[::-1], SCHEMA), place / "part-0")
        self.publish()

    def publish(self) -> None:
        step = self.told.step
        learning = learning_classes(AffinityModel(step.affinity), DriftDetector(step.drift))
        for user in self.users.values():
            value = profile_value(profile_of(user, learning, ProfileReading.of(step)))
            self.client.set(NAMES.profile(user.uid), value)
        for item in ITEMS:
            self.client.set(NAMES.item(item.item_id), item_value(item))


def _following(told: Settings) -> Following:
    made = Following(
        FollowingSettings(told.step, told.traffic, told.personas),
        {item.item_id: facts_of(item) for item in ITEMS},
    )
    made.use_segments(made.book(told.segments.in_force()))
    return made


@pytest.fixture
def shop(tmp_path: Path, redis_server: Any) -> Iterator[Shop]:
    with redis.Redis.from_url(redis_server.url) as client:
        yield Shop(tmp_path, redis_server.url, client)


def test_every_profile_is_made_again_from_the_lake_alone(shop: Shop) -> None:
    shop.follow(stream())
    for user in shop.users:
        found = replay_profile(shop.told, user)
        assert (found.made_again, found.differences) == (True, []), found
        assert found.events == shop.users[user].n


def test_a_field_that_differs_is_named(shop: Shop) -> None:
    shop.follow(stream())
    shop.users["u1"].country = "FR"
    shop.publish()
    [found] = replay_profile(shop.told, "u1").differences
    assert (found.field, found.stored) == ("country", '"FR"')


def test_an_exit_that_time_alone_brought_is_no_difference(shop: Shop) -> None:
    shop.follow(stream())
    user = shop.users["u1"]
    following = _following(shop.told)
    due = following.next_due(user)
    assert due is not None
    before = list(user.segments)
    assert following.advance(user, due)
    assert user.segments != before
    shop.publish()
    assert replay_profile(shop.told, "u1").differences == []


def test_a_lake_that_begins_later_than_the_record_is_said_to(shop: Shop) -> None:
    shop.follow(stream(), first=5)
    found = replay_profile(shop.told, "u2")
    assert not found.made_again
    assert "from the 5th on" in found.verdict


def test_of_a_user_who_is_gone_it_says_that_nothing_can_be_compared(shop: Shop) -> None:
    shop.follow(stream())
    shop.client.delete(NAMES.profile(shop.users["u3"].uid))
    found = replay_profile(shop.told, "u3")
    assert (found.made_again, found.events) == (False, 0)
    assert "no profile" in found.verdict


def test_a_lake_that_lacks_the_last_event_is_said_to(shop: Shop) -> None:
    shop.follow(stream())
    shop.users["u4"].n += 1
    shop.publish()
    assert "no row of the profile's last event" in replay_profile(shop.told, "u4").verdict
