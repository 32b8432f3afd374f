"""An autoencoder that tells what users take from what they took, in no order, trained with torch.

Mult-DAE (Liang et al., "Variational Autoencoders for Collaborative Filtering", WWW 2018): items of a user are left out
at random, and a multinomial over all items is to give those that were left out as well. One hidden layer, the user's
vector; its products with the items' vectors are what the multinomial is made of. An example is what a user had
taken at one moment with what they took next, so that later examples can say when to stop.

Needs the extra `deep`. Nothing that serves imports this: the job runs the graph of jobs/autoencoder_onnx.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 (as everywhere)

from jobs.autoencoder_settings import AutoencoderSettings
from jobs.sequence_windows import NO_ITEM, SequenceWindows
from jobs.windows_training import FittedWindows, Parameters, Tensor, trained

Ints = npt.NDArray[np.int32]


def fit_autoencoder(
    windows: SequenceWindows,
    items: int,
    settings: AutoencoderSettings,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> FittedWindows:
    """Train on `windows` of `items` items, numbered from 1; the same windows and seed give the same model.

    The last `held_back` of the windows are not learned from: training stops where MRR@20 on them, over all
    items, has not risen for `patience` passes, and the best pass's parameters are kept.
    """

    def loss(parameters: Parameters, seen: Tensor, target: Tensor, generator: Any) -> Tensor:
        taken = torch.cat([seen, target[:, None]], dim=1)
        left = taken * (torch.rand(taken.shape, generator=generator) >= settings.dropout)
        return multinomial_loss(
            encode(parameters, left), parameters["items"], taken, settings.others, generator
        )

    def first(generator: Any) -> Parameters:
        return first_parameters(items, settings, generator)

    return trained(windows, settings, first, encode, loss, progress)


def first_parameters(items: int, settings: AutoencoderSettings, generator: Any) -> Parameters:
    """Where training begins: `taken` [n + 1, d] and `bias` [d] make a user's vector; `items` [n + 1, d + 1] are
    the items' vectors, the last number of each how often it is taken by anybody. Row 0 is no item."""
    d = settings.width

    def drawn(*shape: int) -> Tensor:
        return (torch.randn(*shape, generator=generator) * d**-0.5).requires_grad_()

    return {
        "taken": drawn(items + 1, d),
        "bias": torch.zeros(d).requires_grad_(),
        "items": drawn(items + 1, d + 1),
    }


def encode(parameters: Parameters, items: Tensor) -> Tensor:
    """[m, d + 1] vectors of users by their items [m, L], 0 for none; the last is 1. Without any item, all are 0."""
    known = (items != NO_ITEM).float()
    count = known.sum(dim=1, keepdim=True)
    summed = (parameters["taken"][items] * known[:, :, None]).sum(dim=1)
    hidden = torch.tanh(summed / count.clamp(min=1.0).sqrt() + parameters["bias"])
    return torch.cat([hidden, torch.ones_like(count)], dim=1) * count.clamp(max=1.0)


def multinomial_loss(users: Tensor, table: Tensor, taken: Tensor, others: int, generator: Any) -> Tensor:
    """The mean of -log p over the items `taken` [m, k] (0: none) by users, each user counting once.

    p is the softmax share among all items of `table`, or, of more than `others`, among those that anybody of
    the batch took and so many drawn ones.
    """
    items = len(table) - 1
    if items > others:
        drawn = torch.randint(1, items + 1, (others,), generator=generator)
        columns = torch.unique(torch.cat([taken[taken != NO_ITEM], drawn]))
    else:
        columns = torch.arange(1, items + 1)
    place = torch.searchsorted(columns, taken.clamp(min=1))
    share = F.log_softmax(users @ table[columns].T, dim=1).gather(1, place.clamp(max=len(columns) - 1))
    known = (taken != NO_ITEM).float()
    return -((share * known).sum(dim=1) / known.sum(dim=1)).mean()
