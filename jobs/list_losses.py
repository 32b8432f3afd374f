"""What a network learns to make small over lists of candidates, one of which came.

A loss is given by its slope: `loss(scores, bounds, hits)` takes the scores of lists that follow one another, where
each begins and which row of each came, and returns the derivative of the mean loss per list by each score.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
Loss = Callable[[Floats, Places, Places], Floats]


def softmax_loss(scores: Floats, bounds: Places, hits: Places) -> Floats:
    """ListNet's top-one loss: the log probability of what came (Cao et al., ICML 2007).

    >>> softmax_loss(np.zeros(4, np.float32), np.array([0]), np.array([1])).tolist()
    [0.25, -0.75, 0.25, 0.25]
    """
    slope: Floats = (_missing(scores, bounds, hits) / len(bounds)).astype(np.float32)
    return slope


def focal_loss(gamma: float) -> Loss:
    """The same, each list times (1 - p)^gamma for the probability p of what came: easy lists count little.

    Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, for a list instead of two classes.
    """

    def slope(scores: Floats, bounds: Places, hits: Places) -> Floats:
        missing = _missing(scores, bounds, hits)
        off = np.clip(-missing[hits], 1e-6, 1.0)  # 1 - p
        p = np.maximum(1.0 - off, 1e-6)
        factor = off**gamma - gamma * p * off ** (gamma - 1.0) * np.log(p)
        sizes = np.diff(np.append(bounds, len(scores)))
        found: Floats = (missing * np.repeat(factor, sizes) / len(bounds)).astype(np.float32)
        return found

    return slope


def class_weighted_loss(scores: Floats, bounds: Places, hits: Places) -> Floats:
    """Log loss of each row by itself; in each list, what came weighs as much as all that did not together.

    >>> class_weighted_loss(np.zeros(3, np.float32), np.array([0]), np.array([1])).tolist()
    [0.125, -0.25, 0.125]
    """
    sizes = np.diff(np.append(bounds, len(scores)))
    slope = np.repeat(0.5 / np.maximum(sizes - 1, 1), sizes) / (1.0 + np.exp(-scores))
    slope[hits] = -0.5 / (1.0 + np.exp(scores[hits]))
    found: Floats = (slope / len(bounds)).astype(np.float32)
    return found


def _missing(scores: Floats, bounds: Places, hits: Places) -> Floats:
    """Each row's share of its list by softmax, less 1 for the row that came."""
    sizes = np.diff(np.append(bounds, len(scores)))
    share = np.exp(scores - np.repeat(np.maximum.reduceat(scores, bounds), sizes))
    share = share / np.repeat(np.add.reduceat(share, bounds), sizes)
    share[hits] -= 1.0
    missing: Floats = share
    return missing
