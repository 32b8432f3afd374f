"""The lists of all slots of a batch of users: candidates are found once for every way of looking at the users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from operators.blend import blended, blended_each
from operators.candidate_rows import kept_rows
from operators.candidates import SOURCES
from operators.list_variety import DEEPER, varied
from operators.rank_settings import blend_of
from operators.ranked_list import RankedList
from operators.ranker import Compare, Ranker, Record, Scored, hashes_not_shown, with_blended
from operators.reasons import moved_by
from operators.rule_weights import NO_RULE, RuleArrays, is_out, weigh
from operators.selection import select
from operators.slot_rules import SlotRules
from operators.slot_settings import Slot, slots_of
from operators.slot_views import SlotView, SlotViews, Way, way_of
from operators.treatment import Treated, Treatments
from operators.user_batch import UserBatch
from schemas.redis_keys import HOME
from schemas.state import UserState

LEANING = 0.5
"""A list about items multiplies scores by this and how likely the candidate's category is, the likeliest being 1."""


@dataclass(frozen=True, eq=False)
class SlotList:
    """A user's list in a slot; `item` is the one that a list about an item goes with."""

    ranked: RankedList
    item: str | None = None


class SlotRanker:
    """Makes the lists of all slots with a ranker. For one thread at a time.

    Slots that are made from the same (`about`) and leave out the same share candidates and scores.

    >>> from operators.rank_settings import RankSettings
    >>> from operators.shelf import Shelf
    >>> from operators.shelf_records import Popularity
    >>> from operators.slot_settings import SlotSettings
    >>> shelf = Shelf()
    >>> shelf.apply(Popularity(["all", "all"], ["mug", "plate"], [1.0, 2.0]))
    >>> slots = slots_of({"short": SlotSettings(length=1)}, RankSettings())
    >>> made = SlotRanker(Ranker(shelf), SlotRules(slots, (), shelf)).rank([UserState("u", born=0)], [0])
    >>> {slot: lists[0].ranked.items for slot, lists in made.items()}
    {'home': ['plate', 'mug'], 'short': ['plate']}
    """

    def __init__(self, ranker: Ranker, rules: SlotRules, treatments: Treatments | None = None) -> None:
        self.ranker = ranker
        self.rules = rules
        self.treatments = treatments
        self._shelf = ranker.shelf
        self._views = SlotViews(ranker, rules.slots)
        self._usual_blend = ranker.settings.blend
        usual = slots_of({}, ranker.settings)
        self._home_alone = rules.slots == usual
        self._usual_home = rules.slots[:1] == usual

    def rank(
        self,
        states: Sequence[UserState],
        now_ms: Sequence[int],
        compare: Compare | None = None,
        record: Record | None = None,
    ) -> dict[str, list[SlotList]]:
        """By slot, the users' lists in their order. `compare` and `record` as in `Ranker.rank`, for the slot `home`.

        Nothing is recorded where the settings give `home` filters, sources or a length of its own. Takes the
        shelf's lock.
        """
        rules = self.rules
        weights = rules.weights.of(states, now_ms)
        treated = None if self.treatments is None else self.treatments.of(states, now_ms)
        if not states or (self._home_alone and weights is None):
            made = self.ranker.rank(states, now_ms, compare=compare, record=record, treated=treated)
            return {slot.name: [SlotList(ranked) for ranked in made] for slot in rules.slots}
        with self._shelf.lock:
            users = UserBatch.of(states, self._shelf, now_ms, treated)
            views: dict[Way, SlotView] = {}
            lists = {}
            for slot, bit in zip(rules.slots, rules.filters, strict=True):
                way = way_of(slot)
                if way not in views:
                    views[way] = self._views.of(slot, users)
                counted = None
                if weights is not None:
                    counted = rules.weights.counted(weights, slot.name, slot.rules)
                at_home = slot.name == HOME
                lists[slot.name] = self._lists(
                    slot, bit, views[way], counted, len(states), treated,
                    compare if at_home else None, record if at_home and self._usual_home else None,
                )  # fmt: skip
        return lists

    def _lists(
        self,
        slot: Slot,
        bit: int | None,
        view: SlotView,
        rules: RuleArrays | None,
        count: int,
        treated: Treated | None,
        compare: Compare | None,
        record: Record | None,
    ) -> list[SlotList]:
        if view.scored is None:
            return self._of_everybody(view, [], count, treated)
        scored, blend = self._scored(slot, view.scored)
        moved, touched = np.full(len(scored.scores), NO_RULE, np.int8), frozenset[int]()
        keep = np.ones(len(scored.scores), np.bool_)
        candidates, traits = scored.candidates, self._shelf.traits
        if len(slot.sources) < len(SOURCES):
            keep &= (candidates.scores[:, blend_of(dict.fromkeys(slot.sources, 1.0)) > 0] > 0).any(axis=1)
        if bit is not None:
            keep &= traits.bits[candidates.item] >> np.uint64(bit) & np.uint64(1) != 0
        if rules is not None:
            rules = rules._replace(weight=rules.weight[view.rows])
            weighed = weigh(rules, candidates.start, candidates.item, scored.scores, traits.bits)
            scored = replace(scored, scores=weighed.scores)
            keep &= ~weighed.out
            moved = weighed.rule
            touched = _touched(rules, candidates.user[weighed.out | (weighed.rule != NO_RULE)])
        if not keep.all():
            candidates = kept_rows(candidates, keep)
            scored = Scored(scored.users, candidates, scored.scores[keep])
            moved = moved[keep]
        chosen = self._chosen(slot, scored)
        made = self.ranker.lists(scored, chosen, blend)
        if rules is not None:
            made = _with_rules(made, moved[chosen[chosen >= 0]], self.rules.weights.names)
        if not slot.is_about_items:
            made, filled = self._filled(slot, bit, rules, scored.users, made)
            if record is not None:
                told = self.ranker.made(view.scored, filled, made)
                record(replace(told, moved=touched, rules=self.rules.weights.rules, weights=rules))
        if compare is not None:
            compare(scored.users, candidates, chosen)
        return self._of_everybody(view, made, count, treated)

    def _scored(self, slot: Slot, scored: Scored) -> tuple[Scored, NDArray[np.float32]]:
        """The scores of a slot's own blend, where it has one or is about items; and the blend that gives reasons."""
        weights = self._usual_blend if slot.blend is None else slot.blend
        blend = blend_of({name: weight for name, weight in weights.items() if name in slot.sources})
        found, treated = scored.candidates, scored.users.treated
        if treated is not None and slot.blend is None:
            blend = treated.blends * blend_of(dict.fromkeys(slot.sources, 1.0))
        limited = len(slot.sources) < len(SOURCES)
        if slot.is_about_items:
            leaning = LEANING + self._affinity(scored)
            return replace(scored, scores=_blended(scored, blend) * leaning), blend
        if slot.blend is not None or (limited and not self.ranker.is_trained):
            return replace(scored, scores=_blended(scored, blend)), blend
        if limited and treated is not None:
            return replace(scored, scores=with_blended(scored.scores, treated, blend, found)), blend
        return scored, blend

    def _affinity(self, scored: Scored) -> NDArray[np.float32]:
        """float32[n], 0 to 1: how likely the user's next event is in the category of the candidate, as a part of the
        likeliest category's among their candidates. 1 for all where nothing is known of the user."""
        found = scored.candidates
        # Of fewer than two rows numpy gives other types, which would be compiled anew.
        out = np.empty((max(len(found), 2), 1), np.float32)
        self.ranker.probability.fill(found, scored.users, self._shelf, out)
        likely: NDArray[np.float32] = out[: len(found), 0]
        greatest = np.full(len(scored.users), np.finfo(np.float32).tiny, np.float32)
        np.maximum.at(greatest, found.user, likely)
        leaning: NDArray[np.float32] = likely / greatest[found.user]
        return leaning

    def _chosen(self, slot: Slot, scored: Scored) -> NDArray[np.int32]:
        found, held = scored.candidates, self._shelf.catalogue.arrays
        most = slot.most_per_category
        depth = slot.length * (DEEPER if most else 1)
        chosen = select(held, found.item, found.start, scored.scores, depth)
        return varied(chosen, found.item, held.category, slot.length, most) if most else chosen

    def _filled(
        self, slot: Slot, bit: int | None, rules: RuleArrays | None, users: UserBatch, made: list[RankedList]
    ) -> tuple[list[RankedList], dict[int, list[str]]]:
        """The lists lengthened, and by list the items that did it."""
        traits = self._shelf.traits
        hides = [False] * len(made) if rules is None else (rules.weight == 0.0).any(axis=1).tolist()

        def not_shown(state: UserState) -> bytes:
            return hashes_not_shown(state, slot.exclude_touched, slot.exclude_bought)

        def passes(k: int, number: int) -> bool:
            return (bit is None or traits.has(number, bit)) and (
                rules is None or not is_out(rules, k, number, traits)
            )

        told: dict[int, list[str]] = {}
        lists = [
            self.ranker.filled(
                users, k, each, slot.length, (), not_shown,
                partial(passes, k) if bit is not None or hides[k] else None, told,
            )
            for k, each in enumerate(made)
        ]  # fmt: skip
        return lists, told

    def _of_everybody(
        self, view: SlotView, made: list[RankedList], count: int, treated: Treated | None
    ) -> list[SlotList]:
        """The lists in the order of the batch; who has nothing that a list could be about has an empty one."""
        if view.anchors is None:
            return [SlotList(each) for each in made]
        empty = RankedList([], [], [], np.zeros((0, len(SOURCES)), np.float32), self.ranker.model)
        lists = [SlotList(empty)] * count
        if treated is not None:
            lists = [SlotList(replace(empty, experiment=variants)) for variants in treated.variants]
        for row, each, anchors in zip(view.rows.tolist(), made, view.anchors, strict=True):
            lists[row] = SlotList(each, self._shelf.item_id(anchors[0]))
        return lists


def _blended(scored: Scored, blend: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scores of a blend float32[S], or of those of the users' treatments, float32[treatments, S]."""
    found, treated = scored.candidates, scored.users.treated
    if blend.ndim == 1 or treated is None:
        return blended(found.scores, blend)
    return blended_each(found.scores, blend[treated.row[found.user]])


def _touched(rules: RuleArrays, moved: NDArray[np.int32]) -> frozenset[int]:
    """The lists in which rules had a hand: those of the `moved` candidates' users, and where items are out."""
    return frozenset([*moved.tolist(), *np.flatnonzero((rules.weight == 0.0).any(axis=1)).tolist()])


def _with_rules(lists: list[RankedList], moved: NDArray[np.int8], names: Sequence[str]) -> list[RankedList]:
    """The lists with the rule behind each reason; `moved` int8 has an entry for every place of all lists in turn."""
    if (moved == NO_RULE).all():
        return lists
    rules = iter(moved.tolist())
    return [
        replace(
            made,
            whys=[
                why if (rule := next(rules)) == NO_RULE else moved_by(why, names[rule]) for why in made.whys
            ],
        )
        for made in lists
    ]
