"""A plain personal ranker, to judge by what a profile is good for: an item's popularity times the profile's odds.

No co-visitation, no sessions: so what two profiles of one user differ in is all that their lists differ in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from operators.affinity import weights_of
from operators.item_facts import ItemFacts
from operators.logistic import PRICE, PRICE_SQUARED
from operators.price_scale import WIDEST, log_price
from operators.sketch import SKETCH_DIM, item_sketch
from schemas.state import Affinity

LENGTH = 20
"""Places of a list of items."""
CATEGORIES_SHOWN = 5
"""Places of a list of categories."""


class PersonalRanker:
    """Lists of items and of categories from the affinities of one user.

    `catalogue` holds the items, `touches` says how often each was touched by anybody.

    >>> ranker = PersonalRanker({"mug": ItemFacts("Home", 3.0), "bowl": ItemFacts("Home", 5.0)}, {"mug": 9})
    >>> ranker.item_hit(Affinity(), set(), "mug"), ranker.category_hit(Affinity(), "Home")
    (True, True)
    """

    def __init__(self, catalogue: Mapping[str, ItemFacts], touches: Mapping[str, int]) -> None:
        self._row = {item: row for row, item in enumerate(catalogue)}
        categories = sorted({facts.category for facts in catalogue.values()})
        self._column = {category: row for row, category in enumerate(categories)}
        self._sketches = np.stack([item_sketch(category) for category in categories])
        self._category = np.array([self._column[facts.category] for facts in catalogue.values()])
        logs = [log_price(facts.price) for facts in catalogue.values()]
        self._log_price = np.array([np.nan if x is None else x for x in logs])
        self._popularity = np.log([1.0 + touches.get(item, 0) for item in catalogue])

    def item_hit(self, affinity: Affinity, touched: Iterable[str], item: str) -> bool:
        """Is the item among the `LENGTH` best that are not in `touched`?"""
        scores = self._popularity + self._odds(affinity)
        scores[[self._row[one] for one in touched]] = -np.inf
        row = self._row[item]
        # Of equal scores the earlier row is listed first.
        better = np.count_nonzero(scores > scores[row]) + np.count_nonzero(scores[:row] == scores[row])
        return int(better) < LENGTH

    def category_hit(self, affinity: Affinity, category: str) -> bool:
        """Is the category among the `CATEGORIES_SHOWN` that the user likes best?"""
        scores = self._sketches @ weights_of(affinity)[:SKETCH_DIM]
        row = self._column[category]
        better = np.count_nonzero(scores > scores[row]) + np.count_nonzero(scores[:row] == scores[row])
        return int(better) < CATEGORIES_SHOWN

    def _odds(self, affinity: Affinity) -> NDArray[np.float64]:
        """The profile's log odds of every item, less the intercept, which is the same for all."""
        weights = weights_of(affinity).astype(np.float64)
        odds = (self._sketches @ weights[:SKETCH_DIM])[self._category]
        scale = affinity.price
        if scale.variance:
            position = np.clip((self._log_price - scale.mean) / np.sqrt(scale.variance) / WIDEST, -1.0, 1.0)
            position = np.nan_to_num(position)
            odds = odds + weights[PRICE] * position + weights[PRICE_SQUARED] * position**2
        return np.asarray(odds)
