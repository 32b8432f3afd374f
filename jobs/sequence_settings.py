"""How a sequence model is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SequenceSettings:
    """A sequence model over the last `length` items: `blocks` of attention with `heads`, vectors of `width`.

    An item needs `least_users` users. The latest `examples` of a user and the item that came are learned from;
    of each, the target is told from `negatives` others, and `focus` is the focal loss's γ. `held_back` is the
    share of the latest examples by which training stops, where they have not become better for `patience`
    epochs. Raises `ValueError` where heads do not divide the width.
    """

    length: int = 20
    width: int = 64
    heads: int = 2
    blocks: int = 1
    dropout: float = 0.4
    weight_decay: float = 1e-2
    rate: float = 4e-3
    batch: int = 256
    negatives: int = 512
    focus: float = 0.0
    epochs: int = 40
    patience: int = 3
    held_back: float = 0.08
    least_users: int = 3
    examples: int = 200_000
    seed: int = 7

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} cannot be shared by {self.heads} heads")
