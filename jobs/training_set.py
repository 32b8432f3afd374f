"""Lists to learn ranking from: for sampled events, the candidates just before the event was learned."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jobs.boosted_training import TrainedBoosted
from jobs.factorise import ItemFactors
from jobs.future_seen import FutureSeenError
from jobs.plain_stream import PlainStream
from jobs.ranking_set import NEVER, RankingSet
from jobs.sequence_onnx import ExportedSequence
from operators.barred_items import BarredItems
from operators.boosted_affinity import BoostedAffinity
from operators.candidates import SOURCES, CandidateFinder
from operators.factor_fold_in import folding
from operators.factor_neighbours import FactorNeighbours
from operators.feature_plan import FeaturePlan
from operators.next_visit import list_gap, list_time
from operators.past_items import begins_anew
from operators.rank_settings import RankSettings
from operators.sequence_model import SequenceModel
from operators.user_batch import UserBatch
from operators.visit_votes import for_next_visit, shares
from schemas.records import Event

DEFAULT_PLAN = FeaturePlan()


@dataclass(frozen=True, eq=False)
class TrainingLists:
    """What is made of events, each part of later ones than the last (event times, ms).

    Item factors and, where asked for, a `sequence` model, an `autoencoder` and a `boosted` model of the next category
    are from the events before `factors_until`, lists to train on from those until `ranker_until`, and lists to judge by
    from those after.
    """

    factors: ItemFactors
    train: RankingSet
    validation: RankingSet
    factors_until: int
    ranker_until: int
    sequence: ExportedSequence | None = None
    autoencoder: ExportedSequence | None = None
    boosted: TrainedBoosted | None = None


@dataclass(eq=False)
class _Lists:
    """What a `RankingSet` is made of, list by list."""

    rows: list[npt.NDArray[np.float32]] = field(default_factory=list)
    blend: list[npt.NDArray[np.float32]] = field(default_factory=list)
    hits: list[int] = field(default_factory=list)
    strict: list[bool] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    bought_at: list[int] = field(default_factory=list)
    counted: int = 0
    counted_strict: int = 0


class ListSampler:
    """Makes lists from a stream, each before its event is learned, and keeps those that hold what came.

    One list is made at a time, so that nothing of a later event, of this or any other user, is on the shelf
    or in the record. A list is made as of its user's latest event, as the job makes it, however long ago that
    was, or of the end of its session: nothing else of the time of the event to come is in its features,
    which are those of `plan`. `factors` come from events before `factors_until` (ms).
    """

    def __init__(
        self,
        stream: PlainStream,
        factors: ItemFactors,
        settings: RankSettings,
        plan: FeaturePlan = DEFAULT_PLAN,
        factors_until: int = 0,
        sequence: SequenceModel | None = None,
        autoencoder: SequenceModel | None = None,
        at_session_end: bool = True,
    ) -> None:
        self._stream = stream
        self._gap = list_gap(stream.step.session_gap, at_session_end)
        self._left = shares(settings.next_visit, settings.next_visit_past)
        self._neighbours = FactorNeighbours(
            factors.item_ids, factors.neighbours, factors.neighbour_scores, factors.factors
        )
        self._fold_in = folding(self._neighbours, stream.shelf, settings.candidates.folded_items)
        self._finder = CandidateFinder(stream.shelf, settings.candidates, self._neighbours)
        self._blend = np.array([settings.blend.get(source, 0.0) for source in SOURCES], np.float32)
        self._plan = plan
        self._factors_until = factors_until
        self._models = (sequence, autoencoder)
        self._boosted: BoostedAffinity | None = None
        self._lists = _Lists()

    def use_boosted(self, model: BoostedAffinity) -> None:
        """Ask this model of the next category from now on; it comes of events before `factors_until`, too."""
        self._boosted = model

    def sample(self, event: Event, bought_at: int = NEVER) -> None:
        """Make the list that the user would have got just before `event`; keep it if it holds its item.

        When its user will have bought the item, `bought_at` (ms), is an answer kept beside the list, and in no feature.

        Raises `FutureSeenError` where the stream has learned the event already, or any later one, or the
        factors may know it.
        """
        stream = self._stream
        item_id = event.item_id
        if item_id is None or not stream.counts(event):
            raise FutureSeenError(
                f"event {event.event_id}: user {event.user_id} is new or has touched item {item_id}; "
                "sample an event before it is learned, and only where it counts"
            )
        if stream.latest > event.time:
            raise FutureSeenError(
                f"event {event.event_id} is of {event.time} ms, and the stream has learned one of {stream.latest} ms; "
                "learn events in the order of their times"
            )
        if event.time < self._factors_until:
            raise FutureSeenError(
                f"event {event.event_id} is of {event.time} ms, and the item factors know all events before "
                f"{self._factors_until} ms; sample events after those that made the factors"
            )
        stream.catch_up()
        state = stream.states[event.user_id]
        strict = event.time > state.last
        self._lists.counted += 1
        self._lists.counted_strict += strict
        shelf = stream.shelf
        with shelf.lock:
            users = UserBatch.of([state], shelf, [list_time(state, event.time, self._gap)])
            barred = BarredItems.of([sorted(stream.touched.get(event.user_id, ()))], [b""], shelf)
            anew = begins_anew(users, stream.step.session_gap)
            candidates = self._finder.find(users, barred, anew)
            hit = np.flatnonzero(candidates.item == shelf.number(item_id))
            if len(hit) == 0:
                return
            row = self._neighbours.numbered(shelf).row
            rows = self._plan.rows(
                candidates, users, shelf, row, self._neighbours.vectors, *self._models, self._boosted
            )
        lists = self._lists
        lists.hits.append(int(hit[0]))
        lists.strict.append(strict)
        lists.times.append(event.time)
        lists.bought_at.append(bought_at)
        lists.rows.append(rows)
        said = for_next_visit(candidates, anew, self._left).scores
        lists.blend.append(said @ self._blend)

    def take(self) -> RankingSet:
        """The lists sampled since the last call."""
        lists, self._lists = self._lists, _Lists()
        starts = np.concatenate(([0], np.cumsum([len(rows) for rows in lists.rows]))).astype(np.int64)
        return RankingSet(
            np.concatenate([np.zeros((0, len(self._plan.names)), np.float32), *lists.rows]),
            starts,
            starts[:-1] + np.array(lists.hits, np.int64),
            np.concatenate([np.zeros(0, np.float32), *lists.blend]),
            np.array(lists.strict, np.bool_),
            lists.counted,
            lists.counted_strict,
            np.array(lists.times, np.int64),
            np.array(lists.bought_at, np.int64),
        )
