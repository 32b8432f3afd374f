"""Why a list holds what it holds: told from its log and, where they were logged, from its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.bundle import Bundle
from operators.contributions import of_features, of_sources
from operators.held_rules import RuleEffects
from operators.item_hash import has_item_hash
from operators.ranker import SCORE_DIGITS
from operators.reasons import NEW
from schemas.list_inputs import ListInputs
from schemas.records import Recommendation, ScoredItem
from schemas.state import UserState, decode_state


class SourceShare(msgspec.Struct, frozen=True):
    """A source of candidates: what it said for an item, 0 to 1, and where sources are weighed, its weight and
    what of the score that gives."""

    source: str
    said: float
    weight: float | None = None
    contribution: float | None = None


class FeatureShare(msgspec.Struct, frozen=True):
    """A feature of an item: its value, the value that counts as neutral in this list, and by how much it raises
    the score over that (`operators.contributions`); None where the model was not at hand."""

    feature: str
    value: float
    neutral: float | None = None
    contribution: float | None = None


class ItemReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item is at its place (from 1), or why it is at none (0).

    `rank` is its place among all candidates that context rules left, None where inputs were not logged or it was
    none.
    `notes` are sentences: the rules that put it there, kept it out or could not be looked at.
    """

    item_id: str
    place: int
    score: float | None
    why: str
    rank: int | None
    sources: Sequence[SourceShare]
    features: Sequence[FeatureShare]
    notes: Sequence[str]


