"""Rankers of the extra `deep`: how a deep-and-cross network and one with two tasks are fitted and exported."""

from __future__ import annotations

import importlib
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from jobs.cross_onnx import export_cross
from jobs.cross_settings import CrossSettings
from jobs.ranking_set import RankingSet
from jobs.recipe import Fitted, Recipe

DEEP = ("cross", "two-task")
"""Rankers that are trained with torch. cross: a deep-and-cross network; two-task: the same, which learns what comes and
what is bought, each as a task of its own."""

LEAST_BOUGHT = 30
"""Lists whose item was bought, and lists whose item was not, that two tasks need on each side of a cut in time."""

_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Weights of what is bought that are tried."""


def deep_recipes(
    asked: Collection[str], settings: CrossSettings, seed: int, early: RankingSet, late: RankingSet
) -> list[Recipe]:
    """Those of `DEEP` that are asked for; `early` and `late` lists say how many passes, and what weight."""
    made: list[Recipe] = []
    if not early.lists or not late.lists:
        return made
    if "cross" in asked:
        made.append(_recipe(_stopped(settings, seed, early, late), seed))
    if "two-task" in asked and not left_out(asked, early, late):
        made.append(_recipe(_stopped(settings.of_two_tasks(), seed, early, late), seed))
    return made


def left_out(asked: Collection[str], *parts: RankingSet) -> str:
    """Why two tasks cannot be learned from lists, of which there are `parts` in time; empty where they can or were
    not asked for."""
    if "two-task" not in asked:
        return ""
    for lists in parts:
        bought = int(lists.bought().sum())
        if min(bought, lists.lists - bought) < LEAST_BOUGHT:
            return (
                f"two-task was left out: of {lists.lists} lists, the item of {bought} was put in the cart or bought;"
                f" {LEAST_BOUGHT} are needed, and as many that were not"
            )
    return ""


def _stopped(settings: CrossSettings, seed: int, early: RankingSet, late: RankingSet) -> CrossSettings:
    """The settings with as many passes as order `late` lists best, and the weight that does."""
    network = _torch()
    fitted = network.fit_cross(early, settings, seed, late)
    weight = network.with_weight(fitted, late, _WEIGHTS) if settings.tasks > 1 else 0.0
    return replace(settings, epochs=fitted.best_epoch, bought_weight=weight)


def _recipe(settings: CrossSettings, seed: int) -> Recipe:
    def fit(lists: RankingSet) -> Fitted:
        fitted = _torch().fit_cross(lists, settings, seed)
        return export_cross(fitted.arrays, settings), fitted.score

    return Recipe("network", settings.label, fit)


def _torch() -> Any:
    """What takes torch, imported where it is wanted."""
    return importlib.import_module("jobs.cross_network")
