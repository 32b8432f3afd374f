"""Ways to cluster projected vectors, each made into centroids, and how good the clusters are that it would serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, silhouette_score
from sklearn.neighbors import NearestNeighbors

from operators.persona_arithmetic import Floats, Metric

ALGORITHMS = ("kmeans", "agglomerative", "dbscan", "hdbscan")
NOISE = -1

Labels = npt.NDArray[np.int64]
Fit = Callable[[Floats], Labels]
"""From points [n, p] to the number of each point's cluster, `NOISE` for a point in none."""


@dataclass(frozen=True)
class ClusterSettings:
    """What is tried, and what may be chosen. Shares are of all users.

    k-means and agglomerative clustering are tried with `fewest` to `most` clusters. A clustering may be chosen where
    each cluster holds `least_share` to `most_share` of the users, at most `most_noise` were in no cluster, and
    clusterings of halves of the users agree on all of them with an adjusted Rand index of at least `least_stability`.
    Figures are measured on at most `sample` users; agglomerative clustering, whose cost grows with their square, is
    fitted on that many.
    """

    algorithms: tuple[str, ...] = ALGORITHMS
    fewest: int = 3
    most: int = 10
    least_share: float = 0.02
    most_share: float = 0.6
    most_noise: float = 0.3
    least_stability: float = 0.5
    halvings: int = 3
    sample: int = 3_000
    seed: int = 7

    def __post_init__(self) -> None:
        if not 2 <= self.fewest <= self.most <= 64:
            raise ValueError(f"{self.fewest} to {self.most} clusters; from 2 to 64 can be tried")
        unknown = [name for name in self.algorithms if name not in ALGORITHMS]
        if unknown or not self.algorithms:
            raise ValueError(f"algorithms {', '.join(unknown) or 'are none'}; known: {', '.join(ALGORITHMS)}")


@dataclass(frozen=True)
class Way:
    """One algorithm with its setting."""

    algorithm: str
    setting: str
    metric: Metric
    fit: Fit


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters as they would be served: every point belongs to its nearest of `centroids` [c, p].

    `silhouette` (greater is better) and `davies_bouldin` (less is better) are measured on these assignments in the
    space of all points, whatever the metric, so that they compare. `kept` is the share of the clustered points that
    are nearest to their own cluster's centroid, `noise` of the points that were in no cluster. `refused` says why it
    may not be chosen, "" where it may.
    """

    way: Way
    centroids: Floats
    labels: Labels
    silhouette: float
    davies_bouldin: float
    stability: float
    kept: float
    noise: float
    refused: str

    @property
    def shares(self) -> Floats:
        """The share of the points in each cluster."""
        counts: Floats = np.bincount(self.labels, minlength=len(self.centroids)) / len(self.labels)
        return counts


def ways(points: Floats, settings: ClusterSettings) -> Iterator[Way]:
    """All that is tried on `points` [n, p]."""
    seed = settings.seed
    for k in range(settings.fewest, settings.most + 1):
        if "kmeans" in settings.algorithms:
            yield Way("kmeans", f"{k} clusters", "euclidean", _kmeans(k, seed))
        if "agglomerative" in settings.algorithms:
            yield Way("agglomerative", f"{k} clusters", "cosine", _agglomerative(k, settings.sample, seed))
    if "dbscan" in settings.algorithms:
        for neighbours in (10, 25):
            for quantile in (0.5, 0.7, 0.9):
                setting = f"{neighbours} neighbours, {quantile:.0%} are core"
                yield Way("dbscan", setting, "euclidean", _dbscan(neighbours, quantile))
    if "hdbscan" in settings.algorithms:
        for share in (0.01, 0.02, 0.04):
            yield Way("hdbscan", f"at least {share:.0%} each", "euclidean", _hdbscan(share))


def judged(points: Floats, way: Way, settings: ClusterSettings) -> Clustering | None:
    """The clustering of `points` [n, p] in a way, judged; None where it finds fewer than two clusters."""
    found = way.fit(points)
    centroids = centroids_of(points, found, way.metric)
    if len(centroids) < 2:
        return None
    labels = nearest(points, centroids, way.metric)
    held = np.bincount(labels, minlength=len(centroids))
    if (held == 0).any():
        centroids = centroids[held > 0]
        labels = nearest(points, centroids, way.metric)
    if len(centroids) < 2:
        return None
    clustered = found != NOISE
    sample = _sample(len(points), settings.sample, settings.seed)
    several = len(np.unique(labels[sample])) > 1
    clustering = Clustering(
        way=way,
        centroids=centroids,
        labels=labels,
        silhouette=float(silhouette_score(points[sample], labels[sample])) if several else -1.0,
        davies_bouldin=float(davies_bouldin_score(points, labels)),
        stability=_stability(points, way, settings),
        kept=_kept(found[clustered], labels[clustered]),
        noise=float(1.0 - clustered.mean()),
        refused="",
    )
    return Clustering(**{**vars(clustering), "refused": _refusal(clustering, settings)})


def choose(clusterings: list[Clustering]) -> Clustering | None:
    """Of those that may be chosen, the one whose places by silhouette and by Davies-Bouldin add up to least.

    Equal sums go by silhouette. None where none may.
    """
    allowed = [clustering for clustering in clusterings if not clustering.refused]
    if not allowed:
        return None
    by_silhouette = sorted(allowed, key=lambda c: -c.silhouette)
    by_davies_bouldin = sorted(allowed, key=lambda c: c.davies_bouldin)
    return min(by_silhouette, key=lambda c: by_silhouette.index(c) + by_davies_bouldin.index(c))


def centroids_of(points: Floats, labels: Labels, metric: Metric) -> Floats:
    """The mean of each cluster's points, of length 1 and of points of length 1 under `cosine`."""
    if metric == "cosine":
        points = _unit(points)
    means = [points[labels == label].mean(axis=0) for label in np.unique(labels[labels != NOISE])]
    centroids = np.array(means, np.float64).reshape(len(means), points.shape[1])
    return _unit(centroids) if metric == "cosine" else centroids


