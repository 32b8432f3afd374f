"""What to try next, by what was tried: optuna's tree-structured Parzen estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jobs.tune_space import Dial, Values

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

KEPT = 0.7
"""Every other proposal keeps each of the best values with this probability, and so changes a few of them."""


class Proposals:
    """Values for some dials, better ones as objectives are told. Begins at `start`; deterministic by `seed`.

    Bergstra, Bardenet, Bengio and Kégl, "Algorithms for Hyper-Parameter Optimization" (NIPS 2011). Half of what is
    proposed are small changes of the best so far: of a dozen settings drawn anew most make lists worse.

    >>> proposals = Proposals([Dial("statistics.reverse", 0.1, 1.0)], {"statistics.reverse": 0.5}, seed=1)
    >>> [0.1 <= values["statistics.reverse"] <= 1.0 for values in proposals.ask(2)]
    [True, True]
    """

    def __init__(self, dials: Sequence[Dial], start: Values, seed: int) -> None:
        # Half a second of imports, for this command alone.
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._dials = dials
        self._random = np.random.default_rng(seed)
        self._study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True)
        )
        self._among = {dial.name: _distribution(dial) for dial in dials}
        self._best = {dial.name: dial.rounded(start[dial.name]) for dial in dials}
        self._best_objective = 1.0
        self._asked: list[Trial] = []
        self._study.add_trial(
            optuna.trial.create_trial(params=dict(self._best), distributions=self._among, value=1.0)
        )

    def ask(self, count: int) -> list[dict[str, float | int]]:
        """So many proposals; `tell` what became of them before asking again."""
        self._asked = []
        for number in range(count):
            if number % 2:
                kept = self._random.random(len(self._dials)) < KEPT
                self._study.enqueue_trial(
                    {d.name: self._best[d.name] for d, keep in zip(self._dials, kept, strict=True) if keep}
                )
            self._asked.append(self._study.ask(self._among))
        return [self._values(trial) for trial in self._asked]

    def tell(self, objectives: Sequence[float]) -> None:
        """The objectives of what was asked last, in that order."""
        for trial, objective in zip(self._asked, objectives, strict=True):
            self._study.tell(trial, objective)
            if objective > self._best_objective:
                self._best, self._best_objective = self._values(trial), objective

    def _values(self, trial: Trial) -> dict[str, float | int]:
        return {dial.name: dial.rounded(trial.params[dial.name]) for dial in self._dials}


def _distribution(dial: Dial) -> BaseDistribution:
    from optuna.distributions import FloatDistribution, IntDistribution

    if dial.whole:
        return IntDistribution(int(dial.low), int(dial.high), log=dial.ratio)
    return FloatDistribution(dial.low, dial.high, log=dial.ratio)
