"""A user's profile made again from the data lake, and held against the one that Redis holds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import redis

from jobs.files import open_items
from jobs.lake_files import LakeFolder
from jobs.lake_user import LakeUser, users_of
from jobs.model_readings import RedisUnreachable
from jobs.settings import Settings, SettingsError
from jobs.user import user_keys
from operators.affinity import AffinityModel
from operators.drift import DriftDetector
from operators.following import Following, FollowingSettings
from operators.item_facts import Catalogue, facts_of
from operators.profile import ProfileReading, learning_classes, profile_of
from schemas.pseudonym import Pseudonym
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from schemas.redis_values import ProfileValue, profile_value
from schemas.state import UserState

_NOT_IN_THE_LAKE = frozenset({"persona"})
"""What a profile shows that depends on more than the user's events: which personas were in force."""


class FieldDifference(msgspec.Struct, frozen=True):
    """A field of the profile, as Redis holds it and as it was made again."""

    field: str
    stored: str
    computed: str


class ProfileReplay(msgspec.Struct, kw_only=True):
    """What came of it. `made_again` is false where the profile could not be made again, for the reason that the
    verdict gives; `not_compared` are fields that the lake cannot tell."""

    uid: str
    made_again: bool
    verdict: str
    events: int = 0
    differences: list[FieldDifference] = []
    not_compared: list[str] = []


def replay_profile(told: Settings, user_id: str, items: Path | None = None) -> ProfileReplay:
    """Make a user's profile again from the lake of the settings. `items` is a catalogue; without one it is that of
    Redis.

    Raises `SettingsError` where no lake is set, `FileRefused` for one that cannot be read, `RedisUnreachable`.
    """
    if told.lake.folder is None:
        raise SettingsError("a profile is made again from the data lake: give --lake, or set lake.folder")
    lake = LakeFolder.open(told.lake.folder)
    keys = user_keys(user_id, told)
    try:
        with redis.Redis.from_url(told.redis_url()) as client:
            stored: Any = client.get(keys.profile)
            if stored is None:
                return _cannot(
                    keys.uid, f"Redis holds no profile of {user_id!r}: never seen, expired or forgotten"
                )
            profile = msgspec.json.decode(stored, type=ProfileValue)
            found = users_of(lake, profile.events, profile.at)
            names = RedisKeys(told.redis.prefix)
            known = open_items(items) if items is not None else _items_of(client, names, found)
            catalogue = {item.item_id: facts_of(item) for item in known if isinstance(item, Item)}
    except redis.RedisError as error:
        raise RedisUnreachable(f"Redis at {told.redis.url} does not answer ({error}); give --redis") from None
    if not found:
        return _cannot(
            keys.uid,
            "the lake holds no row of the profile's last event: it appears with the next checkpoint, or was left out"
            " (lake.purpose), or the user was forgotten since",
        )
    whole = [user for user in found if list(user.numbers) == list(range(1, profile.events + 1))]
    if not whole:
        return _cannot(keys.uid, _gap(found[0], profile.events))
    return min((_compare(told, keys.uid, user, catalogue, stored) for user in whole), key=_differing)


def _differing(made: ProfileReplay) -> int:
    return len(made.differences)


def _cannot(uid: str, why: str) -> ProfileReplay:
    return ProfileReplay(uid=uid, made_again=False, verdict=why)


def _gap(user: LakeUser, events: int) -> str:
    """Why the rows of a user do not suffice."""
    held = set(user.numbers)
    first = next(number for number in range(1, events + 1) if number not in held)
    if first < user.numbers[0]:
        return (
            f"the lake holds {len(held):,} of the user's {events:,} events, from the {user.numbers[0]:,}th on:"
            " it begins later than the record"
        )
    return f"the lake lacks the user's event {first:,} of {events:,}: it was left out, as lake.purpose may have it"


def _items_of(client: Any, names: RedisKeys, users: Sequence[LakeUser]) -> Iterable[Item]:
    """The catalogue entries of the items that these users touched, as Redis has them now."""
    ids = sorted({event.item_id for user in users for event in user.events if event.item_id is not None})
    values = client.mget([names.item(item_id) for item_id in ids]) if ids else []
    return [msgspec.json.decode(value, type=Item) for value in values if value is not None]


def _compare(told: Settings, uid: str, user: LakeUser, catalogue: Catalogue, stored: bytes) -> ProfileReplay:
    held = msgspec.json.decode(stored)
    state = made_again(told, uid, user, catalogue, held["born"], held["segments"])
    learning = learning_classes(AffinityModel(told.step.affinity), DriftDetector(told.step.drift))
    profile = profile_of(state, learning, ProfileReading.of(told.step))
    computed = msgspec.json.decode(profile_value(profile))
    left = sorted(name for name in _NOT_IN_THE_LAKE if held.get(name) != computed.get(name))
    differing = [
        FieldDifference(name, _text(held.get(name)), _text(computed.get(name)))
        for name in computed
        if held.get(name) != computed[name] and name not in left
    ]
    verdict = (
        f"{len(differing)} fields differ from the profile made again of {len(user.events):,} events:"
        " settings, rules or the catalogue may have changed meanwhile"
        if differing
        else f"the profile is the one that its {len(user.events):,} events in the lake give"
    )
    if left:
        verdict += f"; not compared: {', '.join(left)}"
    return ProfileReplay(
        uid=uid, made_again=True, verdict=verdict, events=len(user.events),
        differences=differing, not_compared=left,
    )  # fmt: skip


def made_again(
    told: Settings, uid: str, user: LakeUser, catalogue: Catalogue, born: int, segments: Sequence[str]
) -> UserState:
    """The user's record after their events, and after the time that brought them into `segments`, where one did."""
    following = Following(
        FollowingSettings(told.step, told.traffic, told.personas), catalogue, Pseudonym(told.secret()).of
    )
    following.use_segments(following.book(told.segments.in_force()))
    state, window = UserState(uid, born=born), None
    for event in user.events:
        outcome = following.update(state, event, window).outcome
        window = outcome.drift_window or window
    now = time.time_ns() // 1_000_000
    as_of_last = list(state.segments)
    while sorted(state.segments) != sorted(segments):
        due = following.next_due(state)
        if due is None or due > now:
            state.segments = as_of_last
            break
        following.advance(state, due)
    return state


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
