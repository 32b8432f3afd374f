"""One call that publishes a batch of users: the arguments of `publish.lua` and what it answers.

script = client.register_script(PUBLISH_SCRIPT)
keys, args = publish_arguments(names, users, ttl_s=7 * 86_400)
written = Published.of(script(keys=keys, args=args))
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Final, NamedTuple

from schemas.redis_keys import RedisKeys

PUBLISH_SCRIPT: Final = files("schemas").joinpath("publish.lua").read_text(encoding="utf-8")


class UserValues(NamedTuple):
    """What is published of one user. `rec` may be empty: the list then stays as it is.

    `rec` and `profile` are made by `schemas.redis_values`, of one version; segments hold no line feed.
    `slots` are the lists of further slots, in the order of the call's; there are none where `rec` is empty.
    """

    uid: str
    rec: bytes
    profile: bytes
    segments: Sequence[str] = ()
    slots: Sequence[bytes] = ()


class Published(NamedTuple):
    """What a call wrote. Values that were older than the stored ones are in no count.

    `marker` is False when the marker key is gone: Redis was emptied, and its item side must be written again.
    """

    lists: int
    profiles: int
    segment_changes: int
    marker: bool

    @classmethod
    def of(cls, answer: Sequence[int]) -> Published:
        """Reads the script's answer."""
        lists, profiles, segment_changes, marker = answer
        return cls(lists, profiles, segment_changes, bool(marker))


def publish_arguments(
    names: RedisKeys,
    users: Sequence[UserValues],
    ttl_s: int,
    with_marker: bool = True,
    slots: Sequence[str] = (),
) -> tuple[list[str], list[bytes | str | int]]:
    """KEYS and ARGV of the publishing script for a batch of users, at most 1,000: Redis waits for a script.

    Leave the marker out on Redis Cluster, where all keys of a call must be of one hash slot. `slots` are the
    slots beside `home` that are published. Raises `ValueError` where a user has lists of other ones.

    >>> publish_arguments(RedisKeys(), [UserValues("u", b"", b"{}", ["vip"])], ttl_s=60)
    (['hr:rec:{u}', 'hr:profile:{u}', 'hr:seg:{u}', 'hr:alive'], [60, 'hr:changes', 0, b'', b'{}', 'vip'])
    """
    keys: list[str] = []
    args: list[bytes | str | int] = [ttl_s, names.changes, len(slots)]
    for uid, rec, profile, segments, lists in users:
        if len(lists) != (len(slots) if rec else 0):
            raise ValueError(f"{len(lists)} lists of further slots for {uid}; there are {len(slots)} slots")
        keys += names.of_user(uid, slots)
        args += (rec, profile, "\n".join(segments), *(lists or [b""] * len(slots)))
    if with_marker:
        keys.append(names.alive)
    return keys, args
