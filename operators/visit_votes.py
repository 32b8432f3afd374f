"""What sources say for a user's next visit, when the session that they start from is over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from operators.candidates import SOURCES, Candidates

_OF_THE_DAY = ("trending", "category_trending", "again", "new_arrivals")
"""Sources that say what there is now, whatever the user was at last."""

_OF_THE_PAST = ("session_knn",)
"""Sources that all asks that the record remembers, where a list is for the next visit (`operators/past_items.py`)."""


def shares(session: float, past: float) -> NDArray[np.float32]:
    """float32[len(SOURCES)]: what is left of each source in a list for the next visit: `session` of what starts from
    the items of the session that is over, `past` of what starts from all that the user ever took.

    >>> dict(zip(SOURCES, shares(0.25, 0.5).tolist()))["session_knn"], shares(0.25, 0.5)[1:3].tolist()
    (0.5, [0.25, 1.0])
    """
    left = {**dict.fromkeys(_OF_THE_DAY, 1.0), **dict.fromkeys(_OF_THE_PAST, past)}
    return np.array([left.get(source, session) for source in SOURCES], np.float32)


def for_next_visit(
    found: Candidates,
    anew: NDArray[np.bool_],
    left: NDArray[np.float32],
    whose: NDArray[np.bool_] | None = None,
) -> Candidates:
    """The candidates, of the lists `anew`, bool[m], that are for a new visit with what is `left` of each source,
    float32[len(SOURCES)].

    All other lists stay as they are, and those that `whose`, bool[m], leaves out.
    """
    if whose is not None:
        anew = anew & whose
    if not anew.any() or bool((left == 1.0).all()):
        return found
    scores = found.scores.copy()
    scores[anew[found.user]] *= left
    return replace(found, scores=scores)
