"""Taking items out of `PostingLists` that hold, for every term, the items that mention it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled, compiled_in_place
from operators.posting_lists import PostingArrays


@compiled_in_place
def take_out(held: PostingArrays, term: int, item: int, kept: NDArray[np.int64]) -> None:
    """Take one item out of a term's list; the others keep their order.

    `kept` int64[longest list] is working memory.
    """
    start, room, added = held.start[term], held.room[term], held.added[term]
    count = 0
    for place in range(max(added - room, 0), added):
        other = held.entry[start + place % room]
        if other != item:
            kept[count] = other
            count += 1
    for k in range(count):
        held.entry[start + k] = kept[k]
    held.added[term] = count


@compiled
def take_all_out(held: PostingArrays, freed: NDArray[np.bool_]) -> None:
    """Take the items marked in `freed` bool[I] out of every list."""
    kept = np.empty(held.longest[0], np.int64)
    for term in range(len(held.added)):
        start, room, added = held.start[term], held.room[term], held.added[term]
        count = 0
        for place in range(max(added - room, 0), added):
            item = held.entry[start + place % room]
            if item >= len(freed) or not freed[item]:
                kept[count] = item
                count += 1
        for k in range(count):
            held.entry[start + k] = kept[k]
        held.added[term] = count
