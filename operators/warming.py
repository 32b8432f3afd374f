"""Compiling the loops of the ranker before the first user waits for them."""

from __future__ import annotations

from operators.bundle import Bundle
from operators.ranker import Ranker
from operators.shelf import EVERYWHERE, Shelf
from operators.shelf_records import CoVisits, Items, Popularity, SessionSteps
from schemas.records import Item
from schemas.state import RecentItem, UserState


def warm(bundle: Bundle | None = None) -> None:
    """Run every compiled loop once, on a shelf of two items: those of a list, and with `bundle` its features.

    Takes about a minute of processor time where the machine code is not on disk yet, else about a second.

    >>> warm()
    """
    shelf = Shelf()
    shelf.apply(Items([Item(item_id="a"), Item(item_id="b")]))
    shelf.apply(CoVisits(["a"], ["b"], [1.0]))
    shelf.apply(Popularity([EVERYWHERE], ["b"], [1.0]))
    shelf.apply(SessionSteps([1, 1], ["a", "b"], [0, 0]))
    user = UserState("warm", born=0, n=1, recent=[RecentItem("a", 0, "view", "?")], bought=bytes(4))
    Ranker(shelf, bundle=bundle).rank([user], [0], [["unknown"]])
