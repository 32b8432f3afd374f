"""How a boosted model of the next category is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BoostedSettings:
    """Of the events that make the factors, `events` are drawn to learn from, from the first `unused` share on (until
    then too little is known of anyone), and `judged` of those that judge rankers.

    The earlier `fitted` of the examples grow at most `trees` trees of `leaves` leaves, those up to `stopped` say how
    many, the rest how the trees' log odds become probabilities (Platt). Raises `ValueError` for parts that are none.
    """

    events: int = 8_000
    judged: int = 3_000
    unused: float = 0.3
    fitted: float = 0.7
    stopped: float = 0.85
    trees: int = 60
    leaves: int = 8
    learning_rate: float = 0.1
    least_rows_in_leaf: int = 100
    seed: int = 7

    def __post_init__(self) -> None:
        if not 0.0 < self.fitted < self.stopped < 1.0:
            raise ValueError(
                f"fitted {self.fitted} and stopped {self.stopped}: each must be a share, and the first the smaller"
            )
        if not 0.0 <= self.unused < 1.0:
            raise ValueError(f"unused is {self.unused}; it must be from 0 up to 1")
