"""What a user record keeps of a CRM, demographic or firmographic record: values, with where they came from."""

from __future__ import annotations

import msgspec


class Attribute(msgspec.Struct, array_like=True, frozen=True):
    """One profile attribute: its value, the source that told it, and when it was true (ms, event time)."""

    value: float | str | bool
    source: str
    time: int
