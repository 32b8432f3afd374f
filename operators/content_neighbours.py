"""The loop that finds the items whose text is most like one item's: by an inverted index, then by cosine.

The terms of the item are looked up from the rarest on, until enough postings were seen. What came up most
is compared exactly: the cosine of the TF-IDF vectors as they are now, with idf(t) = ln(1 + N / n_t) for N items
of which n_t mention t (never 0, so that a catalogue of a few items has neighbours too).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.best_of import keep_best, would_keep
from operators.compiled import compiled_in_place
from operators.posting_lists import PostingArrays

MOST_VISITS = 16_384
"""Postings looked at for one item, at most by one list more."""

COMPARED = 192
"""Items of which the cosine is taken."""

LEAST_COSINE = 0.05
"""Below it two texts have nothing to say of each other."""


class TermArrays(NamedTuple):
    """Of an item: `term` int32[I, T] ascending, `weight` float32[I, T], `held` int32[I] how many it has.

    `scale` float32[I] is one over the length of `weight`. Of a term: `items` int32[V] mention it. `known`
    int64[1] is how many items have terms.
    """

    term: NDArray[np.int32]
    weight: NDArray[np.float32]
    held: NDArray[np.int32]
    scale: NDArray[np.float32]
    items: NDArray[np.int32]
    known: NDArray[np.int64]


class SearchScratch(NamedTuple):
    """Working memory. `overlap` float32[I] and `own` float64[V] are all 0 between searches.

    `seen` int32[I] and `best` int64[COMPARED] are what came up; `found` int32[COMPARED] and `cosine`
    float64[COMPARED] are the answer, best first; `order` int32[T] and `kept` int64[longest list] as needed.
    """

    overlap: NDArray[np.float32]
    own: NDArray[np.float64]
    seen: NDArray[np.int32]
    best: NDArray[np.int64]
    found: NDArray[np.int32]
    cosine: NDArray[np.float64]
    order: NDArray[np.int32]
    kept: NDArray[np.int64]


@compiled_in_place
def idf(texts: TermArrays, term: int) -> float:
    """The inverse document frequency of a term."""
    return float(np.log(1.0 + texts.known[0] / texts.items[term]))


@compiled_in_place
def most_alike(
    texts: TermArrays, postings: PostingArrays, id_hash: NDArray[np.uint32], item: int, near: SearchScratch
) -> int:
    """Write the items most like `item` to `near.found` and `near.cosine`; how many there are.

    Of equal cosines the lower `id_hash` uint32[I] is first, so that the order of arrival does not matter.
    """
    count = texts.held[item]
    own, order = near.own, near.order
    length = 0.0
    for k in range(count):
        term = texts.term[item, k]
        value = texts.weight[item, k] * idf(texts, term)
        own[term] = value
        length += value * value
        place = k
        while place > 0 and texts.items[texts.term[item, order[place - 1]]] > texts.items[term]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = k
    seen = _look_up(texts, postings, item, near)
    held = 0
    for k in range(seen):
        key = _key(texts, id_hash, near, near.seen[k])
        if would_keep(near.best, held, COMPARED, key):
            held = keep_best(near.best, held, COMPARED, key)
    least = near.best[0]
    found = 0
    for k in range(seen):
        other = near.seen[k]
        kept = _key(texts, id_hash, near, other) >= least
        near.overlap[other] = 0.0
        if not kept or found == COMPARED:
            continue
        cosine = _cosine(texts, other, own, length)
        if cosine < LEAST_COSINE:
            continue
        place = found
        while place > 0 and (
            near.cosine[place - 1] < cosine
            or (near.cosine[place - 1] == cosine and id_hash[near.found[place - 1]] > id_hash[other])
        ):
            near.cosine[place] = near.cosine[place - 1]
            near.found[place] = near.found[place - 1]
            place -= 1
        near.cosine[place] = cosine
        near.found[place] = other
        found += 1
    for k in range(count):
        own[texts.term[item, k]] = 0.0
    return found


@compiled_in_place
def _key(texts: TermArrays, id_hash: NDArray[np.uint32], near: SearchScratch, other: int) -> int:
    """What orders the items that came up: how much they share for their length, then a hash of the id."""
    shared = np.float32(near.overlap[other] * texts.scale[other])
    return int(shared.view(np.int32)) << 32 | int(id_hash[other])


@compiled_in_place
def _look_up(texts: TermArrays, postings: PostingArrays, item: int, near: SearchScratch) -> int:
    """Add up what other items share with this one; how many came up."""
    seen, visits = 0, 0
    overlap = near.overlap
    for k in range(texts.held[item]):
        term = texts.term[item, near.order[k]]
        # A list that could not hold all its items is a last resort: which it holds is a matter of arrival.
        if visits >= MOST_VISITS or (seen > 0 and texts.items[term] > postings.longest[0]):
            break
        gain = np.float32(near.own[term] * idf(texts, term))
        start, room, added = postings.start[term], postings.room[term], postings.added[term]
        for place in range(max(added - room, 0), added):
            other = postings.entry[start + place % room]
            if other == item:
                continue
            if overlap[other] == 0.0:
                near.seen[seen] = other
                seen += 1
            overlap[other] += gain
        visits += min(added, room)
    return seen


@compiled_in_place
def _cosine(texts: TermArrays, other: int, own: NDArray[np.float64], length: float) -> float:
    """The cosine of an item with the one whose vector is spread out in `own`, of squared length `length`."""
    dot, norm = 0.0, 0.0
    for k in range(texts.held[other]):
        term = texts.term[other, k]
        value = texts.weight[other, k] * idf(texts, term)
        norm += value * value
        dot += value * own[term]
    return dot / np.sqrt(length * norm) if dot > 0.0 else 0.0
