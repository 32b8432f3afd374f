"""What a list was made from, taken down while it is made."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.candidates import SOURCES
from operators.compiled import compiled
from operators.ranker import MadeLists
from operators.shelf_catalogue import CatalogueArrays, may_show
from schemas.list_inputs import Additions, HeldRule, HeldRules, ListInputs, Making, Tried
from schemas.state import UserState, encode_state

RELEASE = version("headrace")


def inputs_of(made: MadeLists, k: int) -> ListInputs:
    """The inputs of list `k` of a batch. Hold the shelf's lock."""
    scored, shelf = made.scored, made.shelf
    users, found = scored.users, scored.candidates
    user, now, market = users.states[k], int(users.now[k]), int(users.market[k])
    rows = slice(int(found.start[k]), int(found.start[k + 1]))
    additions = _Additions(made, k)
    recent = users.recent[k]
    candidates = found.item[rows].tolist()
    # Each item once, and the candidates first: what follows points to items by their places here.
    place = {
        number: at
        for at, number in enumerate(
            dict.fromkeys(
                [*candidates, *recent[recent >= 0].tolist(), *additions.filled, *additions.drawn.values()]
            )
        )
    }
    numbers, catalogue = np.array(list(place), np.int32), shelf.catalogue.arrays
    scope = found.scope[rows]
    scopes, scope_place = np.unique(scope[scope >= 0], return_inverse=True)
    scope_of = np.full(len(scope), -1, np.int32)
    scope_of[scope >= 0] = scope_place
    rows_of = scored.rows if made.is_trained(k) else None
    return ListInputs(
        making=Making(
            made.lists[k].model,
            made.bundle.sha256 if made.bundle is not None else "",
            RELEASE,
            now,
            msgspec.to_builtins(made.settings_of(k)),
        ),
        user=encode_state(kept_of(user)),
        items=shelf.index.ids_of(numbers),
        groups=catalogue.group[numbers],
        shown=_shown(catalogue, numbers, market, now),
        sources=list(SOURCES),
        scopes=[shelf.scopes.names[number] for number in scopes],
        anchor=found.anchor[rows],
        scope=scope_of,
        said=found.scores[rows],
        features=list(made.bundle.features) if made.bundle is not None and rows_of is not None else [],
        rows=rows_of[rows] if rows_of is not None else np.zeros((len(candidates), 0), np.float32),
        scores=scored.scores[rows],
        additions=additions.by_place(place),
        rules=_rules_held(made, k, numbers) if k in made.moved else None,
    )


def _rules_held(made: MadeLists, k: int, numbers: NDArray[np.int32]) -> HeldRules | None:
    """The rules that held for list k, and which of the items of these numbers they name."""
    arrays = made.weights
    if arrays is None:
        return None
    held = np.flatnonzero(arrays.weight[k] != 1.0)
    rules = [made.rules[r] for r in held.tolist()]
    traits = made.shelf.traits.bits[numbers]
    return HeldRules(
        tuple(HeldRule(rule.name, rule.effect, rule.weight) for rule in rules),
        traits[None, :] >> arrays.bit[held, None] & np.uint64(1) != 0,
    )


@compiled
def _shown(
    catalogue: CatalogueArrays, numbers: NDArray[np.int32], market: int, now: int
) -> NDArray[np.bool_]:
    shown = np.zeros(len(numbers), np.bool_)
    for k in range(len(numbers)):
        shown[k] = may_show(catalogue, numbers[k], market, now)
    return shown


def kept_of(user: UserState) -> UserState:
    """Of a user's record what a list depends on beside its candidates and their features.

    Not the pseudonym of the data lake, above all, nor what is learned of the user's taste.
    """
    return UserState(
        user.uid,
        born=user.born,
        n=user.n,
        last=user.last,
        session=user.session,
        recent=user.recent,
        touched=user.touched,
        bought=user.bought,
        device=user.device,
        country=user.country,
        segments=user.segments,
    )


class _Additions:
    """What came into list `k` beside its candidates: `filled` and `drawn`, by item number."""

    def __init__(self, made: MadeLists, k: int) -> None:
        self._shelf = shelf = made.shelf
        user = made.scored.users.states[k]
        new = shelf.new_items.numbers
        filled: Sequence[str] = made.filled.get(k, ())
        self.filled = [shelf.number(item_id) for item_id in filled]
        places = made.exploration_of(k).drawn(user.uid, user.n, made.settings.length)
        self.drawn = {drawn: new[drawn] for _, tried in places for drawn in tried}

    def by_place(self, place: dict[int, int]) -> Additions:
        """The same by places in the table of items."""
        shelf = self._shelf
        holders = shelf.sessions.arrays.holders
        return Additions(
            tuple(place[number] for number in self.filled),
            len(shelf.new_items.numbers),
            tuple(
                Tried(drawn, place[number], shelf.new_items.time_of(number), int(holders[number]))
                for drawn, number in sorted(self.drawn.items())
            ),
        )
