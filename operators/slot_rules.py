"""Slots and context rules as they are in force, with the bits of their conditions on items."""

from __future__ import annotations

from collections.abc import Sequence

from operators.context_rule import ContextRule
from operators.rule_weights import RuleWeights
from operators.shelf import Shelf
from operators.slot_settings import Slot, selectors_of


class SlotRules:
    """Slots and rules, on a shelf that knows their conditions from now on. Takes the shelf's lock.

    `filters` are the bits of the slots' filters (None: a slot takes every item). `zone` is the IANA time zone of
    users whose country is not known.
    """

    def __init__(
        self, slots: Sequence[Slot], rules: Sequence[ContextRule], shelf: Shelf, zone: str = "UTC"
    ) -> None:
        self.slots = tuple(slots)
        shelf.select_by(selectors_of(slots, rules))
        bits = [shelf.traits.bit_of(rule.items) for rule in rules]
        self.weights = RuleWeights(rules, bits, zone)
        self.filters = [
            None if slot.filters.is_empty else shelf.traits.bit_of(slot.filters) for slot in slots
        ]
