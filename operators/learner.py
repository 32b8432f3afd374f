"""Which learner a user's weights are of: its step, its score, and the bytes that say so.

Stored are the `WEIGHTS` weights in little-endian float32, and behind them, for any learner but the first
release's (SGD, log loss, linear), one byte that names the learner and what else it keeps, in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from operators.factorised import MOST_FACTORS, factorised_score, factorised_step, first_latents
from operators.logistic import INTERCEPT, WEIGHTS, raw_score, sgd_step
from operators.losses import LOSSES
from operators.optimisers import OPTIMISERS, Step, step_of
from operators.sketch import Sketch

LINEAR_BYTES = 4 * WEIGHTS
"""The weights of the linear part come first in the bytes of every learner."""

_OPTIMISERS = tuple(OPTIMISERS)
_LOSSES = tuple(LOSSES)


class UnreadableWeights(ValueError):  # noqa: N818
    """Stored weights of another layout than this release's."""


class Learner:
    """An optimiser, a loss, and linear (0 factors) or factorised. Raises `ValueError` for a choice that is none.

    >>> learner = Learner("adagrad", "hinge", 0)
    >>> cells = learner.unpack(b"")
    >>> learner.step(cells, ((0, 1.0),), 1, 1.0, 0.5, 0.1, 0.0)
    >>> stored = learner.pack(cells)
    >>> len(stored), learner.unpack(stored)[0]
    (277, 0.5)
    """

    def __init__(self, optimiser: str = "sgd", loss: str = "log", factors: int = 0) -> None:
        for what, value, known in (("optimiser", optimiser, _OPTIMISERS), ("loss", loss, _LOSSES)):
            if value not in known:
                raise ValueError(f"{what} is {value!r}; known: {', '.join(known)}")
        if not 0 <= factors <= MOST_FACTORS:
            raise ValueError(f"factors is {factors}; it must be from 0 (linear) to {MOST_FACTORS}")
        if factors and (optimiser != "sgd" or loss == "squared"):
            raise ValueError(
                f"factors is {factors} with optimiser {optimiser!r} and loss {loss!r}; factors learn by 'sgd'"
                " and a loss whose gradient is bounded, 'log' or 'hinge'"
            )
        self.optimiser, self.loss, self.factors = optimiser, loss, factors
        self.code = _OPTIMISERS.index(optimiser) | _LOSSES.index(loss) << 2 | factors << 4
        gradient = LOSSES[loss]
        self.step: Step
        if factors:
            self._rest = first_latents(factors)
            self.step = factorised_step(gradient, factors)
        else:
            self._rest = [0.0] * OPTIMISERS[optimiser].cells
            self.step = step_of(OPTIMISERS[optimiser].move, gradient) if self.code else sgd_step
        self._form = Struct(f"<{WEIGHTS}fB{len(self._rest)}f" if self.code else f"<{WEIGHTS}f")

    @property
    def size(self) -> int:
        """Bytes of a user's stored weights.

        >>> [Learner(optimiser).size for optimiser in OPTIMISERS], Learner(factors=2).size
        ([140, 277, 417], 413)
        """
        return self._form.size

    def classes(self) -> list[str]:
        """The river classes whose arithmetic this is, without their settings.

        >>> Learner().classes()
        ['river.linear_model.LogisticRegression', 'river.optim.SGD']
        """
        optimiser = f"river.optim.{OPTIMISERS[self.optimiser].river}"
        if self.factors:
            kind = "facto.FMClassifier"
        else:
            kind = f"linear_model.{'LinearRegression' if self.loss == 'squared' else 'LogisticRegression'}"
        loss = [] if self.loss == "log" else [f"river.optim.losses.{self.loss.capitalize()}"]
        return [f"river.{kind}", optimiser, *loss]

    def raw(self, cells: list[float], example: Sketch) -> float:
        """The raw score of an example: with the log loss, its log odds."""
        if self.factors:
            return factorised_score(cells, example, self.factors)
        return raw_score(cells, example)

    def unpack(self, stored: bytes) -> list[float]:
        """The cells of stored weights; new ones where there are none.

        Of another learner with the same loss the weights are kept, and what it remembered beside them begins
        anew; weights of another loss mean something else and begin anew altogether.
        Raises `UnreadableWeights` for bytes that are of no learner.
        """
        if not stored:
            return [0.0] * WEIGHTS + self._rest
        code = stored[LINEAR_BYTES] if len(stored) > LINEAR_BYTES else 0
        if code == self.code and len(stored) == self._form.size:
            cells = list(self._form.unpack(stored))
            if code:
                del cells[WEIGHTS]
            return cells
        of = learner_of(code, len(stored))
        if of.loss != self.loss:
            return [0.0] * WEIGHTS + self._rest
        return of.unpack(stored)[:WEIGHTS] + self._rest

    def pack(self, cells: list[float]) -> bytes:
        """The bytes of cells."""
        if not self.code:
            return self._form.pack(*cells)
        return self._form.pack(*cells[:WEIGHTS], self.code, *cells[WEIGHTS:])

    def table(self, stored: Sequence[bytes]) -> NDArray[np.float32]:
        """What scores depend on, of m users: float32[m, `WEIGHTS` and the latent factors], place after place.

        A row is what `unpack` gives, less what an optimiser remembers; zeros where nothing is stored.

        >>> learner = Learner("adagrad")
        >>> learner.table([b"", learner.pack(learner.unpack(b""))]).shape, Learner(factors=2).table([b""]).shape
        ((2, 35), (1, 103))
        """
        rows = b"".join([self._scoring(each) for each in stored])
        return np.frombuffer(rows, "<f4").reshape(len(stored), WEIGHTS + INTERCEPT * self.factors)

    def _scoring(self, stored: bytes) -> bytes:
        latents = 4 * INTERCEPT * self.factors
        if not stored:
            return bytes(LINEAR_BYTES + latents)
        if len(stored) == self._form.size and (not self.code or stored[LINEAR_BYTES] == self.code):
            return stored[:LINEAR_BYTES] + stored[LINEAR_BYTES + 1 : LINEAR_BYTES + 1 + latents]
        cells = self.unpack(stored)
        return np.array(cells[: WEIGHTS + INTERCEPT * self.factors], "<f4").tobytes()

    def discounted(self, cells: list[float], factor: float) -> list[float]:
        """Cells of which the weights count `factor` times as much; optimiser and latents begin anew.

        What an optimiser remembers of the past slows it down, and now the past no longer holds.
        """
        return [factor * weight for weight in cells[:WEIGHTS]] + self._rest


def learner_of(code: int, size: int) -> Learner:
    """The learner of a code in stored weights of so many bytes.

    >>> learner_of(5, 277).optimiser, learner_of(5, 277).loss
    ('adagrad', 'hinge')

    Raises `UnreadableWeights` where no learner has that code or stores that many bytes.
    """
    try:
        learner = Learner(_OPTIMISERS[code & 3], _LOSSES[code >> 2 & 3], code >> 4)
    except (IndexError, ValueError):
        learner = None
    if learner is None or learner.size != size:
        raise UnreadableWeights(
            f"a user's stored affinity weights have {size} bytes, not {learner.size if learner else LINEAR_BYTES}"
            f" as those of learner {code}: a migration is missing in schemas/state.py"
        )
    return learner


def linear_bytes(stored: bytes) -> bytes:
    """The weights of the linear part, float32, zeros where nothing is stored.

    >>> len(linear_bytes(b"")), len(linear_bytes(bytes(277)))
    (140, 140)
    """
    return stored[:LINEAR_BYTES] or bytes(LINEAR_BYTES)
