"""How a user and a category look to the stream's models."""

from __future__ import annotations

from functools import lru_cache
from math import cos, log, log1p, pi, sin
from struct import Struct
from zlib import crc32

from operators.logistic import WEIGHTS, raw_score
from operators.model_example import ModelExample
from operators.sketch import sketch

TOKENS = 2_048
"""How many places hashed tokens share: so many weights a linear model has at most, beside the numbers."""

_WEIGHTS = Struct(f"<{WEIGHTS}f")
_HOUR = 3_600_000
_DAY = 24 * _HOUR
_WIDEST = 6.0


def numbers(example: ModelExample, category: str, popularity: float) -> dict[str, float]:
    """Measures of a user's fit with a category, and of the user alone.

    `popularity` is the category's share of the stream. The user's own model enters by its log odds, within ±6.

    >>> known = ModelExample(0, 0, "view", "Toys", shares={"Toys": 0.75}, last=["Toys", "Wine"])
    >>> found = numbers(known, "Toys", 0.5)
    >>> found["share"], found["is last"], found["of last"]
    (0.75, 1.0, 0.5)
    """
    shares, last = example.shares, example.last
    top = category.partition("/")[0]
    affinity = raw_score(_WEIGHTS.unpack(example.weights), sketch(category)) if example.weights else 0.0
    hour = example.time % _DAY / _DAY * 2.0 * pi
    return {
        "share": shares.get(category, 0.0),
        "share of top": sum(share for name, share in shares.items() if name.partition("/")[0] == top),
        "favourite": 1.0 if shares and next(iter(shares)) == category else 0.0,
        "is last": 1.0 if last and last[0] == category else 0.0,
        "of last": last.count(category) / len(last) if last else 0.0,
        "affinity": max(-_WIDEST, min(_WIDEST, affinity)),
        "popularity": log(max(popularity, 1e-6)),
        "events": log1p(example.events),
        "depth": log1p(example.depth),
        "idle": log1p(example.idle / _HOUR),
        "sin hour": sin(hour),
        "cos hour": cos(hour),
    }


def tokens(example: ModelExample, category: str) -> list[str]:
    """Hashed tokens of a category alone and with the user's circumstances, for a linear model.

    >>> len(tokens(ModelExample(0, 0, "view", "Toys", last=["Wine"]), "Wine"))
    5
    """
    hour = example.time % _DAY // (6 * _HOUR)
    last = example.last[0] if example.last else ""
    return [
        _token(f"c|{category}"),
        _token(f"l|{last}|{category}"),
        _token(f"d|{example.device}|{category}"),
        _token(f"o|{example.country}|{category}"),
        _token(f"h|{hour}|{category}"),
    ]


@lru_cache(maxsize=65_536)
def _token(text: str) -> str:
    return f"#{crc32(text.encode()) % TOKENS}"
