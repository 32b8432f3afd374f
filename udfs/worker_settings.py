"""What a rank worker is told when the job starts."""

from __future__ import annotations

from dataclasses import dataclass

from operators.affinity import AffinitySettings
from operators.drift import DriftSettings
from operators.ranker import RankSettings
from operators.shelf import ShelfBounds


@dataclass(frozen=True)
class PublishSettings:
    """Where and how lists are published. Times are in seconds.

    `render_every` is the least time between two renderings of the public item lists, `shown` their length;
    a round renders at most `most_rendered` lists of a kind, and leaves the others to later ones.
    `most_neighbours` bounds the internal sorted sets: above 128 Redis leaves its compact encoding.
    `most_changes` and `most_session_batches` bound the streams that shelves follow.
    """

    user_ttl: int = 7 * 86_400
    item_ttl: int = 90 * 86_400
    render_every: float = 1.0
    shown: int = 20
    most_rendered: int = 500
    most_neighbours: int = 128
    most_changes: int = 2_000
    most_session_batches: int = 4_000


@dataclass(frozen=True)
class WorkerSettings:
    """Everything a rank worker needs; it travels in the job graph."""

    redis_url: str
    prefix: str = "hr"
    bundle: str | None = None
    rank: RankSettings = RankSettings()
    bounds: ShelfBounds = ShelfBounds()
    publish: PublishSettings = PublishSettings()
    affinity: AffinitySettings = AffinitySettings()
    drift: DriftSettings = DriftSettings()
