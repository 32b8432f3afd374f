"""Compiling the loops of the ranker before the first user waits for them."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from operators.blend import blended
from operators.bundle import Bundle
from operators.candidates import SOURCES
from operators.context_rule import ContextRule
from operators.experiment import Experiment, Variant
from operators.item_selector import ItemSelector
from operators.list_inputs import inputs_of
from operators.rank_settings import RankSettings
from operators.ranker import MadeLists, Ranker
from operators.shelf import EVERYWHERE, Shelf
from operators.shelf_records import CoVisits, Items, Popularity, SessionSteps
from operators.slot_ranker import SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import SlotSettings, slots_of
from operators.treatment import Treatments
from operators.user_step import StepSettings
from schemas.records import Item
from schemas.state import RecentItem, UserState


def warm(bundle: Bundle | None = None, step: StepSettings = StepSettings()) -> None:
    """Run every compiled loop once, on a shelf of two items: those of lists in slots, and with `bundle` its features.

    Takes about a minute of processor time where the machine code is not on disk yet, else about a second.

    >>> warm()
    """
    shelf = Shelf()
    for colour in ("red", "blue"):
        # A text that changes is taken out of the lists of its terms.
        shelf.apply(Items([Item(item_id=name, title=f"{colour} mug") for name in ("a", "b")]))
    shelf.content.forget(np.zeros(0, np.bool_))
    shelf.apply(CoVisits(["a"], ["b"], [1.0]))
    shelf.apply(Popularity([EVERYWHERE], ["b"], [1.0]))
    shelf.apply(SessionSteps([1, 1], ["a", "b"], [0, 0]))
    user = UserState("warm", born=0, n=1, recent=[RecentItem("a", 0, "view", "?")], bought=bytes(4))
    ranker = Ranker(shelf, bundle=bundle, step=step)
    ranker.rank([user], [0], [["unknown"]], record=_take_down)
    red = ItemSelector(tags=("red",))
    slots = slots_of({"email": SlotSettings(), "cart": SlotSettings(filters=red)}, RankSettings())
    rules = SlotRules(slots, [ContextRule("red", "boost", red)], shelf)
    otherwise = Experiment(name="warm", variants={"a": Variant(blend={}), "b": Variant(off=("trending",))})
    treatments = Treatments([otherwise], RankSettings(), shelf)
    for tried in (None, treatments):
        SlotRanker(ranker, rules, tried).rank([replace(user, basket={"a": 0})], [0])
    # The model may be taken away later.
    blended(np.zeros((2, len(SOURCES)), np.float32), np.zeros(len(SOURCES), np.float32))


def _take_down(made: MadeLists) -> None:
    inputs_of(made, 0)
