"""The best of each user's scored candidates, as a list that holds no two items of one group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled, compiled_in_place
from operators.shelf_catalogue import CatalogueArrays


@compiled_in_place
def _goes_first(id_key: NDArray[np.uint64], id_hash: NDArray[np.uint32], item: int, other: int) -> bool:
    """Whether an item goes before another of the same score: by the first 16 bytes of the id, by its hash."""
    if id_key[item, 0] != id_key[other, 0]:
        return bool(id_key[item, 0] < id_key[other, 0])
    if id_key[item, 1] != id_key[other, 1]:
        return bool(id_key[item, 1] < id_key[other, 1])
    return bool(id_hash[item] < id_hash[other])


@compiled_in_place
def _choose(
    catalogue: CatalogueArrays,
    item: NDArray[np.int32],
    first: int,
    end: int,
    score: NDArray[np.float32],
    left: NDArray[np.int32],
    value: NDArray[np.float32],
    chosen: NDArray[np.int32],
) -> None:
    """Fill `chosen` with the best rows from `first` to `end`; `left` and `value` are working memory."""
    id_key, id_hash, group = catalogue.id_key, catalogue.id_hash, catalogue.group
    count = end - first
    for k in range(count):
        row = first + k
        left[k] = row
        value[k] = score[row] if score[row] == score[row] else -np.inf
    taken = 0
    while taken < len(chosen) and count > 0:
        best = 0
        for k in range(1, count):
            if value[k] < value[best]:
                continue
            if value[k] > value[best] or _goes_first(id_key, id_hash, item[left[k]], item[left[best]]):
                best = k
        row = left[best]
        count -= 1
        left[best], value[best] = left[count], value[count]
        own = group[item[row]]
        twin = False
        for j in range(taken):
            twin = twin or (own >= 0 and group[item[chosen[j]]] == own)
        if not twin:
            chosen[taken] = row
            taken += 1


@compiled
def select(
    catalogue: CatalogueArrays,
    item: NDArray[np.int32],
    start: NDArray[np.int32],
    score: NDArray[np.float32],
    length: int,
) -> NDArray[np.int32]:
    """int32[m, length]: for each user the chosen candidate rows, best first, -1 past the end.

    `item` int32[n] and `score` float32[n] are the candidates' item numbers and scores (NaN: as the lowest),
    `start` int32[m + 1] the bounds of each user's rows.
    """
    m = len(start) - 1
    chosen = np.full((m, length), -1, np.int32)
    left = np.empty(len(item), np.int32)
    value = np.empty(len(item), np.float32)
    for k in range(m):
        _choose(catalogue, item, start[k], start[k + 1], score, left, value, chosen[k])
    return chosen
