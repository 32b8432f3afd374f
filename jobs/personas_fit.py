"""Standardising and projecting the vectors of training, and the arithmetic that a clustering of them makes."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from jobs.personas_clusters import Clustering
from operators.persona_arithmetic import Floats, PersonaArithmetic
from operators.persona_vector import DIMENSIONS

LIMIT = 3.0
"""Standard deviations at which a value counts as simply far off, so that no outlier is a persona."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Vectors standardised and projected: `points` [n, p], and `explained` [p], each component's share of variance."""

    frame: PersonaArithmetic
    points: Floats
    explained: Floats

    def arithmetic(self, clustering: Clustering) -> PersonaArithmetic:
        """What the personas of a clustering of `points` are computed with."""
        held = {**vars(self.frame), "centroids": clustering.centroids, "metric": clustering.way.metric}
        return PersonaArithmetic(**held)


def project(vectors: Floats, variance: float) -> Projection:
    """Fit scaler and PCA to `vectors` [n, d], NaN for an unknown, keeping a share `variance` of the variance.

    Themes weigh alike, however many dimensions they have. A dimension that is the same for all, or unknown of all,
    gets scale 1: it tells nobody from anybody.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a dimension that nobody shows
        mean = np.nan_to_num(np.nanmean(vectors, axis=0))
        scale = np.nan_to_num(np.nanstd(vectors, axis=0))
    scale[scale < 1e-9] = 1.0
    frame = _frame(mean, scale, np.zeros_like(mean), np.eye(len(mean)))
    weights = theme_weights()
    pca = PCA(svd_solver="full").fit(frame.standardised(vectors) * weights)
    explained = pca.explained_variance_ratio_
    kept = int(np.searchsorted(np.cumsum(explained), min(variance, 1.0 - 1e-9))) + 1
    kept = min(max(kept, 2), len(explained))
    frame = _frame(mean, scale, pca.mean_ / weights, weights[:, None] * pca.components_[:kept].T)
    return Projection(frame, frame.projected(vectors), explained[:kept])


def theme_weights() -> Floats:
    """What each dimension is multiplied by, so that those of one theme have the variance of one together."""
    themes = Counter(dimension.theme for dimension in DIMENSIONS)
    return np.array([themes[dimension.theme] ** -0.5 for dimension in DIMENSIONS])


def _frame(mean: Floats, scale: Floats, centre: Floats, components: Floats) -> PersonaArithmetic:
    none = np.zeros((1, components.shape[1]))
    return PersonaArithmetic(mean, scale, LIMIT, centre, components, none, "euclidean")
