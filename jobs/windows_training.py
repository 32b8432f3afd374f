"""Training with torch of a model of users by their last items, until later examples are told no better.

Needs the extra `deep`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from jobs.sequence_windows import NO_ITEM, SequenceWindows

Tensor = Any
"""A `torch.Tensor`; torch need not be there where types are checked."""

Parameters = dict[str, Tensor]
"""By name; `items` [n + 1, d] are the items' vectors, row 0 that of no item."""

Encode = Callable[[Parameters, Tensor], Tensor]
"""[m, d] vectors of users by windows [m, L] of item numbers, newest first, 0 past the end."""

Floats = npt.NDArray[np.float32]

LIST_LENGTH = 20
_AT_ONCE = 2_048


class WindowsSettings(Protocol):
    """What the settings of every such model say: see `SequenceSettings`."""

    @property
    def weight_decay(self) -> float: ...
    @property
    def rate(self) -> float: ...
    @property
    def batch(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def patience(self) -> int: ...
    @property
    def held_back(self) -> float: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True, eq=False)
class FittedWindows:
    """Trained arrays by name, and MRR@20 on the held-back examples, by epoch."""

    arrays: dict[str, Floats]
    encode: Encode
    mrr: tuple[float, ...]

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, that the arrays are of."""
        return int(np.argmax(self.mrr)) + 1

    def vectors(self, items: npt.NDArray[np.int32]) -> Floats:
        """float32[m, d] of windows int32[m, L], by the source model itself."""
        parameters = {name: torch.from_numpy(array) for name, array in self.arrays.items()}
        with torch.no_grad():
            found: Floats = self.encode(parameters, torch.from_numpy(items).long()).numpy()
        return found


def trained(
    windows: SequenceWindows,
    settings: WindowsSettings,
    first: Callable[[Any], Parameters],
    encode: Encode,
    loss: Callable[[Parameters, Tensor, Tensor, Any], Tensor],
    progress: Callable[[int, int], None],
) -> FittedWindows:
    """Train parameters that begin with `first(generator)` by AdamW on batches of windows.

    `loss(parameters, windows, targets, generator)` is made small. The last `held_back` of the windows are not learned
    from: training stops where MRR@20 on them has not risen for `patience` epochs, and the best epoch is kept.
    """
    torch.set_num_threads(1)  # arrays this small gain nothing by more; sums in another order are other sums
    generator = torch.Generator().manual_seed(settings.seed)
    torch.manual_seed(settings.seed)
    parameters = first(generator)
    cut = len(windows) - max(int(len(windows) * settings.held_back), 1)
    train, held = windows.part(0, cut), windows.part(cut, len(windows))
    optimiser = adamw(parameters.values(), settings.rate, settings.weight_decay)
    inputs, targets = torch.from_numpy(train.items).long(), torch.from_numpy(train.target).long()
    best: dict[str, Floats] = {}
    found: list[float] = []
    for epoch in range(settings.epochs):
        order = torch.randperm(len(train), generator=generator)
        for at in range(0, len(order), settings.batch):
            chosen = order[at : at + settings.batch]
            optimiser.zero_grad()
            loss(parameters, inputs[chosen], targets[chosen], generator).backward()
            optimiser.step()
        found.append(reciprocal_rank(parameters, encode, held))
        if found[-1] >= max(found):
            best = copied(parameters)
        progress(epoch + 1, settings.epochs)
        if len(found) - int(np.argmax(found)) > settings.patience:
            break
    return FittedWindows(best, encode, tuple(found))


def adamw(parameters: Iterable[Tensor], rate: float, weight_decay: float) -> Any:
    """AdamW whose decay leaves vectors (biases, and scales of norms) alone (Loshchilov and Hutter, ICLR 2019)."""
    held = list(parameters)
    grouped = [
        {"params": [p for p in held if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in held if p.dim() == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(grouped, lr=rate)


def copied(parameters: Parameters) -> dict[str, Floats]:
    """The parameters as they are now, as arrays."""
    return {name: p.detach().numpy().copy() for name, p in parameters.items()}


def reciprocal_rank(parameters: Parameters, encode: Encode, held: SequenceWindows) -> float:
    """Mean of 1 / place of the target among all items but those of its window, 0 beyond place 20."""
    total = 0.0
    with torch.no_grad():
        for at in range(0, len(held), _AT_ONCE):
            part = held.part(at, at + _AT_ONCE)
            windows, target = torch.from_numpy(part.items).long(), torch.from_numpy(part.target).long()
            scores = encode(parameters, windows) @ parameters["items"].T
            own = scores.gather(1, target[:, None])
            scores.scatter_(1, windows, -torch.inf)
            scores[:, NO_ITEM] = -torch.inf
            place = (scores >= own).sum(dim=1)
            total += float(torch.where(place <= LIST_LENGTH, 1.0 / place.double(), 0.0).sum())
    return total / max(len(held), 1)
