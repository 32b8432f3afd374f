"""From user records to ranked lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from operators.affinity_columns import CategoryProbability
from operators.barred_items import BarredItems
from operators.blend import blended, blended_each
from operators.bundle import Bundle
from operators.candidates import CandidateFinder, Candidates
from operators.context_rule import ContextRule
from operators.exploration import Exploration
from operators.factor_fold_in import folding
from operators.factor_neighbours import FactorNeighbours
from operators.feature_plan import FeaturePlan
from operators.list_filling import fill
from operators.list_reasons import reasons_of
from operators.past_items import begins_anew
from operators.rank_settings import RankSettings, blend_of
from operators.ranked_list import RankedList, said_for_you, said_new
from operators.rule_weights import RuleArrays
from operators.selection import select
from operators.shelf import Shelf
from operators.treatment import Treated
from operators.user_batch import UserBatch
from operators.user_step import StepSettings
from operators.visit_votes import for_next_visit, shares
from schemas.state import UserState

NO_BUNDLE = "blend"
"""What a list names as its model when it was ranked without a bundle."""

SCORE_DIGITS = 6
"""Decimals of a score."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A batch of users with their candidates, of which row k has the score `scores[k]` (float32[n]).

    `rows` float32[n, features] are what a trained ranker scored; None: none did.
    """

    users: UserBatch
    candidates: Candidates
    scores: NDArray[np.float32]
    rows: NDArray[np.float32] | None = None


Compare = Callable[[UserBatch, Candidates, NDArray[np.int32]], None]
"""Takes users, candidates, and for each user the chosen rows of the candidates, as `select` gives them."""


@dataclass(frozen=True, eq=False)
class MadeLists:
    """A batch of lists with what they were made from and by.

    Lists of users in experiments were made by other `settings` and another `exploration`: see `settings_of`.
    `filled[k]` are the items that made list k as long as asked for, where sources named too few. In the lists
    `moved` the context rules `rules` had a hand, of which `weights` says for each list whether they held; scores are
    those before rules.
    """

    scored: Scored
    filled: Mapping[int, Sequence[str]]
    lists: Sequence[RankedList]
    shelf: Shelf
    settings: RankSettings
    exploration: Exploration
    bundle: Bundle | None
    moved: frozenset[int] = frozenset()
    rules: Sequence[ContextRule] = ()
    weights: RuleArrays | None = None

    def settings_of(self, k: int) -> RankSettings:
        """The settings by which list `k` was made."""
        treated = self.scored.users.treated
        return self.settings if treated is None else treated.of(k).settings

    def exploration_of(self, k: int) -> Exploration:
        """What put new items into list `k`."""
        treated = self.scored.users.treated
        return self.exploration if treated is None else treated.of(k).exploration

    def is_trained(self, k: int) -> bool:
        """Whether a trained ranker ordered list `k`."""
        treated = self.scored.users.treated
        return self.scored.rows is not None and (treated is None or not treated.of(k).by_blend)


Record = Callable[[MadeLists], None]
"""Takes a batch of lists that were made, while the shelf is as it was."""


class Ranker:
    """Makes lists for batches of users, with or without a model bundle. For one thread at a time.

    `step` says how users are followed, and so how features of their profiles are read. Raises `UnknownFeatures`
    where the bundle wants a feature that cannot be computed.

    >>> from operators.shelf_records import Popularity
    >>> shelf = Shelf()
    >>> shelf.apply(Popularity(["all", "all"], ["mug", "plate"], [1.0, 2.0]))
    >>> [made] = Ranker(shelf).rank([UserState("pseudonym", born=0)], [0])
    >>> made.items, made.whys[0], made.model
    (['plate', 'mug'], 'trending:all', 'blend')
    """

    def __init__(
        self,
        shelf: Shelf,
        settings: RankSettings = RankSettings(),
        bundle: Bundle | None = None,
        step: StepSettings = StepSettings(),
    ) -> None:
        self._shelf = shelf
        self._settings = settings
        self._bundle = bundle
        self._blend = blend_of(settings.blend)
        self._gap = step.session_gap
        self._left = shares(settings.next_visit, settings.next_visit_past)
        self._factors = (
            FactorNeighbours.none()
            if bundle is None
            else FactorNeighbours(bundle.item_ids, bundle.neighbours, bundle.neighbour_scores, bundle.factors)
        )
        # For as long as this ranks; the thread that follows the shelf's changes does the work.
        self._fold_in = folding(self._factors, shelf, settings.candidates.folded_items)
        self._finder = CandidateFinder(shelf, settings.candidates, self._factors)
        self._exploration = Exploration(settings.explore, shelf)
        self._plan = (
            FeaturePlan(bundle.features, step) if bundle is not None and bundle.has_ranker else FeaturePlan()
        )
        self.model = NO_BUNDLE if bundle is None else bundle.name
        self.probability = CategoryProbability(step)

    def rank(
        self,
        states: Sequence[UserState],
        now_ms: Sequence[int],
        exclude: Sequence[Sequence[str]] | None = None,
        compare: Compare | None = None,
        record: Record | None = None,
        treated: Treated | None = None,
    ) -> list[RankedList]:
        """One list per state, as at its `now_ms`; `exclude[k]` are item ids that list k may not hold.

        The list of a user does not depend on who else is in the batch. It is as long as asked for while the
        shelf knows that many items that may be shown. Takes the shelf's lock. `compare` and `record` are told,
        once the lists are made, what they were made from. `treated` says whose lists experiments change.
        """
        if not states:
            return []
        with self._shelf.lock:
            users, candidates = self._candidates(states, now_ms, exclude, treated)
            scored, length = self.scored(users, candidates), self._settings.length
            chosen = select(
                self._shelf.catalogue.arrays, candidates.item, candidates.start, scored.scores, length
            )
            lists = self.lists(scored, chosen)
            filled: dict[int, list[str]] = {}
            for k, made in enumerate(lists):
                barred = exclude[k] if exclude is not None else ()
                lists[k] = self.filled(users, k, made, length, barred, self._not_shown, told=filled)
            if compare is not None:
                compare(users, candidates, chosen)
            if record is not None:
                record(self.made(scored, filled, lists))
        return lists

    @property
    def shelf(self) -> Shelf:
        """The shelf that it ranks from."""
        return self._shelf

    @property
    def settings(self) -> RankSettings:
        """How it makes lists."""
        return self._settings

    @property
    def is_trained(self) -> bool:
        """Whether a trained ranker scores, and not the blend."""
        return self._bundle is not None and self._bundle.has_ranker

    @property
    def factors(self) -> FactorNeighbours:
        """The bundle's neighbours, none where it has no bundle."""
        return self._factors

    def find(self, users: UserBatch, barred: BarredItems) -> Candidates:
        """The candidates of a batch. Hold the shelf's lock."""
        anew = begins_anew(users, self._gap)
        found = self._finder.find(users, barred, anew)
        by_blend = None
        if self.is_trained:
            # It has learned from what sources say by themselves.
            if users.treated is None:
                return found
            by_blend = users.treated.by_blend
        return for_next_visit(found, anew, self._left, by_blend)

    def scored(self, users: UserBatch, candidates: Candidates) -> Scored:
        """The candidates with the trained ranker's scores, or the blend's. Hold the shelf's lock."""
        rows = self._rows(users, candidates)
        return Scored(users, candidates, self._scores(users, candidates, rows), rows)

    def made(
        self, scored: Scored, filled: Mapping[int, Sequence[str]], lists: Sequence[RankedList]
    ) -> MadeLists:
        """Lists of a batch with what they were made from and by."""
        return MadeLists(scored, filled, lists, self._shelf, self._settings, self._exploration, self._bundle)

    def _rows(self, users: UserBatch, candidates: Candidates) -> NDArray[np.float32] | None:
        """The features of the candidates, where a trained ranker scores."""
        bundle = self._bundle
        if bundle is None or not bundle.has_ranker:
            return None
        row = self._factors.numbered(self._shelf).row
        return self._plan.rows(candidates, users, self._shelf, row, self._factors.vectors, *bundle.models)

    def _scores(
        self, users: UserBatch, candidates: Candidates, rows: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        treated = users.treated
        if rows is None or self._bundle is None:
            if treated is None:
                return blended(candidates.scores, self._blend)
            return blended_each(candidates.scores, treated.blends[treated.row[candidates.user]])
        scores = self._bundle.score(rows)
        return scores if treated is None else with_blended(scores, treated, treated.blends, candidates)

    def lists(
        self, scored: Scored, chosen: NDArray[np.int32], blend: NDArray[np.float32] | None = None
    ) -> list[RankedList]:
        """The lists of chosen rows, int32[m, length] as `select` gives them. Hold the shelf's lock.

        `blend` float32[len(SOURCES)] weighs the sources where one of them gives the reason; of users in experiments
        float32[treatments, len(SOURCES)].
        """
        if blend is None:
            treated = scored.users.treated
            blend = self._blend if treated is None else treated.blends
        return self._render(scored, chosen, blend)

    def filled(
        self,
        users: UserBatch,
        k: int,
        made: RankedList,
        length: int,
        barred: Sequence[str],
        not_shown: Callable[[UserState], bytes],
        passes: Callable[[int], bool] | None = None,
        told: dict[int, list[str]] | None = None,
    ) -> RankedList:
        """List k with some places for new items, and lengthened to `length` where possible.

        Neither `barred` ids nor items of the hashes in `not_shown` are put in, nor those whose number does not pass.
        `told[k]` will name the items that lengthened it. Hold the shelf's lock.
        """
        state, now, market = users.states[k], int(users.now[k]), int(users.market[k])
        exploration = self._exploration if users.treated is None else users.treated.of(k).exploration
        offers = exploration.places(state.uid, state.n, length, now)
        if passes is not None:
            offers = [(place, item) for place, item in offers if passes(item)]
        if len(made.items) < length or offers:
            ids, hashes = set(barred), not_shown(state)
            fill(made.items, length, self._shelf, market, now, ids, hashes, passes)
            if told is not None:
                told[k] = made.items[len(made.scores) :]
            new = exploration.put_in(made.items, offers, market, now, ids, hashes)
            return said_new(said_for_you(made), new)
        return made

    def _candidates(
        self,
        states: Sequence[UserState],
        now_ms: Sequence[int],
        exclude: Sequence[Sequence[str]] | None = None,
        treated: Treated | None = None,
    ) -> tuple[UserBatch, Candidates]:
        """What `rank` chooses from. Hold the shelf's lock."""
        users = UserBatch.of(states, self._shelf, now_ms, treated)
        barred = BarredItems.of(exclude, [self._not_shown(state) for state in states], self._shelf)
        return users, self.find(users, barred)

    def _not_shown(self, state: UserState) -> bytes:
        return hashes_not_shown(state, self._settings.exclude_touched, self._settings.exclude_bought)

    def _render(
        self, scored: Scored, chosen: NDArray[np.int32], blend: NDArray[np.float32]
    ) -> list[RankedList]:
        users, candidates, scores = scored.users, scored.candidates, scored.scores
        rows = chosen[chosen >= 0]
        said, treated = candidates.scores[rows], users.treated
        if blend.ndim > 1 and treated is not None:
            blend = blend[treated.row[candidates.user[rows]]]
        items = self._shelf.index.ids_of(candidates.item[rows])
        whys = reasons_of(self._shelf, users, candidates, rows, np.argmax(said * blend, axis=1))
        # One call rounds the batch: short numbers are quick to write and to read.
        rounded = np.round(scores[rows].astype(np.float64), SCORE_DIGITS).tolist()
        ends = np.cumsum(np.count_nonzero(chosen >= 0, axis=1)).tolist()
        lists = [
            RankedList(items[a:b], rounded[a:b], whys[a:b], said[a:b], self.model)
            for a, b in zip([0, *ends[:-1]], ends, strict=True)
        ]
        return lists if treated is None else [self._named(made, treated, k) for k, made in enumerate(lists)]

    def _named(self, made: RankedList, treated: Treated, k: int) -> RankedList:
        """The list with the variants of user k, and with the blend for a model where that ordered it alone."""
        model = NO_BUNDLE if self.is_trained and treated.of(k).by_blend else self.model
        return replace(made, model=model, experiment=treated.variants[k])


def with_blended(
    scores: NDArray[np.float32], treated: Treated, blends: NDArray[np.float32], candidates: Candidates
) -> NDArray[np.float32]:
    """The scores of a trained ranker, and those of `blends` for users whose lists the blend is to order."""
    by_blend = treated.by_blend[candidates.user]
    if not by_blend.any():
        return scores
    weights = blends[treated.row[candidates.user]]
    return np.where(by_blend, blended_each(candidates.scores, weights), scores)


def hashes_not_shown(state: UserState, touched: bool, bought: bool) -> bytes:
    """The stored hashes of items that a list leaves out: what was `touched`, or only what was `bought`."""
    if touched:
        return state.touched + state.bought
    return state.bought if bought else b""
