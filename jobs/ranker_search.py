"""Settings of trees and networks, searched with a budget of time: tried on earlier lists, judged by later ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs import ranker_cost
from jobs.listwise_network import fit_listwise
from jobs.ranker_cost import microseconds_per_user
from jobs.ranker_onnx import export_network, export_trees
from jobs.ranker_recipes import NetworkSettings, RankerSettings
from jobs.ranker_trees import TreeSettings, fit_trees
from jobs.ranking_set import RankingSet, quality
from operators.onnx_scorer import OnnxScorer

Found = TreeSettings | NetworkSettings


@dataclass(frozen=True)
class Searched:
    """The best settings of each kind on the later lists, their MRR@20 there, and how many were tried of each."""

    found: tuple[Found, ...]
    mrr: tuple[float, ...]
    trials: tuple[int, ...]


def search(
    train: RankingSet,
    settings: RankerSettings,
    seconds: float,
    most_trials: int | None = None,
    progress: Callable[[str, int], None] = lambda kind, trials: None,
) -> Searched:
    """Search for `seconds`, half for trees and half for networks, at most `most_trials` of each.

    Only `train` is looked at: models are fitted to its earlier lists and judged by its later ones, so the lists that
    choose a ranker stay unseen. The settings that stand in `settings` are tried first, so what is found is no
    worse there. What costs more than the budget per user is not taken. Where a limit of time ends it, another
    run may try more; without time nothing is searched. Raises `ListsOutOfOrder`.
    """
    if not seconds > 0.0:
        return Searched((), (), ())
    import optuna  # half a second, for those who search

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    earlier, later = train.parted(settings.kept_share)
    if earlier.lists < 2 or later.lists < 2:
        return Searched((), (), ())
    thinned = earlier.thinned(settings.negatives, settings.seed)
    kinds: tuple[tuple[str, Callable[[Any], Found], dict[str, Any]], ...] = (
        ("trees", _trees, _first_trees(settings)),
        ("network", _network, _first_network(settings)),
    )
    found: list[tuple[Found, float, int]] = []
    end = time.monotonic() + seconds
    for place, (kind, drawn, first) in enumerate(kinds):
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=settings.seed)
        )
        study.enqueue_trial(first)
        tried: dict[int, Found] = {}

        def judged(
            trial: Any,
            kind: str = kind,
            drawn: Callable[[Any], Found] = drawn,
            tried: dict[int, Found] = tried,
        ) -> float:
            asked = tried[trial.number] = drawn(trial)
            mrr, cost = _judged(asked, thinned, later, settings.seed)
            progress(kind, trial.number + 1)
            if cost > ranker_cost.MOST_MICROSECONDS:
                raise optuna.TrialPruned
            return mrr

        left = (end - time.monotonic()) / (len(kinds) - place)
        study.optimize(judged, n_trials=most_trials, timeout=max(left, 0.0))
        done = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
        if done:
            found.append((tried[study.best_trial.number], study.best_value, len(study.trials)))
    return Searched(
        tuple(each for each, _, _ in found), tuple(mrr for _, mrr, _ in found), tuple(n for _, _, n in found)
    )


def _judged(asked: Found, earlier: RankingSet, later: RankingSet, seed: int) -> tuple[float, float]:
    width = later.rows.shape[1]
    if isinstance(asked, TreeSettings):
        graph = export_trees(fit_trees(earlier, asked, seed), width)
    else:
        graph = export_network(
            fit_listwise(earlier, asked.layers, asked.epochs, seed, asked.rate, asked.decay, asked.loss)
        )
    scorer = OnnxScorer(graph, width)
    return quality(later, scorer.score(later.rows)).mrr, microseconds_per_user(scorer, later)


def _trees(trial: Any) -> TreeSettings:
    return TreeSettings(
        trees=trial.suggest_int("trees", 5, 60),
        leaves=trial.suggest_int("leaves", 4, 31, log=True),
        learning_rate=trial.suggest_float("learning_rate", 0.03, 0.5, log=True),
        least_rows_in_leaf=trial.suggest_int("least_rows_in_leaf", 5, 400, log=True),
        truncation=trial.suggest_int("truncation", 5, 60, log=True),
        columns=trial.suggest_float("columns", 0.4, 1.0),
    )


def _network(trial: Any) -> NetworkSettings:
    first = trial.suggest_int("first", 4, 64, log=True)
    second = trial.suggest_categorical("second", [0, 8, 16, 32])
    return NetworkSettings(
        layers=(first, second) if second else (first,),
        epochs=trial.suggest_int("epochs", 3, 40, log=True),
        rate=trial.suggest_float("rate", 5e-4, 2e-2, log=True),
        decay=trial.suggest_float("decay", 1e-6, 1e-1, log=True),
        gamma=trial.suggest_categorical("gamma", [0.0, 0.5, 1.0, 2.0]),
    )


def _first_trees(settings: RankerSettings) -> dict[str, Any]:
    trees, leaves = settings.trees[0] if settings.trees else (20, 15)
    return {
        "trees": trees, "leaves": leaves, "learning_rate": settings.learning_rate,
        "least_rows_in_leaf": settings.least_rows_in_leaf, "truncation": 30, "columns": 1.0,
    }  # fmt: skip


def _first_network(settings: RankerSettings) -> dict[str, Any]:
    first, *rest = settings.networks[0] if settings.networks else (32, 16)
    second = rest[0] if rest and rest[0] in (8, 16, 32) else 0
    return {
        "first": first, "second": second, "epochs": settings.epochs, "rate": 3e-3, "decay": 1e-4,
        "gamma": 0.0,
    }  # fmt: skip
