"""Simulated users whose tastes change at a known event: for `evaluate --drift` and the choice of settings."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

CATEGORIES = [f"Department {d}/Shelf {s}" for d in range(8) for s in range(6)]
TYPES, SHARES = ("view", "click", "add_to_cart", "purchase"), (0.60, 0.20, 0.13, 0.07)


@dataclass(frozen=True)
class Shopper:
    """How simulated users behave: three tastes (50, 30, 20 %), a share of events anywhere, and runs of events
    in one category whose mean length is `run`, as in the sessions of real users.

    >>> next(Shopper().events(random.Random(1), change=100, length=1))[2]
    'add_to_cart'
    """

    elsewhere: float = 0.15
    run: float = 4.0

    def events(self, rng: random.Random, change: int, length: int) -> Iterator[tuple[str, float, str]]:
        """(category, price, type) of one user, with three other tastes from event number `change` on."""
        tastes = rng.sample(CATEGORIES, 6)
        level = rng.uniform(1, 4)
        category = ""
        for k in range(length):
            if not category or k == change or rng.random() < 1 / self.run:
                now = tastes[:3] if k < change else tastes[3:]
                anywhere = rng.random() < self.elsewhere
                category = rng.choice(CATEGORIES) if anywhere else rng.choices(now, (5, 3, 2))[0]
            yield category, math.exp(rng.gauss(level, 0.5)), rng.choices(TYPES, SHARES)[0]
