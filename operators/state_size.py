"""How large user records are, part by part: what a user costs in Flink's state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from schemas.state import UserState, encode_state

DRIFT_WINDOW = "drift_window"
TOTAL = "total"

_encode = msgspec.msgpack.Encoder().encode


class PartSize(msgspec.Struct, frozen=True):
    """Bytes of one part over many users."""

    mean: float
    p99: int


def size_by_part(user: UserState, drift_window: bytes | None = None) -> dict[str, int]:
    """Stored bytes of each field of a record, of the drift window beside it, and in all.

    >>> sizes = size_by_part(UserState("u", born=5), b"1234")
    >>> sizes["uid"], sizes["drift_window"], sizes["total"] == len(encode_state(UserState("u", born=5))) + 4
    (2, 4, True)
    """
    sizes = {name: len(_encode(getattr(user, name))) for name in user.__struct_fields__}
    sizes[DRIFT_WINDOW] = len(drift_window or b"")
    sizes[TOTAL] = len(encode_state(user)) + sizes[DRIFT_WINDOW]
    return sizes


def size_report(users: Iterable[Mapping[str, int]]) -> dict[str, PartSize]:
    """Mean and 99th percentile of each part over users measured by `size_by_part`; empty without users.

    >>> size_report([{"total": 10}, {"total": 30}])["total"]
    PartSize(mean=20.0, p99=30)
    """
    parts: dict[str, list[int]] = {}
    for sizes in users:
        for part, size in sizes.items():
            parts.setdefault(part, []).append(size)
    return {
        part: PartSize(sum(sizes) / len(sizes), sorted(sizes)[(99 * len(sizes) - 1) // 100])
        for part, sizes in parts.items()
    }
