"""How much `headrace bench` measures."""

from __future__ import annotations

import msgspec

RATES = (500.0, 1_000.0, 2_000.0)


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. Durations are in seconds."""

    plain_events: int = 200_000
    users: int = 100_000
    items: int = 10_000
    state_users: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    catalogue: tuple[int, ...] = (1_000, 10_000, 100_000)
    scale_events: int = 50_000
    pipeline_events: int = 600_000
    garbage_events: int = 150_000
    task_managers: tuple[int, ...] = (1, 2)
    rates: tuple[float, ...] = RATES
    seconds: float = 60.0
    warm_up: float = 90.0
    sized_users: int = 5_000
    model_examples: int = 3_000


QUICK = Extent(
    plain_events=4_000, users=1_000, items=600, state_users=(500, 2_000), catalogue=(600, 2_000),
    scale_events=1_000, pipeline_events=40_000, garbage_events=10_000, task_managers=(1,), rates=(200.0,), seconds=5.0,
    warm_up=3.0, sized_users=50, model_examples=300,
)  # fmt: skip
"""A look at whether everything runs; its figures mean nothing."""
