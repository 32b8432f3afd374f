"""Slots: the places on a site or in a mail that show a list, each with its own candidates, filters and length."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from operators.candidates import SOURCES
from operators.context_rule import ContextRule
from operators.item_selector import ItemSelector
from operators.rank_settings import RankSettings
from schemas.redis_keys import HOME

About = Literal["session", "history", "basket", "item"]
"""What a list is made from."""

MOST_SLOTS = 16
LONGEST = 100

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")

_USUAL_ABOUT: Mapping[str, About] = {"cart": "basket", "product": "item", "email": "history"}
_USUAL_LENGTH = {"cart": 8, "product": 12, "email": 12}
_USUAL_PER_CATEGORY = {"email": 2}


@dataclass(frozen=True)
class SlotSettings:
    """One slot. What is not set has a usual value, by the slot's name, or that of `[rank]`."""

    about: About | None = None
    """What the list is made from: `session`, everything the user did with the latest first; `history`, the same
    with all of a day alike; `basket`, what goes with the items in the cart; `item`, what goes with the item looked
    at last. None: `basket` for the slot `cart`, `item` for `product`, `history` for `email`, else `session`."""
    length: int | None = None
    """Items at most, 1 to 100; none: 8 for `cart`, 12 for `product` and `email`, else `rank.length`."""
    sources: tuple[str, ...] | None = None
    """Which sources may name candidates; none: all."""
    blend: Mapping[str, float] | None = None
    """What each source weighs, also where a trained ranker orders the other slots; none: the ranker's scores or
    `rank.blend`."""
    exclude_touched: bool | None = None
    """Whether what the user touched is left out; none: as `rank.exclude_touched`."""
    exclude_bought: bool | None = None
    """The same for what they bought."""
    most_per_category: int | None = None
    """Items of one category at most, while there are others; 0: any number. None: 2 for `email`, else 0."""
    rules: tuple[str, ...] | None = None
    """The context rules that count here; none: all."""
    filters: ItemSelector = field(default_factory=ItemSelector)
    """Which items may be listed; see [slots.md](slots.md)."""

    def __post_init__(self) -> None:
        if self.length is not None and not 1 <= self.length <= LONGEST:
            raise ValueError(f"length {self.length} is not within 1 and {LONGEST}")
        if self.most_per_category is not None and self.most_per_category < 0:
            raise ValueError(f"most_per_category {self.most_per_category}; it is 0 or more")
        if self.sources == ():
            raise ValueError(f"sources: name one at least of {', '.join(SOURCES)}")
        if unknown := sorted({*(self.sources or ()), *(self.blend or {})} - set(SOURCES)):
            raise ValueError(f"unknown source {unknown[0]!r}; known: {', '.join(SOURCES)}")


@dataclass(frozen=True)
class Slot:
    """A slot with all that its settings leave open filled in. `blend` None: the ranker's scores are taken."""

    name: str
    about: About
    length: int
    blend: Mapping[str, float] | None
    sources: frozenset[str]
    exclude_touched: bool
    exclude_bought: bool
    most_per_category: int
    rules: frozenset[str] | None
    filters: ItemSelector

    @property
    def is_about_items(self) -> bool:
        """Whether the list goes with certain items, and is empty where there are none."""
        return self.about in ("basket", "item")


def slots_of(settings: Mapping[str, SlotSettings], rank: RankSettings) -> tuple[Slot, ...]:
    """The slots in force, `home` first. Raises `ValueError` for a bad name, or too many.

    >>> [(slot.name, slot.about, slot.length) for slot in slots_of({"cart": SlotSettings()}, RankSettings())]
    [('home', 'session', 20), ('cart', 'basket', 8)]
    """
    if bad := [name for name in settings if not _NAME.fullmatch(name)]:
        raise ValueError(
            f"slot {bad[0]!r}: a name is of small letters, digits and _, begins with a letter, and has at most 32"
        )
    if len(settings) > MOST_SLOTS:
        raise ValueError(f"{len(settings)} slots; {MOST_SLOTS} are possible")
    names = [HOME, *(name for name in settings if name != HOME)]
    return tuple(_filled_in(name, settings.get(name, SlotSettings()), rank) for name in names)


def selectors_of(slots: Sequence[Slot], rules: Sequence[ContextRule]) -> list[ItemSelector]:
    """The different conditions on items that slots and rules have."""
    found: list[ItemSelector] = []
    for selector in [*(slot.filters for slot in slots), *(rule.items for rule in rules)]:
        if not selector.is_empty and selector not in found:
            found.append(selector)
    return found


def _filled_in(name: str, told: SlotSettings, rank: RankSettings) -> Slot:
    def either(value: bool | None, otherwise: bool) -> bool:
        return otherwise if value is None else value

    length = told.length if told.length is not None else _USUAL_LENGTH.get(name, rank.length)
    per_category = told.most_per_category
    return Slot(
        name=name,
        about=told.about or _USUAL_ABOUT.get(name, "session"),
        length=length,
        blend=told.blend,
        sources=frozenset(SOURCES if told.sources is None else told.sources),
        exclude_touched=either(told.exclude_touched, rank.exclude_touched),
        exclude_bought=either(told.exclude_bought, rank.exclude_bought),
        most_per_category=_USUAL_PER_CATEGORY.get(name, 0) if per_category is None else per_category,
        rules=None if told.rules is None else frozenset(told.rules),
        filters=told.filters,
    )
