"""Some of the candidates of a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.candidates import Candidates


def kept_rows(candidates: Candidates, keep: NDArray[np.bool_]) -> Candidates:
    """The rows that bool[n] marks; users keep their place in `start`, also those who lose all rows."""
    before = np.zeros(len(keep) + 1, np.int32)
    np.cumsum(keep, out=before[1:])
    return Candidates(
        candidates.user[keep],
        candidates.item[keep],
        candidates.scores[keep],
        before[candidates.start],
        candidates.anchor[keep],
        candidates.scope[keep],
    )
