"""Lists with few items of one category."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled

DEEPER = 4
"""So many times the length of a list is chosen, best first, for variety to be found in."""


@compiled
def varied(
    chosen: NDArray[np.int32], item: NDArray[np.int32], category: NDArray[np.int32], length: int, most: int
) -> NDArray[np.int32]:
    """int32[m, length]: of `chosen` int32[m, L] candidate rows, best first, at most `most` of one category.

    Where that leaves places open, the best of those left out come behind. `item` int32[n] are the candidates' item
    numbers, `category` int32[I] codes by item number; items of code 0, whose category is not known, count as of
    different ones. -1 stands for no row.
    """
    m, depth = chosen.shape
    made = np.full((m, length), -1, np.int32)
    for k in range(m):
        taken = 0
        used = np.zeros(depth, np.bool_)
        for at in range(depth):
            row = chosen[k, at]
            if row < 0 or taken == length:
                break
            code = category[item[row]]
            alike = 0
            for place in range(taken):
                if code != 0 and category[item[made[k, place]]] == code:
                    alike += 1
            if alike < most:
                made[k, taken] = row
                used[at] = True
                taken += 1
        for at in range(depth):
            if taken == length or chosen[k, at] < 0:
                break
            if not used[at]:
                made[k, taken] = chosen[k, at]
                taken += 1
    return made
