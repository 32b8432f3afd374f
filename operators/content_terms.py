"""What an item's text says, as weighted terms: words, parts of words, the category path and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from schemas.records import Item

TERMS = 32
"""Terms kept of an item: those of greatest weight, and of these the ones that come first."""

VOCABULARY = 1 << 18
"""Terms told apart. A term is the hash of its text, so that the vocabulary needs no table that grows."""

TITLE, CATEGORY, TAG, DESCRIPTION, PART = 1.0, 0.8, 0.8, 0.3, 0.25
"""Weight of one mention, by where it stands; `PART` of a run of four letters within a word of the title."""

NO_TERMS = np.zeros(0, np.int32), np.zeros(0, np.float32)
"""The terms of an item without a text."""

_LONGEST_TITLE, _LONGEST_DESCRIPTION, _MOST_TAGS = 300, 1_000, 16
_PART_LETTERS = 4
_word = re.compile(r"[^\W_]{2,24}").findall


def terms_of(item: Item) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The term numbers of an item in ascending order, int32[n], and their weights, float32[n]; n <= `TERMS`.

    None where there is nothing but a category: such an item is like all others of it, so like none. A term
    that is mentioned often weighs the square root of the sum of its mentions. No weight depends on
    other items.

    >>> mug = terms_of(Item(item_id="1", title="Red mug", category="Kitchen/Mugs"))[0]
    >>> cup = terms_of(Item(item_id="2", title="blue MUG", category="Kitchen/Cups"))[0]
    >>> len(mug), len(set(mug.tolist()) & set(cup.tolist()))
    (4, 2)
    """
    if not (item.title or item.tags or item.description):
        return NO_TERMS
    weights: dict[str, float] = {}
    for term, weight in _mentions(item):
        weights[term] = weights.get(term, 0.0) + weight
    best = sorted(weights.items(), key=_heaviest_first)[:TERMS]
    hashed: dict[int, float] = {}
    for term, weight in best:
        number = crc32(term.encode("utf-8", "surrogatepass")) % VOCABULARY
        hashed[number] = hashed.get(number, 0.0) + weight
    numbers = sorted(hashed)
    return np.array(numbers, np.int32), np.sqrt(np.array([hashed[n] for n in numbers], np.float32))


def _heaviest_first(weighted: tuple[str, float]) -> float:
    return -weighted[1]


def _mentions(item: Item) -> Iterator[tuple[str, float]]:
    words = _word(item.title[:_LONGEST_TITLE].casefold())
    for word in words:
        yield word, TITLE
    path = [part for part in item.category.casefold().split("/") if part and part != "?"]
    for depth in range(len(path)):
        yield "/" + "/".join(path[: depth + 1]), CATEGORY
    for tag in item.tags[:_MOST_TAGS]:
        yield "#" + tag.casefold(), TAG
    if item.description:
        for word in _word(item.description[:_LONGEST_DESCRIPTION].casefold()):
            yield word, DESCRIPTION
    for word in words:
        for start in range(len(word) - _PART_LETTERS + 1 if len(word) > _PART_LETTERS else 0):
            yield "~" + word[start : start + _PART_LETTERS], PART
