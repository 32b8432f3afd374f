"""Each ranker that can be tried, by name: how it is fitted to lists and exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from jobs.cross_settings import CrossSettings
from jobs.deep import torch_installed
from jobs.deep_recipes import DEEP, deep_recipes
from jobs.list_losses import Loss, class_weighted_loss, focal_loss, softmax_loss
from jobs.listwise_network import fit_listwise
from jobs.ranker_onnx import export_network, export_trees
from jobs.ranker_sum import sum_graph
from jobs.ranker_trees import TreeSettings, fit_trees, trees_until_no_better
from jobs.ranker_xgboost import export_xgboost, fit_xgboost, installed, xgboost_scores
from jobs.ranking_set import RankingSet
from jobs.recipe import Fitted, Recipe
from schemas.errors import HeadraceError

SINGLE = ("trees", "early", "weighted-trees", "network", "focal", "weighted", "bagged", "xgboost")
"""Rankers by themselves.

trees: lambdarank trees, as many as the settings say; early: until they order later lists no better; weighted-trees:
classes of equal weight. network: a loss over the list; focal: a focal one; weighted: classes of equal weight;
bagged: several networks of other seeds, added up. xgboost: trees by XGBoost."""

COMBINED = ("vote", "stack")
"""Those tried by themselves, added up: each with one vote, or with weights that later lists say."""

DEFAULT = ("trees", "network", "bagged")
_SEED_STEP = 1_000


class UnknownRanker(HeadraceError):  # noqa: N818 (named for what it says)
    """A name of a ranker that there is not, or that cannot be tried here."""


@dataclass(frozen=True)
class NetworkSettings:
    """How a network is trained: the sizes of its layers, passes over the lists, rate and decay of the weights."""

    layers: tuple[int, ...] = (32, 16)
    epochs: int = 20
    rate: float = 3e-3
    decay: float = 1e-4
    gamma: float = 0.0

    @property
    def label(self) -> str:
        """As the table of rankers calls it."""
        return f"network {'-'.join(map(str, self.layers))}"

    @property
    def loss(self) -> Loss:
        """Over the list, focal where `gamma` is above 0."""
        return focal_loss(self.gamma) if self.gamma > 0.0 else softmax_loss


@dataclass(frozen=True)
class RankerSettings:
    """What is tried: the `rankers` by name, trees of each (number of trees, leaves) in `trees`, networks with each
    of the layers in `networks`.

    `negatives` is how many candidates of a list are learned from beside the one that came, `gamma` that of the focal
    loss, `most_trees` where early stopping ends, `bag` how many networks are added up, `cross` the network of
    those that need torch. `kept_share` of the lists, the earlier ones, are what the others are fitted to where
    the later ones say when to stop or how to weigh. `found` are settings from a search, tried beside.
    """

    trees: tuple[tuple[int, int], ...] = ((20, 15), (30, 15))
    networks: tuple[tuple[int, ...], ...] = ((32, 16),)
    learning_rate: float = 0.1
    least_rows_in_leaf: int = 50
    negatives: int = 60
    epochs: int = 20
    seed: int = 7
    rankers: tuple[str, ...] = DEFAULT
    gamma: float = 2.0
    most_trees: int = 100
    bag: int = 3
    kept_share: float = 0.8
    cross: CrossSettings = CrossSettings()
    found: tuple[TreeSettings | NetworkSettings, ...] = field(default=())


def refuse_unknown_rankers(names: Sequence[str]) -> None:
    """Raise `UnknownRanker` for a name that is none, for one whose library is not there, and for sums of nothing.

    >>> refuse_unknown_rankers(["vote"])
    Traceback (most recent call last):
    jobs.ranker_recipes.UnknownRanker: vote and stack add up other rankers; name some beside them
    """
    known = (*SINGLE, *DEEP, *COMBINED)
    if missing := [name for name in names if name not in known]:
        raise UnknownRanker(f"no ranker {missing[0]!r}; known: {', '.join(known)}")
    if "xgboost" in names and not installed():
        raise UnknownRanker("the ranker xgboost needs XGBoost: pip install 'headrace[xgboost]'")
    if (deep := [name for name in names if name in DEEP]) and not torch_installed():
        raise UnknownRanker(f"the ranker {deep[0]} needs torch: pip install 'headrace[deep]'")
    if set(names) & set(COMBINED) and not set(names) & {*SINGLE, *DEEP}:
        raise UnknownRanker("vote and stack add up other rankers; name some beside them")


def recipes(settings: RankerSettings, early: RankingSet, late: RankingSet) -> list[Recipe]:
    """What the settings ask for by name, in the order of `SINGLE` and `DEEP`, then what a search found.

    `early` lists, thinned, and `late` ones of later events say how many trees "early" has, and how many passes those of
    `DEEP` take.
    """
    asked = set(settings.rankers)
    seed = settings.seed
    shapes = [
        TreeSettings(trees, leaves, settings.learning_rate, settings.least_rows_in_leaf)
        for trees, leaves in settings.trees
    ]
    networks = [NetworkSettings(layers, settings.epochs) for layers in settings.networks]
    made: list[Recipe] = []
    if "trees" in asked:
        made += [_trees(shape.label, shape, seed) for shape in shapes]
    if "early" in asked and shapes and early.lists and late.lists:
        most = replace(shapes[0], trees=settings.most_trees)
        stopped = replace(most, trees=trees_until_no_better(early, late, most, seed))
        made.append(_trees(f"{stopped.label} stopped early", stopped, seed))
    if "weighted-trees" in asked:
        binary = [replace(shape, objective="binary") for shape in shapes[:1]]
        made += [_trees(f"{shape.label} class-weighted", shape, seed) for shape in binary]
    if "network" in asked:
        made += [_network(each.label, each, seed) for each in networks]
    if "focal" in asked:
        made += [
            _network(f"{each.label} focal", replace(each, gamma=settings.gamma), seed) for each in networks
        ]
    if "weighted" in asked:
        made += [
            _network(f"{each.label} class-weighted", each, seed, class_weighted_loss) for each in networks
        ]
    if "bagged" in asked:
        made += [_bagged(each, seed, settings.bag) for each in networks[:1]]
    if "xgboost" in asked:
        made += [_xgboost(shape, seed) for shape in shapes[:1]]
    made += deep_recipes(asked, settings.cross, seed, early, late)
    for each in settings.found:
        label = f"{each.label} searched"
        made.append(
            _trees(label, each, seed) if isinstance(each, TreeSettings) else _network(label, each, seed)
        )
    return made


def _trees(label: str, settings: TreeSettings, seed: int) -> Recipe:
    def fit(lists: RankingSet) -> Fitted:
        booster = fit_trees(lists, settings, seed)
        graph = export_trees(booster, lists.rows.shape[1])
        return graph, lambda rows: np.asarray(booster.predict(rows, raw_score=True))

    return Recipe("trees", label, fit)


def _network(label: str, settings: NetworkSettings, seed: int, loss: Loss | None = None) -> Recipe:
    def fit(lists: RankingSet) -> Fitted:
        network = fit_listwise(
            lists,
            settings.layers,
            settings.epochs,
            seed,
            settings.rate,
            settings.decay,
            loss or settings.loss,
        )
        return export_network(network), network.score

    return Recipe("network", label, fit)


def _bagged(settings: NetworkSettings, seed: int, bag: int) -> Recipe:
    """Networks that differ by their seed alone: what they learned of noise cancels out."""
    members = [_network("", settings, seed + _SEED_STEP * k) for k in range(bag)]

    def fit(lists: RankingSet) -> Fitted:
        fitted = [member.fit(lists) for member in members]
        graph = sum_graph([graph for graph, _ in fitted], [1.0 / bag] * bag, lists.rows.shape[1])
        return graph, lambda rows: np.mean([score(rows) for _, score in fitted], axis=0)

    return Recipe("stack", f"{bag} networks {settings.label.removeprefix('network ')}", fit)


def _xgboost(settings: TreeSettings, seed: int) -> Recipe:
    def fit(lists: RankingSet) -> Fitted:
        booster = fit_xgboost(lists, settings, seed)
        graph = export_xgboost(booster, lists.rows.shape[1])
        return graph, lambda rows: np.asarray(xgboost_scores(booster, rows))

    return Recipe("trees", f"xgboost {settings.trees}x{settings.leaves}", fit)
