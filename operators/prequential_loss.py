"""How well a probability is predicted, example by example before it is learned from.

Fading averages after Gama, Sebastião and Rodrigues, "On evaluating stream learning algorithms" (Machine
Learning, 2013), and beside them the mean of an ADWIN window, which reaches back as far as nothing changed.
"""

from __future__ import annotations

from math import log

import msgspec

from operators.adwin import Adwin, AdwinSettings
from operators.change_detector import UnreadableWindow

MEASURES = ("log loss", "accuracy", "Brier score")
_WINDOW = AdwinSettings(delta=0.002, clock=32)
_LEAST = 1e-6


class Judged(msgspec.Struct, frozen=True):
    """A measure of a model: its fading average, and the mean and length of its window."""

    fading: float
    window: float
    length: int


class Kept(msgspec.Struct, array_like=True):
    """What is stored of a `PrequentialLoss`."""

    examples: int
    weight: float
    sums: tuple[float, float, float]
    windows: tuple[bytes, bytes, bytes]


def losses(probability: float, label: int) -> tuple[float, float, float]:
    """Log loss (nats), accuracy and Brier score of one prediction.

    >>> losses(0.75, 1)[1:]
    (1.0, 0.0625)
    """
    right = probability if label else 1.0 - probability
    miss = 1.0 - right
    return -log(max(right, _LEAST)), float(right > 0.5) if right != 0.5 else 0.5, miss * miss


class PrequentialLoss:
    """Log loss, accuracy and Brier score of predictions, faded by `fading` an example.

    >>> judged = PrequentialLoss(fading=0.9)
    >>> for label in (1, 0, 1):
    ...     _ = judged.update(0.5, label)
    >>> round(judged.measures()["Brier score"].fading, 6), judged.examples
    (0.25, 3)
    """

    def __init__(self, fading: float = 0.999) -> None:
        self._fading = fading
        self.examples = 0
        self._weight = 0.0
        self._sums = (0.0, 0.0, 0.0)
        self._windows = [Adwin(_WINDOW) for _ in MEASURES]

    @property
    def log_loss(self) -> float:
        """The fading log loss; that of a coin while nothing was judged."""
        return self._sums[0] / self._weight if self._weight else log(2.0)

    def update(self, probability: float, label: int) -> tuple[float, float, float]:
        """Judge a prediction by what came of it. Returns its losses."""
        found = losses(probability, label)
        fading = self._fading
        self.examples += 1
        self._weight = fading * self._weight + 1.0
        a, b, c = self._sums
        self._sums = (fading * a + found[0], fading * b + found[1], fading * c + found[2])
        for window, value in zip(self._windows, found, strict=True):
            window.update(value)
        return found

    def measures(self) -> dict[str, Judged]:
        """All measures by name; empty while nothing was judged."""
        if not self._weight:
            return {}
        return {
            name: Judged(total / self._weight, window.mean, window.width)
            for name, total, window in zip(MEASURES, self._sums, self._windows, strict=True)
        }

    def keep(self) -> Kept:
        """What to store."""
        a, b, c = (window.to_bytes() for window in self._windows)
        return Kept(self.examples, self._weight, self._sums, (a, b, c))

    @classmethod
    def of(cls, kept: Kept, fading: float) -> PrequentialLoss:
        """As it was kept; windows of another release begin anew."""
        judged = cls(fading)
        judged.examples, judged._weight, judged._sums = kept.examples, kept.weight, kept.sums
        try:
            judged._windows = [Adwin.from_bytes(stored, _WINDOW) for stored in kept.windows]
        except UnreadableWindow:
            judged._windows = [Adwin(_WINDOW) for _ in MEASURES]
        return judged
