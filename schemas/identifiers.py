"""User and item ids in their one canonical form, so that the same thing never has two keys."""

from __future__ import annotations

import unicodedata


def canonical_id(text: str) -> str:
    """The id without surrounding white space, in Unicode's composed form (NFC).

    >>> canonical_id(" cafe\\u0301 ") == "caf\\u00e9"
    True
    """
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)
