"""A transformer that reads a user's last items and says which comes next, trained with torch.

SASRec (Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018) with cross entropy over sampled
negatives (Klenitskiy and Vasilev, "Turning Dross Into Gold Loss", RecSys 2023). Two things differ. Every example
has one target after its window, so no causal mask is needed, and the last block asks from the newest item alone.
The negatives of a batch are drawn once for all its examples.

Needs the extra `deep`. Nothing that serves imports this: the job runs the graph of jobs/sequence_onnx.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (as everywhere)

from jobs.sequence_settings import SequenceSettings
from jobs.sequence_windows import NO_ITEM, SequenceWindows
from jobs.windows_training import FittedWindows, Parameters, Tensor, trained

MASKED = -1e9


def fit_sequence(
    windows: SequenceWindows,
    items: int,
    settings: SequenceSettings,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> FittedWindows:
    """Train on `windows` of `items` items, numbered from 1; the same windows and seed give the same model.

    The last `held_back` of the windows are not learned from: training stops where MRR@20 on them, over all
    items, has not risen for `patience` epochs, and the best epoch's parameters are kept.
    """

    def first(generator: Any) -> Parameters:
        return first_parameters(items, settings, generator)

    def vectors(parameters: Parameters, seen: Tensor) -> Tensor:
        return encode(parameters, seen, settings)

    def loss(parameters: Parameters, seen: Tensor, target: Tensor, generator: Any) -> Tensor:
        negatives = torch.randint(1, items + 1, (settings.negatives,), generator=generator)
        users = encode(parameters, seen, settings, training=True)
        return focal_cross_entropy(users, parameters["items"], target, negatives, settings.focus)

    return trained(windows, settings, first, vectors, loss, progress)


def first_parameters(items: int, settings: SequenceSettings, generator: Any) -> Parameters:
    """Where training begins: `items` [n + 1, d] (row 0 is no item), `places` [L, d], and by block k
    `query_k`, `key_k`, `value_k`, `out_k`, `wide_k`, `narrow_k` [d, d] with their norms and biases."""
    d, length = settings.width, settings.length

    def drawn(*shape: int, spread: float = d**-0.5) -> Tensor:
        return (torch.randn(*shape, generator=generator) * spread).requires_grad_()

    def filled(value: float) -> Tensor:
        return torch.full((d,), value).requires_grad_()

    parameters = {"items": drawn(items + 1, d), "places": drawn(length, d, spread=0.02)}
    for k in range(settings.blocks):
        for name in ("query", "key", "value", "wide"):
            parameters[f"{name}_{k}"] = drawn(d, d)
        # What a block adds begins small: at first the model says that what comes is like the newest item.
        for name in ("out", "narrow"):
            parameters[f"{name}_{k}"] = drawn(d, d, spread=0.02)
        for name in (f"wide_{k}_bias", f"narrow_{k}_bias", f"seen_shift_{k}", f"asked_shift_{k}"):
            parameters[name] = filled(0.0)
        for name in ("seen_scale", "asked_scale"):
            parameters[f"{name}_{k}"] = filled(1.0)
    parameters["scale"], parameters["shift"] = filled(1.0), filled(0.0)
    return parameters


def encode(
    parameters: Parameters, items: Tensor, settings: SequenceSettings, training: bool = False
) -> Tensor:
    """[m, d] vectors of windows [m, L], newest first; without any item, the vector is 0."""
    d, p = settings.width, settings.dropout
    known = items != NO_ITEM
    bias = torch.where(known, 0.0, MASKED)[:, None, :]
    x = F.dropout(parameters["items"][items] + parameters["places"], p, training)
    for k in range(settings.blocks):
        seen = F.layer_norm(x, (d,), parameters[f"seen_scale_{k}"], parameters[f"seen_shift_{k}"])
        last = k == settings.blocks - 1
        asked = seen[:, :1] if last else seen
        mixed = _attended(parameters, k, asked, seen, bias, settings)
        x = (x[:, :1] if last else x) + F.dropout(mixed, p, training)
        held = F.layer_norm(x, (d,), parameters[f"asked_scale_{k}"], parameters[f"asked_shift_{k}"])
        held = F.relu(held @ parameters[f"wide_{k}"] + parameters[f"wide_{k}_bias"])
        held = F.dropout(held, p, training) @ parameters[f"narrow_{k}"] + parameters[f"narrow_{k}_bias"]
        x = x + F.dropout(held, p, training)
    x = F.layer_norm(x[:, 0], (d,), parameters["scale"], parameters["shift"])
    return x * known[:, :1]


def _attended(
    parameters: Parameters, k: int, asked: Tensor, seen: Tensor, bias: Tensor, settings: SequenceSettings
) -> Tensor:
    """Attention of `asked` [m, q, d] to `seen` [m, L, d].

    The products with keys and values are taken on the side of what asks, which has one place in the last block,
    rather than for all L places: (x Q)(y K)' is (x Q K') y', and a mean of values that of y, times V.
    """
    size = settings.width // settings.heads
    mixed = []
    for head in range(settings.heads):
        part = slice(head * size, (head + 1) * size)
        query = asked @ parameters[f"query_{k}"][:, part] @ parameters[f"key_{k}"][:, part].T
        weight = torch.softmax(query @ seen.transpose(1, 2) * size**-0.5 + bias, dim=-1)
        mixed.append(weight @ seen @ parameters[f"value_{k}"][:, part])
    return torch.cat(mixed, dim=-1) @ parameters[f"out_{k}"]


def focal_cross_entropy(users: Tensor, table: Tensor, target: Tensor, others: Tensor, focus: float) -> Tensor:
    """The mean of -(1 - p)^focus log p, where p is the softmax share of the target among itself and `others`.

    Without `focus` this is cross entropy. With it, examples that are told already weigh less (Lin et al., "Focal
    Loss for Dense Object Detection", ICCV 2017), so that what few users take is not drowned by what many do.
    """
    own = (users * table[target]).sum(dim=1, keepdim=True)
    other = (users @ table[others].T).masked_fill(target[:, None] == others[None, :], MASKED)
    log_share = F.log_softmax(torch.cat([own, other], dim=1), dim=1)[:, 0]
    return -((1.0 - log_share.exp()) ** focus * log_share).mean()
