"""What one user said of items in so many words: the latest like, dislike and rating of each."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from operators.item_hash import item_hash

MOST_OPINIONS = 32
"""Opinions kept of one user; the oldest fall out."""

_ENTRY = Struct("<IIBe")
"""CRC-32 of the item id, seconds since 1970, THUMB or STARS, and 1, -1 or the stars as a 16-bit float."""

_THUMB, _STARS = 0, 1
_MOST_STARS = 65_504.0


@dataclass(frozen=True)
class Feedback:
    """How many items a user likes, dislikes and has rated now, and the mean of the ratings (None without)."""

    likes: int = 0
    dislikes: int = 0
    ratings: int = 0
    rating_average: float | None = None


def add_opinion(stored: bytes, item_id: str, second: int, type: str, stars: float | None) -> bytes:
    """The opinions with one more: of `type` like, dislike or rating.

    The latest of an item counts: a dislike takes back a like, a new rating an old one. One that comes out of
    order does not take back a later one.

    >>> opinions = add_opinion(b"", "mug", 1_000, "like", None)
    >>> feedback_of(add_opinion(opinions, "mug", 2_000, "dislike", None)).likes
    0
    >>> feedback_of(add_opinion(opinions, "mug", 500, "dislike", None)).likes
    1
    """
    if type == "rating":
        if stars is None:
            return stored
        kind, value = _STARS, max(-_MOST_STARS, min(stars, _MOST_STARS))
    else:
        kind, value = _THUMB, 1.0 if type == "like" else -1.0
    item, second = item_hash(item_id), max(second, 0)
    entries = list(_ENTRY.iter_unpack(stored))
    for at, (held, since, held_kind, _) in enumerate(entries):
        if held == item and held_kind == kind:
            if since > second:
                return stored
            del entries[at]
            break
    entries.append((item, second, kind, value))
    entries.sort(key=lambda entry: entry[1])
    return b"".join(_ENTRY.pack(*entry) for entry in entries[-MOST_OPINIONS:])


def feedback_of(stored: bytes) -> Feedback:
    """What the opinions come to.

    >>> rated = add_opinion(add_opinion(b"", "mug", 1, "rating", 5.0), "plate", 2, "rating", 4.0)
    >>> feedback_of(rated)
    Feedback(likes=0, dislikes=0, ratings=2, rating_average=4.5)
    """
    if not stored:
        return _NONE
    likes = dislikes = 0
    stars = []
    for _, _, kind, value in _ENTRY.iter_unpack(stored):
        if kind == _STARS:
            stars.append(value)
        elif value > 0.0:
            likes += 1
        else:
            dislikes += 1
    return Feedback(likes, dislikes, len(stars), sum(stars) / len(stars) if stars else None)


_NONE = Feedback()
