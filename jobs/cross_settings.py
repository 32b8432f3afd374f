"""How a deep-and-cross network is made, and one with two tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class CrossSettings:
    """`crosses` cross layers of rank `rank`, then hidden `layers` with ReLU, then the score.

    With more than one of the `experts`, the last hidden layer is there so many times, and each task mixes them by
    a gate of its own. `tasks` is 1 (what comes) or 2 (what comes, and what is bought of it); the score is that of the
    first plus `bought_weight` times that of the second. Training stops where later lists are ordered no better for
    `patience` passes, after `epochs` at most.
    """

    crosses: int = 2
    rank: int = 8
    layers: tuple[int, ...] = (32, 16)
    experts: int = 1
    tasks: int = 1
    bought_weight: float = 0.0
    dropout: float = 0.1
    weight_decay: float = 1e-2
    rate: float = 3e-3
    epochs: int = 20
    patience: int = 3
    lists_at_once: int = 64

    @property
    def label(self) -> str:
        """As the table of rankers calls it."""
        sizes = "-".join(map(str, self.layers))
        if self.tasks == 1:
            return f"cross {self.crosses}x{self.rank} {sizes}"
        return f"two-task {sizes}, click · buy^{self.bought_weight:g}"

    def of_two_tasks(self, experts: int = 3) -> CrossSettings:
        """The same with a task of its own for what is bought, and `experts` that both tasks share."""
        return replace(self, tasks=2, experts=experts)
