"""How an autoencoder of users is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AutoencoderSettings:
    """An autoencoder over the last `length` items, in no order: a user is a vector of `width` numbers.

    An item needs `least_users` users. The latest `examples` are learned from. Of each, every item is left out
    with the chance `dropout`, and what was left out is to be told as well as the rest, from all items, or from
    those of the batch and so many drawn `others` where there are more. `held_back` is the share of the latest
    examples by which training stops, where they have not become better for `patience` passes.
    """

    length: int = 20
    width: int = 64
    dropout: float = 0.5
    weight_decay: float = 1e-2
    rate: float = 3e-3
    batch: int = 256
    others: int = 4_096
    epochs: int = 40
    patience: int = 3
    held_back: float = 0.08
    least_users: int = 3
    examples: int = 200_000
    seed: int = 7
