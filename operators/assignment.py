"""Who is in an experiment, and in which of its variants: a pure function of texts, the same in every language.

A draw is the SHA-256 of its texts joined by colons, of which the first 52 bits say where between 0 and 1 it lies. One
of the variants wins by weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables",
SPAA 2005): each draws for itself, so a weight that changes moves users to or from its own variant, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from math import inf, log

_SPAN = 2.0**53


def draw(*texts: str) -> float:
    """A number between 0 and 1, never one of them, evenly spread over texts and independent between them.

    >>> draw("checkout", "dc7d1902d9f5ad47b6084357")
    0.47654727385506945
    """
    digest = sha256(":".join(texts).encode()).digest()
    # 52 bits and a half: a double holds the number exactly.
    return (2 * (int.from_bytes(digest[:8], "big") >> 12) + 1) / _SPAN


def takes_part(layer: str, uid: str, share: float, share_from: float = 0.0) -> bool:
    """Whether a user is among the `share` of all from `share_from` on. A greater share takes no one out.

    >>> [takes_part("checkout", "dc7d1902d9f5ad47b6084357", share) for share in (0.4, 0.5, 1.0)]
    [False, True, True]
    """
    return share_from <= draw(layer, uid) < share_from + share


def variant_for(salt: str, weights: Mapping[str, float], uid: str) -> str:
    """The variant of a user, each as often as its weight says. One weight at least is above 0.

    >>> variant_for("checkout", {"a": 1.0, "b": 1.0}, "dc7d1902d9f5ad47b6084357")
    'a'
    """
    best, least = "", inf
    for name, weight in weights.items():
        if weight > 0.0 and (wait := -log(draw(salt, name, uid)) / weight) < least:
            best, least = name, wait
    return best
