"""How unlike the items of a list are: intra-list diversity by category, by text and by who touches them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from operators.content_terms import VOCABULARY, terms_of
from operators.list_character import Lists
from operators.numbering import Numbering
from schemas.records import Item

Vectors: TypeAlias = Any
"""A scipy CSR matrix [items, dimensions], its rows of length 1, or 0 where nothing is known of the item."""


def variety(lists: Lists, vectors: Vectors, k: int) -> NDArray[np.float64]:
    """float64[n]: the mean of 1 − cosine over all pairs of the first k items of each list; nan below two items.

    After Ziegler et al., "Improving Recommendation Lists Through Topic Diversification" (WWW 2005), in the form
    of Smyth and McClave (ICCBR 2001). An item without a vector is unlike all others. The sum of all cosines is
    taken from the length of the sum of the vectors, so no pair is looked at.

    >>> red, blue = [1.0, 0.0], [0.0, 1.0]
    >>> vectors = sparse.csr_matrix(np.array([red, red, blue]))
    >>> [round(each, 2) for each in variety(np.array([[0, 1, -1], [0, 1, 2]], np.int32), vectors, 3).tolist()]
    [0.0, 0.67]
    """
    top = lists[:, :k]
    there = top >= 0
    count = there.sum(axis=1)
    rows = np.repeat(np.arange(len(top)), count)
    shape = (len(top), vectors.shape[0])
    listed = sparse.csr_matrix((np.ones(len(rows)), (rows, top[there])), shape=shape)
    whole = listed @ vectors
    alike = np.asarray(whole.multiply(whole).sum(axis=1)).ravel()
    alone = listed @ np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        apart: NDArray[np.float64] = 1.0 - (alike - alone) / (count * (count - 1.0))
    return apart


def by_category(items: Sequence[Item], numbers: Numbering) -> Vectors | None:
    """Two items are alike (1) where the catalogue gives them one category, else not (0); None of no category."""
    known = [item for item in items if item.category != "?" and numbers.find(item.item_id) >= 0]
    categories = Numbering(item.category for item in known)
    return _matrix(
        [numbers.find(item.item_id) for item in known],
        [categories.find(item.category) for item in known],
        np.ones(len(known)),
        (len(numbers), len(categories)),
    )


def by_text(items: Sequence[Item], numbers: Numbering) -> Vectors | None:
    """Cosine of the weighted terms of title, tags, description and category (TF-IDF); None without texts."""
    rows: list[int] = []
    columns: list[NDArray[np.int32]] = []
    weights: list[NDArray[np.float32]] = []
    for item in items:
        number = numbers.find(item.item_id)
        if number >= 0:
            terms, weight = terms_of(item)
            rows += [number] * len(terms)
            columns.append(terms)
            weights.append(weight)
    if not rows:
        return None
    column, weight64 = np.concatenate(columns), np.concatenate(weights).astype(np.float64)
    rarity = np.log(len(columns) / np.bincount(column, minlength=VOCABULARY).clip(1))
    return _matrix(rows, column, weight64 * rarity[column], (len(numbers), VOCABULARY))


def by_audience(user: NDArray[np.int32], item: NDArray[np.int32], items: int) -> Vectors | None:
    """Cosine of the sets of users who touched the items, |A ∩ B| / √(|A| |B|); None without touches.

    `user` and `item` int32[t] are the touches of the whole run.
    """
    users = int(user.max(initial=0)) + 1
    touched, by = np.divmod(np.unique(item * np.int64(users) + user), users)
    return _matrix(touched, by, np.ones(len(touched)), (items, users))


def _matrix(
    rows: Iterable[int], columns: Iterable[int], values: NDArray[np.float64], shape: tuple[int, int]
) -> Vectors | None:
    if not len(values):
        return None
    held = sparse.csr_matrix((values, (np.asarray(rows), np.asarray(columns))), shape=shape)
    lengths = np.sqrt(np.asarray(held.multiply(held).sum(axis=1)).ravel())
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
    return sparse.diags_array(scale).tocsr() @ held
