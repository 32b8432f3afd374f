"""What a rank worker is told when the job starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from operators.context_rule import ContextRule
from operators.experiment import Experiment
from operators.rank_settings import RankSettings
from operators.shelf import ShelfBounds
from operators.slot_settings import SlotSettings
from operators.user_step import StepSettings


@dataclass(frozen=True)
class PublishSettings:
    """Where and how lists are published. Times are in seconds.

    `render_every` is the least time between two renderings of the public item lists, `shown` their length;
    a round renders at most `most_rendered` lists of a kind, and leaves the others to later ones.
    `most_neighbours` bounds the internal sorted sets: above 128 Redis leaves its compact encoding.
    `most_changes` and `most_session_batches` bound the streams that shelves follow,
    `most_arrivals` the items that are remembered for having come last. A share of
    `inputs_share` of the lists is logged with all that it was made from.

    Raises `ValueError` for a share that is not within 0 and 1.
    """

    user_ttl: int = 7 * 86_400
    item_ttl: int = 90 * 86_400
    render_every: float = 1.0
    shown: int = 20
    most_rendered: int = 200
    most_neighbours: int = 128
    most_changes: int = 2_000
    most_session_batches: int = 4_000
    most_arrivals: int = 512
    inputs_share: float = 0.002

    def __post_init__(self) -> None:
        if not 0.0 <= self.inputs_share <= 1.0:
            raise ValueError(f"publish.inputs_share: {self.inputs_share} is not within 0 and 1")


@dataclass(frozen=True)
class WorkerSettings:
    """Everything a rank worker needs; it travels in the job graph."""

    redis_url: str
    prefix: str = "hr"
    bundle: str | None = None
    rank: RankSettings = RankSettings()
    bounds: ShelfBounds = ShelfBounds()
    publish: PublishSettings = PublishSettings()
    step: StepSettings = StepSettings()
    slots: Mapping[str, SlotSettings] = field(default_factory=dict)
    rules: tuple[ContextRule, ...] = ()
    experiments: tuple[Experiment, ...] = ()
