"""Duplicate events, recognised by event id in bounded memory."""

from __future__ import annotations

from hashlib import blake2b

REMEMBERED = 64
_WIDTH = 8


def event_hash(event_id: str) -> bytes:
    """The 64-bit hash under which an event id is remembered."""
    return blake2b(event_id.encode(), digest_size=_WIDTH).digest()


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
