"""A deep-and-cross network that orders candidates, with one task or two, trained with torch.

DCN v2 with cross layers of low rank (Wang et al., "DCN V2: Improved Deep & Cross Network", WWW 2021): each layer
multiplies the features by a projection of what it was given, so that k layers know products of k + 1 features. Then
hidden layers, as in the paper's stacked form. Two tasks share the bottom, and mix experts by gates of their own
(Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", KDD 2018).

Needs the extra `deep`. Nothing that serves imports this: the job runs the graph of jobs/cross_onnx.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 (as everywhere)

from jobs.cross_settings import CrossSettings
from jobs.ranking_set import RankingSet, reciprocal_ranks
from jobs.windows_training import Parameters, Tensor, adamw, copied

Floats = npt.NDArray[np.float32]

_NO_ROW = -1e9
_FIXED = ("scale", "shift")
_MOST_WEIGHT = 20.0
"""What a list that was bought weighs at most in the second task, however rare they are."""


@dataclass(frozen=True, eq=False)
class FittedCross:
    """Trained arrays by name (see `first_parameters`), and how well each pass ordered later lists, where there
    were some."""

    arrays: dict[str, Floats]
    settings: CrossSettings
    found: tuple[float, ...] = ()

    @property
    def best_epoch(self) -> int:
        """The pass, from 1, that the arrays are of."""
        return int(np.argmax(self.found)) + 1 if self.found else self.settings.epochs

    def tasks(self, rows: Floats) -> Floats:
        """float32[n, tasks]: scores of feature rows float32[n, width], by the source model itself."""
        parameters = {name: torch.from_numpy(array) for name, array in self.arrays.items()}
        with torch.no_grad():
            found: Floats = outputs(parameters, torch.from_numpy(rows), self.settings).numpy()
        return found

    def score(self, rows: Floats) -> Floats:
        """float32[n] of feature rows: the first task's, and the second's times its weight."""
        return combined(self.tasks(rows), self.settings.bought_weight)


def combined(tasks: Floats, bought_weight: float) -> Floats:
    """float32[n]: one score of a candidate's one or two.

    In a list, a task's softmax share p of a candidate is its score to a constant of the list. So this sum
    orders the list as the product of both shares does, that of the second to the power of its weight.
    """
    scores: Floats = (
        tasks[:, 0] if tasks.shape[1] == 1 else tasks[:, 0] + np.float32(bought_weight) * tasks[:, 1]
    )
    return scores


def fit_cross(
    lists: RankingSet, settings: CrossSettings, seed: int, later: RankingSet | None = None
) -> FittedCross:
    """Train on lists; the same lists and seed give the same network.

    With lists of `later` events, training stops where it orders them no better, and the best pass is kept. Better is
    the mean over tasks of the reciprocal rank of what came, and of what was bought.
    """
    torch.set_num_threads(1)  # sums in another order are other sums
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    parameters = first_parameters(lists.rows, settings, generator)
    learned = [p for name, p in parameters.items() if name not in _FIXED]
    optimiser = adamw(learned, settings.rate, settings.weight_decay)
    best: dict[str, Floats] = {}
    found: list[float] = []
    for _ in range(settings.epochs):
        for rows, known, hits, weights in _batches(lists, settings, generator):
            optimiser.zero_grad()
            scores = outputs(parameters, rows, settings, training=True)
            list_loss(scores, known, hits, weights).backward()
            optimiser.step()
        if later is None:
            continue
        now = FittedCross(copied(parameters), settings)
        found.append(_judged(now, later))
        if found[-1] >= max(found):
            best = now.arrays
        if len(found) - int(np.argmax(found)) > settings.patience:
            break
    return FittedCross(best or copied(parameters), settings, tuple(found))


def first_parameters(rows: Floats, settings: CrossSettings, generator: Any) -> Parameters:
    """Where training begins, for rows of F features: `scale` and `shift` [F], which bring these to mean 0 and
    variance 1 and stay; of cross layer k `narrow_k` [F, r], `wide_k` [r, F] and `wide_k_bias` [F]; of hidden
    layer k `hidden_k` and `hidden_k_bias`, the last with all experts side by side; `head_t` [d] and, of several
    experts, `gate_t` [F, E] of task t."""
    spread = rows.std(axis=0)
    spread[spread < 1e-6] = 1.0
    width, experts = rows.shape[1], settings.experts

    def drawn(*shape: int, spread: float) -> Tensor:
        return (torch.randn(*shape, generator=generator) * spread).requires_grad_()

    parameters = {
        "scale": torch.from_numpy((1.0 / spread).astype(np.float32)),
        "shift": torch.from_numpy((-rows.mean(axis=0) / spread).astype(np.float32)),
    }
    for k in range(settings.crosses):
        parameters[f"narrow_{k}"] = drawn(width, settings.rank, spread=width**-0.5)
        parameters[f"wide_{k}"] = drawn(settings.rank, width, spread=0.1 * settings.rank**-0.5)
        parameters[f"wide_{k}_bias"] = torch.zeros(width).requires_grad_()
    inner = width
    for k, size in enumerate(settings.layers):
        outer = size * (experts if k == len(settings.layers) - 1 else 1)
        parameters[f"hidden_{k}"] = drawn(inner, outer, spread=(2.0 / inner) ** 0.5)
        parameters[f"hidden_{k}_bias"] = torch.zeros(outer).requires_grad_()
        inner = outer
    for task in range(settings.tasks):
        parameters[f"head_{task}"] = drawn(settings.layers[-1], spread=settings.layers[-1] ** -0.5)
        if experts > 1:
            parameters[f"gate_{task}"] = drawn(width, experts, spread=0.1 * width**-0.5)
    return parameters


def outputs(parameters: Parameters, rows: Tensor, settings: CrossSettings, training: bool = False) -> Tensor:
    """[n, tasks] scores of feature rows [n, F]."""
    first = rows * parameters["scale"] + parameters["shift"]
    x = first
    for k in range(settings.crosses):
        x = (
            first * (x @ parameters[f"narrow_{k}"] @ parameters[f"wide_{k}"] + parameters[f"wide_{k}_bias"])
            + x
        )
    for k in range(len(settings.layers)):
        x = F.relu(x @ parameters[f"hidden_{k}"] + parameters[f"hidden_{k}_bias"])
        x = F.dropout(x, settings.dropout, training)
    made = []
    for task in range(settings.tasks):
        said = x.reshape(len(x), settings.experts, -1) @ parameters[f"head_{task}"]
        if settings.experts > 1:
            said = said * torch.softmax(first @ parameters[f"gate_{task}"], dim=1)
        made.append(said.sum(dim=1))
    return torch.stack(made, dim=1)


def list_loss(scores: Tensor, known: Tensor, hits: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy of what came among its list's candidates, for each task with its weights of the lists.

    `scores` [n, tasks] are of the rows of `known` [lists, most] that are True, one list after the other, `hits`
    [lists] the places of what came, `weights` [lists, tasks].
    """
    total = scores.new_zeros(())
    for task in range(scores.shape[1]):
        spread = scores.new_full(known.shape, _NO_ROW).masked_scatter(known, scores[:, task])
        missed = F.cross_entropy(spread, hits, reduction="none")
        total = total + (missed * weights[:, task]).mean()
    return total


