"""Item ids in their one spelling, of events and of the catalogue alike."""

from __future__ import annotations

import re

from schemas.identifiers import canonical_id


class ItemIds:
    """Spells item ids and knows products by their spelling; `case` is keep, upper or lower.

    >>> ids = ItemIds(case="upper", pattern=r"\\d{5}[A-Z]*")
    >>> ids.canonical(" 85123a "), ids.canonical(" "), ids.is_product("POST")
    ('85123A', None, False)
    """

    def __init__(self, case: str, pattern: str | None) -> None:
        self._fold = {"keep": None, "upper": str.upper, "lower": str.lower}[case]
        self._product = re.compile(pattern).fullmatch if pattern else None

    def canonical(self, text: str) -> str | None:
        """The id in the configured case, in NFC, without white space around it; None if nothing is left."""
        # The case comes first: a letter in the other case may be composed in another way.
        return canonical_id(text if self._fold is None else self._fold(text)) or None

    def is_product(self, item_id: str) -> bool:
        """Whether a canonical id is written as a product's."""
        return self._product is None or self._product(item_id) is not None
