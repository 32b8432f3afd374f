"""What personas are computed with: scaler, principal components and centroids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Metric = Literal["euclidean", "cosine"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PersonaArithmetic:
    """What a persona is computed with, for d dimensions, p principal components and c clusters.

    A vector is standardised by `mean` and `scale`, both [d], with an unknown (NaN) at the mean, limited to
    ±`limit` standard deviations, centred by `centre` [d], projected by `components` [d, p] and compared with
    `centroids` [c, p]. Under the metric `cosine` centroids have length 1.
    """

    mean: Floats
    scale: Floats
    limit: float
    centre: Floats
    components: Floats
    centroids: Floats
    metric: Metric

    def standardised(self, vectors: Floats) -> Floats:
        """[n, d] vectors in standard deviations from the mean, limited, unknowns at 0."""
        scaled: Floats = np.where(np.isnan(vectors), 0.0, (vectors - self.mean) / self.scale)
        return np.clip(scaled, -self.limit, self.limit)

    def projected(self, vectors: Floats) -> Floats:
        """[n, p] principal components of [n, d] vectors."""
        projected: Floats = (self.standardised(vectors) - self.centre) @ self.components
        return projected

    def distances(self, vectors: Floats) -> Floats:
        """[n, c] distances of [n, d] vectors to the centroids: Euclidean, or 1 - cosine."""
        points = self.projected(vectors)
        if self.metric == "euclidean":
            distances: Floats = np.linalg.norm(points[:, None] - self.centroids, axis=2)
            return distances
        lengths = np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
        cosines: Floats = points / lengths @ self.centroids.T
        return 1.0 - cosines

    def folded(self) -> tuple[Floats, Floats]:
        """`weights` [c, d] and `offsets` [c]: the nearest centroid is the greatest of weights · standardised + offsets.

        Of the squared distance |z - k|², |z|² is the same for all centroids k; of the cosine, so is 1 / |z|.
        """
        factor = 2.0 if self.metric == "euclidean" else 1.0
        weights = factor * self.centroids @ self.components.T
        offsets = -weights @ self.centre
        if self.metric == "euclidean":
            offsets = offsets - (self.centroids**2).sum(axis=1)
        return weights, offsets

    def between(self) -> Floats:
        """[c, c] by how much a score (see `folded`) leads at one centroid over that of another.

        The lead is this much at the one, 0 on the border, and minus this much at the other; under `cosine` for a
        vector whose projection has length 1.
        """
        if self.metric == "cosine":
            apart: Floats = 1.0 - self.centroids @ self.centroids.T
            return apart
        differences = self.centroids[:, None] - self.centroids
        squared: Floats = (differences**2).sum(axis=2)
        return squared
