"""How likely a user's next engaging event is in a category: what rules, ranking, training and the profile read.

It is read of the user's record alone: of what the user's own model says (operators/affinity.py) and of the
category's share of the user's decayed counts, by the curve of operators/calibration.py. So it is the same
wherever the record is read. operators/affinity_columns.py computes it for many candidates at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from operators.affinity import AffinityModel, AffinitySettings
from operators.calibration import Calibration, CalibrationSettings
from schemas.state import UserState


class CalibratedAffinity:
    """Reads probabilities from user records.

    >>> ann = UserState("ann", born=1, categories={"Garden": 3.0, "Toys": 1.0})
    >>> read = CalibratedAffinity(calibration=CalibrationSettings(intercept=0.0, model=1.0, share=1.0))
    >>> [(name, round(p, 2)) for name, p in read.likeliest(ann, ["Toys", "Garden"])]
    [('Garden', 0.43), ('Toys', 0.2)]
    >>> read.probability(ann, "Garden") == read.likeliest(ann, ["Garden"])[0][1]
    True
    """

    def __init__(
        self,
        affinity: AffinitySettings = AffinitySettings(),
        calibration: CalibrationSettings = CalibrationSettings(),
    ) -> None:
        self._model = AffinityModel(affinity)
        self._curve = Calibration(calibration)

    def probability(self, user: UserState, category: str) -> float:
        """How likely the user's next engaging event is in the category, in [0, 1]."""
        count = user.categories.get(category)
        share = count / sum(user.categories.values()) if count else 0.0
        return self._curve.probability(self._model.log_odds(user.affinity, category), share)

    def likeliest(self, user: UserState, categories: Iterable[str]) -> list[tuple[str, float]]:
        """`probability` of each category, the likeliest first, ties by name."""
        counts, affinity = user.categories, user.affinity
        log_odds, probability = self._model.log_odds, self._curve.probability
        total = sum(counts.values()) or 1.0
        likely = [
            (name, probability(log_odds(affinity, name), counts.get(name, 0.0) / total))
            for name in categories
        ]
        likely.sort(key=lambda pair: (-pair[1], pair[0]))
        return likely
