"""Which items' texts are alike: TF-IDF neighbours, found when an item arrives and kept in both directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown
from operators.compiled import compiled
from operators.content_neighbours import (
    COMPARED,
    SearchScratch,
    TermArrays,
    most_alike,
)
from operators.content_postings import take_all_out, take_out
from operators.content_terms import TERMS, VOCABULARY
from operators.posting_lists import PostingArrays, PostingLists, add_posting
from operators.ranked_rows import RankedRows, RowArrays, raise_in

ITEMS_PER_TERM = 1_024
"""The newest items that a term leads to; one that more items mention tells little of any."""

SMALL = 512
"""A catalogue of fewer items is compared anew after every change."""

SHARE_CHANGED = 4
"""A larger one is compared anew when one item of so many has changed since."""


class ContentIndex:
    """Texts of at most `most_items` items, and for each its `width` nearest by cosine.

    `neighbours` holds a row per item number. An item that enters is compared at once and named in the rows of
    those that it is like. Frequencies of terms change as a catalogue grows, so `compare_some` goes through all
    items again, a few at a time, whenever a good part of them is new: after it, rows depend on what the texts
    are and not on the order in which they came. Memory: about 650 bytes an item and 7 MB for the terms.

    >>> index = ContentIndex(most_items=100, width=2)
    >>> index.reserve(3)
    >>> hashes = np.arange(3, dtype=np.uint32)
    >>> for item, terms in enumerate([[1, 2], [2, 3], [3, 4]]):
    ...     index.enter(item, np.array(terms, np.int32), np.ones(2, np.float32), hashes)
    >>> while index.compare_some(10, hashes): pass
    >>> [item for item, _ in index.neighbours.of(1)], [item for item, _ in index.neighbours.of(0)]
    ([0, 2], [1])
    """

    def __init__(self, most_items: int, width: int, per_term: int = ITEMS_PER_TERM) -> None:
        n = min(SMALLEST, most_items)
        self.neighbours = RankedRows(most_items, width, np.float32)
        self.postings = PostingLists(per_term, most_items * TERMS)
        self.postings.reserve_items(VOCABULARY)
        self.texts = TermArrays(
            term=np.zeros((n, TERMS), np.int32),
            weight=np.zeros((n, TERMS), np.float32),
            held=np.zeros(n, np.int32),
            scale=np.zeros(n, np.float32),
            items=np.zeros(VOCABULARY, np.int32),
            known=np.zeros(1, np.int64),
        )
        self._near = _scratch(n, per_term)
        self._per_term = per_term
        self._next = 0
        self._end = 0
        self._changed = 0

    @property
    def unsettled(self) -> bool:
        """Whether `compare_some` has anything left to do."""
        known = int(self.texts.known[0])
        due = self._changed > (0 if known < SMALL else known // SHARE_CHANGED)
        return due or self._next < self._end

    def reserve(self, rows: int) -> None:
        """Make sure that items 0 to `rows` - 1 have their entries."""
        held = self.texts
        if rows > len(held.held):
            self.texts = held._replace(
                term=grown(held.term, rows, 0),
                weight=grown(held.weight, rows, 0.0),
                held=grown(held.held, rows, 0),
                scale=grown(held.scale, rows, 0.0),
            )
            self._near = _scratch(rows, self._per_term)
        self.neighbours.reserve(rows)

    def enter(
        self,
        item: int,
        terms: NDArray[np.int32],
        weights: NDArray[np.float32],
        id_hash: NDArray[np.uint32],
        compare: bool = True,
    ) -> None:
        """Take in the text of an item (see `terms_of`; none: it has no text any more), in place of an older one.

        Without `compare` its neighbours are left to `compare_some`. A text that is the same changes nothing.
        """
        held, count = self.texts, int(self.texts.held[item])
        if (
            count == len(terms)
            and np.array_equal(held.term[item, :count], terms)
            and np.array_equal(held.weight[item, :count], weights)
        ):
            return
        if count:
            self._leave(item)
        self._changed += 1
        if not len(terms):
            return
        self.postings.reserve_entries(len(terms))
        _put_in(held, self.postings.arrays, item, terms, weights)
        if compare:
            _compare(held, self.postings.arrays, self.neighbours.arrays, id_hash, item, True, self._near)

    def begin_anew(self) -> None:
        """Let `compare_some` go through all items, whatever changed."""
        self._next, self._end, self._changed = 0, len(self.texts.held), 0

    def compare_some(self, most: int, id_hash: NDArray[np.uint32]) -> bool:
        """Compare up to `most` items anew; whether any are left."""
        if self._next >= self._end:
            if not self.unsettled:
                return False
            self.begin_anew()
        last = min(self._next + most, self._end)
        for item in range(self._next, last):
            if self.texts.held[item]:
                _compare(
                    self.texts, self.postings.arrays, self.neighbours.arrays, id_hash, item, False, self._near
                )
        self._next = last
        return self.unsettled

    def forget(self, freed: NDArray[np.bool_]) -> None:
        """Forget the items that are marked."""
        take_all_out(self.postings.arrays, freed)
        gone = np.flatnonzero(freed[: len(self.texts.held)])
        for item in gone[self.texts.held[gone] > 0].tolist():
            _uncount(self.texts, item)
        self.neighbours.forget(freed, rows_too=True)

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        held = (*self.texts, *self._near)
        return sum(array.nbytes for array in held) + self.postings.nbytes() + self.neighbours.nbytes()

    def _leave(self, item: int) -> None:
        freed = np.zeros(item + 1, np.bool_)
        freed[item] = True
        for term in self.texts.term[item, : self.texts.held[item]].tolist():
            take_out(self.postings.arrays, term, item, self._near.kept)
        _uncount(self.texts, item)
        self.neighbours.forget(freed, rows_too=True)


def _scratch(items: int, per_term: int) -> SearchScratch:
    return SearchScratch(
        overlap=np.zeros(items, np.float32),
        own=np.zeros(VOCABULARY, np.float64),
        seen=np.zeros(items, np.int32),
        best=np.zeros(COMPARED, np.int64),
        found=np.zeros(COMPARED, np.int32),
        cosine=np.zeros(COMPARED, np.float64),
        order=np.zeros(TERMS, np.int32),
        kept=np.zeros(max(per_term, TERMS), np.int64),
    )


@compiled
def _put_in(
    held: TermArrays,
    postings: PostingArrays,
    item: int,
    terms: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> None:
    length = 0.0
    for k in range(len(terms)):
        held.term[item, k] = terms[k]
        held.weight[item, k] = weights[k]
        held.items[terms[k]] += 1
        length += weights[k] * weights[k]
        add_posting(postings, terms[k], item, 0)
    held.held[item] = len(terms)
    held.scale[item] = 1.0 / np.sqrt(length)
    held.known[0] += 1


@compiled
def _uncount(held: TermArrays, item: int) -> None:
    for k in range(held.held[item]):
        held.items[held.term[item, k]] -= 1
    held.held[item] = 0
    held.known[0] -= 1


@compiled
def _compare(
    texts: TermArrays,
    postings: PostingArrays,
    rows: RowArrays,
    id_hash: NDArray[np.uint32],
    item: int,
    both_ways: bool,
    near: SearchScratch,
) -> None:
    """Write the item's row anew; `both_ways` also tell the items that it is like."""
    found = most_alike(texts, postings, id_hash, item, near)
    own = min(found, rows.member.shape[1])
    for k in range(own):
        rows.member[item, k] = near.found[k]
        rows.score[item, k] = near.cosine[k]
    rows.filled[item] = own
    if both_ways:
        raise_in(rows, near.found[:found], np.full(found, item, np.int32), near.cosine[:found])
