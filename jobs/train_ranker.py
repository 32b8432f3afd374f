"""Rankers tried on the same lists: quality against cost, and one is chosen by a stated rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jobs import ranker_cost
from jobs.ranker_cost import microseconds_per_user
from jobs.ranker_onnx import check_parity
from jobs.ranker_recipes import COMBINED, RankerSettings, recipes, refuse_unknown_rankers
from jobs.ranker_sum import equal_votes, stacked_votes, sum_graph
from jobs.ranking_set import Quality, RankingSet, Scores, beats, quality, reciprocal_ranks
from jobs.recipe import Fitted, Recipe
from operators.bundle_manifest import RankerKind
from operators.onnx_scorer import OnnxScorer

__all__ = ["RankerSettings", "TriedRanker", "choose", "try_rankers"]

_NOT_KNOWN: npt.NDArray[np.float64] = np.zeros(0)
_PARITY_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class TriedRanker:
    """A ranker, trained, exported and measured on the validation lists; the blend has no `graph`.

    `ranks` float64[lists] are the reciprocal ranks of what came, empty where they are not known.
    """

    kind: RankerKind
    label: str
    graph: bytes | None
    quality: Quality
    microseconds: float
    beats_blend: bool
    seconds: float
    ranks: npt.NDArray[np.float64] = field(default_factory=_NOT_KNOWN.copy)


def try_rankers(
    train: RankingSet,
    validation: RankingSet,
    settings: RankerSettings,
    progress: Callable[[str], None] = lambda label: None,
) -> list[TriedRanker]:
    """The blend and every ranker of `settings`, in that order. `progress` hears of each before it starts.

    All are fitted to `train`. When to stop and how to weigh is said by its later lists, from models fitted to
    its earlier ones; `validation` measures and chooses. Raises `UnknownRanker`.
    """
    refuse_unknown_rankers(settings.rankers)
    tried = [TriedRanker("blend", "blend", None, quality(validation, validation.blend), 0.0, False, 0.0)]
    if train.lists < 2 or validation.lists == 0:
        return tried
    earlier, later = train.parted(settings.kept_share)
    earlier = earlier.thinned(settings.negatives, settings.seed)
    thinned = train.thinned(settings.negatives, settings.seed)
    members: list[tuple[Recipe, Fitted]] = []
    for recipe in recipes(settings, earlier, later):
        progress(recipe.label)
        start = time.perf_counter()
        fitted = recipe.fit(thinned)
        members.append((recipe, fitted))
        tried.append(_measured(recipe.kind, recipe.label, fitted, validation, time.perf_counter() - start))
    if any(name in COMBINED for name in settings.rankers) and earlier.lists and later.lists:
        tried += _combined(settings, members, [each.microseconds for each in tried[1:]], earlier, later,
                           validation, progress)  # fmt: skip
    return tried


def choose(tried: Sequence[TriedRanker]) -> TriedRanker:
    """Of those within the budget that beat the blend by more than noise, the cheapest that is as good as the best.

    As good is a validation MRR that is lower by at most one standard error of the paired difference. Where none
    beats the blend, the blend.
    """
    fit = [r for r in tried if r.beats_blend and r.microseconds <= ranker_cost.MOST_MICROSECONDS]
    best = max(fit, key=lambda r: r.quality.mrr, default=tried[0])
    return min((r for r in fit if _as_good(r, best)), key=lambda r: r.microseconds, default=best)


def _as_good(ranker: TriedRanker, best: TriedRanker) -> bool:
    if ranker is best or not 1 < len(ranker.ranks) == len(best.ranks):
        return ranker is best
    lost = best.ranks - ranker.ranks
    return bool(lost.mean() <= lost.std(ddof=1) / np.sqrt(len(lost)))


def _measured(
    kind: RankerKind, label: str, fitted: Fitted, validation: RankingSet, seconds: float
) -> TriedRanker:
    graph, source = fitted
    scorer = OnnxScorer(graph, validation.rows.shape[1])
    scores = scorer.score(validation.rows)
    check_parity(scores[:_PARITY_ROWS], source(validation.rows[:_PARITY_ROWS]))
    return TriedRanker(
        kind,
        label,
        graph,
        quality(validation, scores),
        microseconds_per_user(scorer, validation),
        beats(validation, scores, validation.blend),
        seconds,
        reciprocal_ranks(validation, scores),
    )


def _combined(
    settings: RankerSettings,
    members: Sequence[tuple[Recipe, Fitted]],
    costs: Sequence[float],
    earlier: RankingSet,
    later: RankingSet,
    validation: RankingSet,
    progress: Callable[[str], None],
) -> list[TriedRanker]:
    """Sums of the members, the best on the later lists first, as long as they cost no more than the budget."""
    start = time.perf_counter()
    progress("vote and stack")
    scores = [recipe.fit(earlier)[1](later.rows) for recipe, _ in members]
    order = sorted(range(len(members)), key=lambda k: -quality(later, scores[k]).mrr)
    chosen: list[int] = []
    for k in order:
        if sum(costs[j] for j in (*chosen, k)) <= 0.95 * ranker_cost.MOST_MICROSECONDS:
            chosen.append(k)
    if len(chosen) < 2:
        return []
    seconds = time.perf_counter() - start
    made = []
    said = [scores[k] for k in chosen]
    for name in COMBINED:
        if name not in settings.rankers:
            continue
        weights = equal_votes(said) if name == "vote" else stacked_votes(later, said)
        parts = [(members[k], weight) for k, weight in zip(chosen, weights, strict=True) if weight > 0.0]
        graph = sum_graph(
            [graph for (_, (graph, _)), _ in parts], [w for _, w in parts], validation.rows.shape[1]
        )
        label = f"{name}: " + " + ".join(recipe.label for (recipe, _), _ in parts)
        made.append(_measured("stack", label, (graph, _summed(parts)), validation, seconds))
    return made


def _summed(
    parts: Sequence[tuple[tuple[Recipe, Fitted], float]],
) -> Callable[[npt.NDArray[np.float32]], Scores]:
    def score(rows: npt.NDArray[np.float32]) -> Scores:
        votes = [weight * np.asarray(source(rows), np.float64) for (_, (_, source)), weight in parts]
        summed: Scores = np.sum(votes, axis=0)
        return summed

    return score
