"""A small network that learns which of a list's candidates came, by Adam, in numpy.

Its loss is the softmax over the list unless another is given (jobs/list_losses.py). A library for deep learning
would be a thousand times the size of the three matrices learned here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from jobs.list_losses import Loss, softmax_loss
from jobs.ranking_set import RankingSet

Floats = npt.NDArray[np.float32]

_ADAM = (0.9, 0.999)
_LISTS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class ListwiseNetwork:
    """`weights[k]` float32[in, out] and `biases[k]` float32[out] of each layer, with ReLU between them.

    The last layer has one output, the score. Features are taken as they are: their standardisation is
    folded into the first layer.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def score(self, rows: Floats) -> Floats:
        """float32[n] of feature rows float32[n, width]."""
        held = rows
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            held = held @ weight + bias
            if layer < len(self.weights) - 1:
                held = np.maximum(held, 0.0)
        return held[:, 0]


def fit_listwise(
    lists: RankingSet,
    hidden: tuple[int, ...],
    epochs: int,
    seed: int,
    rate: float = 3e-3,
    decay: float = 1e-4,
    loss: Loss = softmax_loss,
) -> ListwiseNetwork:
    """Train on lists; the same lists and seed give the same network. The rate falls linearly to zero."""
    with threadpool_limits(1, user_api="blas"):  # on matrices this small, threads only wait for each other
        return _fitted(lists, hidden, epochs, seed, rate, decay, loss)


def _fitted(
    lists: RankingSet,
    hidden: tuple[int, ...],
    epochs: int,
    seed: int,
    rate: float,
    decay: float,
    loss: Loss,
) -> ListwiseNetwork:
    drawn = np.random.default_rng(seed)
    mean = lists.rows.mean(axis=0)
    spread = lists.rows.std(axis=0)
    spread[spread < 1e-6] = 1.0
    sizes = (lists.rows.shape[1], *hidden, 1)
    weights = [(drawn.normal(size=(a, b)) * np.sqrt(2.0 / a)).astype(np.float32) for a, b in pairwise(sizes)]
    biases = [np.zeros(b, np.float32) for b in sizes[1:]]
    learned = [*weights, *biases]
    first = [np.zeros_like(p) for p in learned]
    second = [np.zeros_like(p) for p in learned]
    steps = epochs * -(-lists.lists // _LISTS_AT_ONCE)
    step = 0
    for _ in range(epochs):
        order = drawn.permutation(lists.lists)
        for at in range(0, len(order), _LISTS_AT_ONCE):
            chosen = order[at : at + _LISTS_AT_ONCE]
            gradients = _gradients(lists, chosen, weights, biases, mean, spread, loss)
            step += 1
            now = rate * (1.0 - (step - 1) / steps)
            for p, g, m, v in zip(learned, gradients, first, second, strict=True):
                m += (1 - _ADAM[0]) * (g - m)
                v += (1 - _ADAM[1]) * (g * g - v)
                corrected = np.sqrt(v / (1 - _ADAM[1] ** step)) + 1e-8
                p -= now * (m / (1 - _ADAM[0] ** step) / corrected + decay * p)
    folded = (weights[0] / spread[:, None]).astype(np.float32)
    biases[0] = (biases[0] - mean @ folded).astype(np.float32)
    return ListwiseNetwork((folded, *weights[1:]), tuple(biases))


def _gradients(
    lists: RankingSet,
    chosen: npt.NDArray[np.int64],
    weights: list[Floats],
    biases: list[Floats],
    mean: Floats,
    spread: Floats,
    loss: Loss,
) -> list[Floats]:
    """Of the mean loss over the chosen lists, by each weight and then by each bias."""
    sizes = np.diff(lists.starts)[chosen]
    bounds = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    picked = np.repeat(lists.starts[:-1][chosen] - bounds, sizes) + np.arange(sizes.sum())
    held = [(lists.rows[picked] - mean) / spread]
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        raw = held[-1] @ weight + bias
        held.append(np.maximum(raw, 0.0) if layer < len(weights) - 1 else raw)
    hits = bounds + lists.hits[chosen] - lists.starts[:-1][chosen]
    error = loss(held[-1][:, 0], bounds, hits)[:, None]
    by_weight: list[Floats] = []
    by_bias: list[Floats] = []
    for layer in range(len(weights) - 1, -1, -1):
        by_weight.insert(0, held[layer].T @ error)
        by_bias.insert(0, error.sum(axis=0))
        if layer:
            error = (error @ weights[layer].T) * (held[layer] > 0)
    return [*by_weight, *by_bias]
