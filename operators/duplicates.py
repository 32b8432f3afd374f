"""Duplicate events, recognised by event id in bounded memory."""

from __future__ import annotations

from hashlib import blake2b

REMEMBERED = 64
_WIDTH = 6


def event_hash(event_id: str) -> bytes:
    """The 48-bit hash under which an event id is remembered: one of 64 meets a new id with chance 2e-13."""
    return blake2b(event_id.encode(), digest_size=8).digest()[:_WIDTH]


def is_remembered(seen: bytes, hashed: bytes) -> bool:
    """Whether `hashed` is one of the whole hashes in `seen`.

    >>> h = event_hash("e-1")
    >>> is_remembered(remember(b"", h), h), is_remembered(b"", h)
    (True, False)
    """
    at = seen.find(hashed)
    while at >= 0:
        if at % _WIDTH == 0:
            return True
        at = seen.find(hashed, at + 1)
    return False


def remember(seen: bytes, hashed: bytes, remembered: int = REMEMBERED) -> bytes:
    """`seen` with one more hash; the oldest falls out when more than `remembered` are held."""
    return (seen + hashed)[-_WIDTH * remembered :]
