"""The best of each user's scored candidates, as a list that holds no two items of one group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled
from operators.shelf_catalogue import CatalogueArrays


@compiled
def _before(catalogue: CatalogueArrays, score: float, item: int, other_score: float, other: int) -> bool:
    """Whether an item goes before another: by score, by the first 16 bytes of the id, by its hash."""
    if score != other_score:
        return score > other_score
    key, other_key = catalogue.id_key[item], catalogue.id_key[other]
    if key[0] != other_key[0]:
        return bool(key[0] < other_key[0])
    if key[1] != other_key[1]:
        return bool(key[1] < other_key[1])
    return bool(catalogue.id_hash[item] < catalogue.id_hash[other])


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
    left = np.empty(len(item), np.bool_)
    left[:] = True
    for k in range(m):
        taken = 0
        while taken < length:
            best, best_score = -1, -np.inf
            for row in range(start[k], start[k + 1]):
                if left[row]:
                    value = score[row] if score[row] == score[row] else -np.inf
                    if best < 0 or _before(catalogue, value, item[row], best_score, item[best]):
                        best, best_score = row, value
            if best < 0:
                break
            left[best] = False
            group = catalogue.group[item[best]]
            twin = False
            for j in range(taken):
                twin = twin or (group >= 0 and catalogue.group[item[chosen[k, j]]] == group)
            if not twin:
                chosen[k, taken] = best
                taken += 1
    return chosen
