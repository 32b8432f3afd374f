"""What the stream's models say of the categories of candidates, as features of the ranker."""

from __future__ import annotations

import numpy as np

from operators.candidates import Candidates
from operators.category_columns import fill_by_category
from operators.feature_columns import Floats
from operators.model_records import BUYS, ENGAGES
from operators.shelf import Shelf
from operators.user_batch import UserBatch

STREAM_FEATURES = ("stream_engages", "stream_buys")
"""Log odds, for a user who was last at their latest item's category, that the next event is in the candidate's category
rather than anywhere (`stream_engages`), and that an event there is a step to a purchase (`stream_buys`); 0 where the
model said nothing of the two (operators/stream_models.py)."""

_MODELS = ENGAGES, BUYS


def fill_stream(found: Candidates, users: UserBatch, shelf: Shelf, out: Floats) -> None:
    """2 columns: `STREAM_FEATURES`. Hold the shelf's lock."""
    catalogue = shelf.catalogue
    code = catalogue.categories.code
    lasts = [state.recent[-1].category if state.recent else "" for state in users.states]
    for column, model in enumerate(_MODELS):
        known: dict[str, list[tuple[int, float]]] = {}
        for last in lasts:
            if last not in known:
                said = shelf.stream.log_odds(model, last).items()
                known[last] = [(place, odds) for name, odds in said if (place := code(name)) >= 0]
        rows = [known[last] for last in lasts]
        begin = np.cumsum([0, *map(len, rows)]).astype(np.int32)
        numbers = np.array([place for row in rows for place, _ in row], np.int32)
        values = np.array([odds for row in rows for _, odds in row], np.float32)
        fill_by_category(
            found.item, found.start, begin, numbers, values, catalogue.arrays.category,
            len(catalogue.sketches), out[:, column : column + 1],
        )  # fmt: skip