def nearest(points: Floats, centroids: Floats, metric: Metric) -> Labels:
    """The number of the centroid nearest to each point."""
    score = points @ centroids.T
    if metric == "euclidean":
        score = 2.0 * score - (centroids**2).sum(axis=1)
    labels: Labels = score.argmax(axis=1)
    return labels


def _unit(points: Floats) -> Floats:
    scaled: Floats = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return scaled


def _kmeans(k: int, seed: int) -> Fit:
    def fit(points: Floats) -> Labels:
        labels: Labels = KMeans(k, n_init=5, random_state=seed).fit_predict(points).astype(np.int64)
        return labels

    return fit


def _agglomerative(k: int, most: int, seed: int) -> Fit:
    def fit(points: Floats) -> Labels:
        sample = _sample(len(points), most, seed)
        model = AgglomerativeClustering(k, metric="cosine", linkage="average")
        # A point at the origin has no direction.
        directed = sample[np.linalg.norm(points[sample], axis=1) > 0]
        labels = np.full(len(points), NOISE, np.int64)
        labels[directed] = model.fit_predict(points[directed])
        rest = np.setdiff1d(np.arange(len(points)), sample)
        labels[rest] = nearest(points[rest], centroids_of(points, labels, "cosine"), "cosine")
        return labels

    return fit


def _dbscan(neighbours: int, quantile: float) -> Fit:
    def fit(points: Floats) -> Labels:
        distances, _ = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors(points)
        radius = max(float(np.quantile(distances[:, -1], quantile)), 1e-9)
        labels: Labels = DBSCAN(eps=radius, min_samples=neighbours).fit_predict(points).astype(np.int64)
        return labels

    return fit


def _hdbscan(share: float) -> Fit:
    def fit(points: Floats) -> Labels:
        size = max(5, int(share * len(points)))
        model = HDBSCAN(min_cluster_size=size, min_samples=5, copy=True)
        labels: Labels = model.fit_predict(points).astype(np.int64)
        return np.maximum(labels, NOISE)

    return fit


def _stability(points: Floats, way: Way, settings: ClusterSettings) -> float:
    """How far clusterings of two halves agree on all points: the mean adjusted Rand index over several halvings."""
    drawn = np.random.default_rng(settings.seed)
    agreements = []
    for _ in range(settings.halvings):
        order = drawn.permutation(len(points))
        sides = []
        for half in np.array_split(order, 2):
            centroids = centroids_of(points[half], way.fit(points[half]), way.metric)
            if len(centroids) < 2:
                return 0.0
            sides.append(nearest(points, centroids, way.metric))
        agreements.append(adjusted_rand_score(*sides))
    return float(np.mean(agreements))


def _kept(found: Labels, labels: Labels) -> float:
    """The share of points that stay with the largest part of their own cluster."""
    if len(found) == 0:
        return 0.0
    return sum(int(np.bincount(labels[found == own]).max()) for own in np.unique(found)) / len(found)


def _refusal(clustering: Clustering, settings: ClusterSettings) -> str:
    shares = clustering.shares
    if clustering.noise > settings.most_noise:
        return f"{clustering.noise:.0%} in no cluster"
    if shares.min() < settings.least_share:
        return f"a cluster of {shares.min():.1%}"
    if shares.max() > settings.most_share:
        return f"a cluster of {shares.max():.0%}"
    if not settings.fewest <= len(shares) <= settings.most:
        return f"{len(shares)} clusters"
    if clustering.stability < settings.least_stability:
        return "not stable"
    return ""


def _sample(n: int, most: int, seed: int) -> Labels:
    drawn = np.random.default_rng(seed)
    return np.sort(drawn.choice(n, most, replace=False)) if n > most else np.arange(n)
