"""User and item ids in their one canonical form, so that the same thing never has two keys."""

from __future__ import annotations

import unicodedata
from typing import Final

WHITESPACE: Final = "\t\n\v\f\r "
"""What is trimmed from an id: ASCII only, because languages differ on the rest, and applications in any language
compute a user's keys from the id."""


def canonical_id(text: str) -> str:
    """The form in which two spellings of one id are equal: Unicode NFC, without outer ASCII white space.

    Letter case is kept: `Ann` and `ann` may be two people.

    >>> canonical_id(" cafe\\u0301\\n") == "caf\\u00e9"
    True
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text.strip(WHITESPACE)