def task_weights(lists: RankingSet, tasks: int) -> Floats:
    """float32[lists, tasks]: 1 in the first task; in the second, the rarer what was bought the more it weighs, and
    other lists nothing, so that both tasks weigh the same in total."""
    weights = np.ones((lists.lists, tasks), np.float32)
    if tasks > 1:
        bought = lists.bought()
        weights[:, 1] = bought * min(lists.lists / max(int(bought.sum()), 1), _MOST_WEIGHT)
    return weights


def _batches(
    lists: RankingSet, settings: CrossSettings, generator: Any
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    weights = task_weights(lists, settings.tasks)
    sizes = np.diff(lists.starts)
    order = torch.randperm(lists.lists, generator=generator).numpy()
    for at in range(0, len(order), settings.lists_at_once):
        chosen = order[at : at + settings.lists_at_once]
        most = np.arange(sizes[chosen].max())
        known = most < sizes[chosen][:, None]
        rows = (lists.starts[chosen][:, None] + most)[known]
        yield (
            torch.from_numpy(lists.rows[rows]),
            torch.from_numpy(known),
            torch.from_numpy(lists.hits[chosen] - lists.starts[chosen]),
            torch.from_numpy(weights[chosen]),
        )


def _judged(fitted: FittedCross, later: RankingSet) -> float:
    tasks = fitted.tasks(later.rows)
    ranks = [reciprocal_ranks(later, tasks[:, 0]).mean()]
    bought = later.bought()
    if tasks.shape[1] > 1 and bought.any():
        ranks.append(reciprocal_ranks(later, tasks[:, 1])[bought].mean())
    return float(np.mean(ranks))


def with_weight(fitted: FittedCross, later: RankingSet, weights: tuple[float, ...]) -> float:
    """The weight of what is bought, of `weights`, that orders `later` lists best.

    Of those whose MRR@20 over all lists is within one standard error of the best one's (of the paired
    difference), the one with the best over the lists that were bought; of equal ones the smallest.
    """
    tasks = fitted.tasks(later.rows)
    ranks = [reciprocal_ranks(later, combined(tasks, weight)) for weight in weights]
    best = max(ranks, key=lambda found: float(found.mean()))
    bought = later.bought()
    fit = [
        (float(found[bought].mean()), -weight)
        for found, weight in zip(ranks, weights, strict=True)
        if (best - found).mean() <= (best - found).std(ddof=1) / np.sqrt(len(found))
    ]
    return -max(fit)[1]
