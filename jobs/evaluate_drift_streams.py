"""Histories with a known change of taste, and histories without any, from recorded and from simulated users."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from jobs.evaluate_drift_shopper import CATEGORIES, Shopper
from jobs.evaluate_drift_trial import Touch
from jobs.training_events import TrainingEvents
from operators.affinity import AffinityModel
from operators.item_facts import Catalogue, ItemFacts, facts_of

History = Sequence[Touch]
GENERATED_ITEMS = 40
"""Items of each category of the simulated shop."""


def catalogue_of(data: TrainingEvents) -> Catalogue:
    """The facts of every item of the file's catalogue."""
    return {item.item_id: facts_of(item) for item in data.items}


def histories_of(data: TrainingEvents, catalogue: Catalogue, model: AffinityModel) -> dict[str, list[Touch]]:
    """By user, the labelled events at items of the catalogue, in order of time."""
    found: dict[str, list[Touch]] = {}
    for event in data.events:
        item = event.item_id
        if item is None or item not in catalogue or model.label(event.type, event.value) == 0.0:
            continue
        facts = catalogue[item]
        touch = Touch(item, facts.category, facts.price, event.type, event.value, event.event_id)
        found.setdefault(event.user_id, []).append(touch)
    return found


def spliced(
    histories: Mapping[str, History], change: int, after: int, least: int, pairs: int, rng: random.Random
) -> Iterator[tuple[str, History, History]]:
    """At most `pairs` times: a user, their first `change` events, and another user's from that number on.

    Both have at least `least` events from there on; `after` are taken. Each user is the first of a pair
    about as often as any other; none is where there are no two such users.
    """
    long = sorted(user for user, history in histories.items() if len(history) >= change + least)
    if len(long) < 2:
        return
    firsts: list[str] = []
    while len(firsts) < pairs:
        firsts += rng.sample(long, len(long))
    for first in firsts[:pairs]:
        other = rng.choice(long)
        while other == first:
            other = rng.choice(long)
        yield first, histories[first][:change], histories[other][change : change + after]


class TasteChange:
    """Another taste for the same user: every category becomes another one, its items that one's items.

    How concentrated the taste is, how events come in runs and how often the user comes back to an item stay
    as they were.

    >>> change = TasteChange({"mug": ItemFacts("Home"), "ball": ItemFacts("Toys")})
    >>> touch = Touch("mug", "Home", None, "view", None, "e1")
    >>> {change.of([touch], random.Random(seed))[0].item for seed in range(9)} == {"mug", "ball"}
    True
    """

    def __init__(self, catalogue: Mapping[str, ItemFacts]) -> None:
        self._catalogue = catalogue
        self._items: dict[str, list[str]] = {}
        for item, facts in catalogue.items():
            self._items.setdefault(facts.category, []).append(item)
        self._place = {item: at for items in self._items.values() for at, item in enumerate(items)}

    def of(self, history: History, rng: random.Random) -> list[Touch]:
        """The history with other tastes, drawn by `rng`."""
        before = sorted(self._items)
        becomes = dict(zip(before, rng.sample(before, len(before)), strict=True))
        changed = []
        for touch in history:
            category = becomes[touch.category]
            items = self._items[category]
            item = items[self._place[touch.item] % len(items)]
            facts = self._catalogue[item]
            changed.append(touch._replace(item=item, category=category, price=facts.price))
        return changed


def generated_catalogue(seed: int = 7) -> Catalogue:
    """The items of the simulated shop."""
    rng = random.Random(seed)
    return {
        f"{category}/{number}": ItemFacts(category, round(rng.lognormvariate(2.5, 1.0), 2))
        for category in CATEGORIES
        for number in range(GENERATED_ITEMS)
    }


def generated(user: str, change: int, length: int, catalogue: Catalogue, shopper: Shopper) -> list[Touch]:
    """A simulated user whose tastes change at event `change`; all is drawn from the user's name.

    Of a category, the items that come first are touched more often, and those near the price that is drawn.
    """
    rng = random.Random(user)
    picking = random.Random(f"{user}/items")
    touches = []
    for number, (category, price, type) in enumerate(shopper.events(rng, change, length)):
        near = [f"{category}/{min(int(picking.paretovariate(0.6)), GENERATED_ITEMS) - 1}" for _ in range(3)]
        item = min(near, key=lambda one: abs((catalogue[one].price or price) - price))
        touches.append(Touch(item, category, catalogue[item].price, type, None, f"{user}-{number}"))
    return touches


def shuffled(history: History, rng: random.Random) -> list[Touch]:
    """The events of a history in random order: nothing can have changed in it."""
    return rng.sample(list(history), len(history))


def longest(histories: Mapping[str, History], least: int, most: int) -> Iterator[tuple[str, History]]:
    """At most `most` users with at least `least` labelled events, in the order of their names."""
    enough = ((user, histories[user]) for user in sorted(histories) if len(histories[user]) >= least)
    return islice(enough, most)
