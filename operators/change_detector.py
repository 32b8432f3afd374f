"""What all detectors of a change share: how they are fed, asked and stored.

The first byte of what is stored tells detector and version, so bytes of one are never taken for another's.
"""

from __future__ import annotations

from typing import Protocol


class UnreadableWindow(ValueError):  # noqa: N818
    """Stored bytes of a change detector that this release cannot read."""


class OtherDetector(UnreadableWindow):
    """Stored bytes of a detector other than the one that is asked to go on from them."""


class ChangeDetector(Protocol):
    """Watches a stream of numbers for a change of their mean.

    `width` is the number of values since the detector began, or since what it has dropped. After a detection,
    make a new one: none promises to go on.
    """

    @property
    def width(self) -> int:
        """How many values it remembers; 0: it knows nothing, and need not be stored."""
        ...

    @property
    def means(self) -> tuple[float, float]:
        """Of the last detection: the means before and after the likeliest place of the change."""
        ...

    def update(self, value: float) -> bool:
        """Take in one value. True when the mean has changed."""
        ...

    def to_bytes(self) -> bytes:
        """Its stored form."""
        ...


def check_stored(stored: bytes, form: int, size: int, name: str) -> None:
    """Raise `OtherDetector` where `stored` begins with another byte than `form`, and `UnreadableWindow`
    where it is not `size` bytes long.

    >>> check_stored(b"ab", ord("a"), 2, "a window")
    """
    if not stored or stored[0] != form:
        told = stored[0] if stored else "none"
        raise OtherDetector(f"a stored change detector has form {told}; {name} reads {form}")
    if len(stored) != size:
        raise UnreadableWindow(f"a stored state of {name} has {len(stored)} bytes, not {size}")
