"""Sums that decay, without ever touching what does not change.

Forward decay after Cormode, Shkapenyuk, Srivastava and Xu, "Forward Decay: A Practical Time Decay Model for
Streaming Systems" (ICDE 2009): instead of shrinking old weights, new ones grow, measured from a landmark.
The landmark is the start of the epoch, and epochs are 256 half-lives long so that weights stay within a
double.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log

HALF_LIVES_PER_EPOCH = 256


@dataclass(frozen=True)
class ForwardDecay:
    """Exponential decay with a half-life in ms. Times are ms since 1970.

    >>> decay = ForwardDecay(half_life=1_000)
    >>> total = 3.0 * decay.growth(5_000) + 1.0 * decay.growth(6_000)
    >>> score = decay.score(total, decay.epoch(6_000))
    >>> round(decay.value(score, at=6_000), 9), round(decay.value(score, at=7_000), 9)
    (2.5, 1.25)
    """

    half_life: float
    rate: float = field(init=False)
    span: float = field(init=False)

    def __post_init__(self) -> None:
        if not self.half_life > 0:
            raise ValueError(f"a half-life of {self.half_life} ms; it must be more than 0")
        object.__setattr__(self, "rate", log(2.0) / self.half_life)
        object.__setattr__(self, "span", HALF_LIVES_PER_EPOCH * self.half_life)

    def epoch(self, time: int) -> int:
        """The epoch of a time. Sums of different epochs must not be added."""
        return int(time // self.span)

    def growth(self, time: int) -> float:
        """By how much a weight at `time` is multiplied in the sum of its epoch: 1 to 2^256."""
        return exp(self.rate * (time % self.span))

    def score(self, total: float, epoch: int) -> float:
        """The published logarithm of an epoch's sum, comparable with that of any other epoch."""
        return log(total) + self.rate * epoch * self.span

    def value(self, score: float, at: int) -> float:
        """The decayed sum as at a time, from its published score."""
        return exp(score - self.rate * at)