class ListExplanation:
    """Explains a logged list.

    `inputs` are its decoded inputs, None where they were not logged. `bundle` is the one that scored, where it was
    found. `weights` are the blend of the settings now, used where nothing better is known.
    """

    def __init__(
        self,
        logged: Recommendation,
        inputs: ListInputs | None,
        bundle: Bundle | None,
        weights: Mapping[str, float],
    ) -> None:
        self.logged = logged
        self.inputs = inputs
        self._bundle = bundle if bundle is not None and bundle.has_ranker else None
        self._weights = dict(weights)
        self._user: UserState | None = None
        self._ranks: dict[str, int] = {}
        self._effects: RuleEffects | None = None
        if inputs is not None:
            self._weights = dict(inputs.making.settings.get("blend", weights))
            self._user = decode_state(inputs.user)
            self._effects = RuleEffects(inputs)
            order = _order(inputs, self._effects)
            self._ranks = {inputs.items[row]: rank for rank, row in enumerate(order, start=1)}

    @property
    def blends(self) -> bool:
        """Whether scores are weighted sums of what sources said."""
        if self.inputs is not None:
            return not self.inputs.features
        return self.blend_fits

    @property
    def blend_fits(self) -> bool:
        """Whether the weights known here give the logged scores of all items that a source named."""
        named = [item for item in self.logged.items if item.sources]
        return bool(named) and all(
            abs(sum(self._weights.get(s, 0.0) * v for s, v in item.sources.items()) - item.score)
            < 2 * 10.0**-SCORE_DIGITS
            for item in named
        )

    def rules(self) -> list[str]:
        """What was decided for the list as a whole, in sentences."""
        if self.inputs is None or self._user is None:
            return ["This list was logged without its inputs: features and rules are not known."]
        inputs, user = self.inputs, self._user
        settings, more = inputs.making.settings, inputs.additions
        said = [f"{len(inputs.scores)} candidates from {len(inputs.sources)} sources."]
        if settings.get("exclude_touched"):
            hashes = len(user.touched + user.bought) // 4
            said.append(f"Left out: the {hashes} items that the user touched or bought, as far back as kept.")
        elif settings.get("exclude_bought"):
            said.append(f"Left out: the {len(user.bought) // 4} items that the user bought.")
        said.append(
            f"Only what may be shown {'in ' + user.country if user.country else 'anywhere'}, one of a group."
        )
        said += self._effects.sentences() if self._effects is not None else ()
        if more.tried:
            drawn = ", ".join(sorted({inputs.items[tried.item] for tried in more.tried}))
            said.append(f"Of {more.pool} new items these were drawn for later places: {drawn}.")
        if more.filled:
            said.append(f"Filled up with {len(more.filled)} items: sources named too few.")
        return said

    def items(self) -> list[ItemReason]:
        """The items of the list, each with its reason."""
        given = self._features([item.item_id for item in self.logged.items])
        return [
            self._listed(place, item, given.get(item.item_id, ()))
            for place, item in enumerate(self.logged.items, start=1)
        ]

    def absent(self, item_id: str) -> ItemReason:
        """Why an item is not in the list."""
        rank, row = self._ranks.get(item_id), self._row_of(item_id)
        shares: Sequence[SourceShare] = ()
        score = None
        if self.inputs is not None and self._effects is not None and row is not None:
            said = zip(self.inputs.sources, self.inputs.said[row].tolist(), strict=True)
            shares = self._sources({name: value for name, value in said if value})
            score = float(self._effects.scores[row])
        return ItemReason(
            item_id=item_id, place=0, score=score, why="", rank=rank, sources=shares,
            features=self._features([item_id]).get(item_id, ()),
            notes=[*self._why_not(item_id, rank), *self._moved(item_id)],
        )  # fmt: skip

    def _listed(self, place: int, item: ScoredItem, features: Sequence[FeatureShare]) -> ItemReason:
        notes = []
        if item.why == NEW and not item.sources:
            notes.append("put here for being new: nobody's taste spoke for it, and the score is its place's")
        elif not item.sources:
            notes.append("filled in: no source named it, and it has no score")
        notes += self._moved(item.item_id)
        return ItemReason(
            item_id=item.item_id, place=place, score=item.score, why=item.why,
            rank=self._ranks.get(item.item_id), sources=self._sources(item.sources), features=features, notes=notes,
        )  # fmt: skip

    def _sources(self, said: Mapping[str, float]) -> list[SourceShare]:
        if not self.blends:
            return [SourceShare(name, value) for name, value in said.items()]
        weights = np.array([self._weights.get(name, 0.0) for name in said], np.float32)
        given = of_sources(np.array([list(said.values())], np.float32), weights)[0]
        return [
            SourceShare(name, value, weight, share)
            for (name, value), weight, share in zip(
                said.items(), weights.tolist(), given.tolist(), strict=True
            )
        ]

    def _features(self, item_ids: Sequence[str]) -> dict[str, list[FeatureShare]]:
        """Of those items that were candidates, the features with their contributions, the weightiest first."""
        inputs = self.inputs
        if inputs is None or not inputs.features:
            return {}
        chosen = [row for row, item in enumerate(inputs.items[: len(inputs.scores)]) if item in set(item_ids)]
        rows = np.array(chosen, np.int32)
        shares: dict[str, list[FeatureShare]] = {}
        if self._bundle is None:
            for row in chosen:
                values = zip(inputs.features, inputs.rows[row].tolist(), strict=True)
                shares[inputs.items[row]] = [FeatureShare(name, value) for name, value in values]
            return shares
        given, neutral = of_features(inputs.rows, rows, self._bundle.score)
        for at, row in enumerate(chosen):
            columns = zip(
                inputs.features, inputs.rows[row].tolist(), neutral.tolist(), given[at].tolist(), strict=True
            )
            own = [FeatureShare(*column) for column in columns]
            shares[inputs.items[row]] = sorted(own, key=lambda share: -abs(share.contribution or 0.0))
        return shares

    def _why_not(self, item_id: str, rank: int | None) -> list[str]:
        inputs, user = self.inputs, self._user
        if inputs is None or user is None:
            return ["it is not in the list; the list was logged without its inputs, so why is not known"]
        if rank is not None:
            return [self._outranked(inputs, item_id, rank)]
        if self._effects is not None and (row := self._row_of(item_id)) is not None:
            return [self._effects.why_out(row)]
        settings = inputs.making.settings
        if settings.get("exclude_bought", True) and has_item_hash(user.bought, item_id):
            return ["barred: the user bought it (rank.exclude_bought)"]
        if settings.get("exclude_touched", True) and has_item_hash(user.touched, item_id):
            return ["barred: the user touched it (rank.exclude_touched)"]
        if item_id in inputs.items:
            if not inputs.shown[inputs.items.index(item_id)]:
                return [
                    "it might not be shown: out of stock, expired, deleted, or not sold in the user's market"
                ]
            return ["it was not a candidate: no source named it among its best"]
        return ["it was not a candidate: no source named it among its best, or it might not be shown"]

    def _row_of(self, item_id: str) -> int | None:
        """The row of an item among the candidates."""
        inputs = self.inputs
        if inputs is None or item_id not in inputs.items[: len(inputs.scores)]:
            return None
        return inputs.items.index(item_id)

    def _moved(self, item_id: str) -> list[str]:
        row = self._row_of(item_id)
        return self._effects.moved(row) if self._effects is not None and row is not None else []

    def _outranked(self, inputs: ListInputs, item_id: str, rank: int) -> str:
        """Why a candidate is in no place."""
        length = int(inputs.making.settings.get("length", len(self.logged.items)))
        groups = dict(zip(inputs.items, inputs.groups.tolist(), strict=True))
        before = [item.item_id for item in self.logged.items if self._ranks.get(item.item_id, rank) < rank]
        twin = next(
            (item for item in before if groups[item_id] >= 0 and groups.get(item) == groups[item_id]), None
        )
        if twin is not None:
            return f"ranked {rank} of {len(inputs.scores)}, and passed over for {twin}, which is of its group"
        if rank <= length:
            return f"ranked {rank} of {len(inputs.scores)}, and its place went to a new item"
        return f"ranked {rank} of {len(inputs.scores)}; the list has {length} places"


def _order(inputs: ListInputs, effects: RuleEffects) -> list[int]:
    """The candidates that rules left from best to worst, as `select` takes them: by score, then by id."""
    scores: NDArray[np.float32] = np.where(np.isnan(effects.scores), -np.inf, effects.scores).astype(
        np.float32
    )
    ids = inputs.items
    left = np.flatnonzero(~effects.out).tolist()
    return sorted(left, key=lambda row: (-scores[row], ids[row].encode("utf-8", "surrogatepass")))
