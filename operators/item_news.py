"""Who wants to know when something new is known of an item, and looks at it when there is time."""

from __future__ import annotations

from threading import Lock
from typing import Protocol
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 4
"""Items that a reader looks at in one go, about 2 ms of work."""


class NewsReader(Protocol):
    """Hears of items, and makes of that what it makes."""

    @property
    def due(self) -> bool:
        """Whether `read_some` has anything to do."""
        ...

    def hear(self, numbers: NDArray[np.int32]) -> None:
        """There is news of these items of the shelf, whose lock is held."""
        ...

    def read_some(self, most: int) -> bool:
        """Look at up to `most` of them, taking the lock; whether any are left."""
        ...


class ItemNews:
    """Readers that a shelf tells of items, each for as long as somebody else holds it. Without one it costs nothing.

    `lock` is the shelf's.
    """

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._readers: WeakSet[NewsReader] = WeakSet()

    def follow(self, reader: NewsReader, numbers: NDArray[np.int32]) -> None:
        """Let a reader hear of items from now on, and at once of these. Takes the lock."""
        with self._lock:
            self._readers.add(reader)
            reader.hear(numbers)

    def tell(self, numbers: list[int]) -> None:
        """There is news of these items. Hold the lock."""
        if self._readers:
            for reader in self._readers:
                reader.hear(np.array(numbers, np.int32))

    @property
    def due(self) -> bool:
        """Whether any reader has something to look at. Takes the lock."""
        return any(reader.due for reader in self._reading())

    def read_some(self) -> bool:
        """Let every reader look at a few items; whether any are left. Takes the lock."""
        left = [reader.read_some(AT_ONCE) for reader in self._reading()]
        return any(left)

    def read_all(self) -> None:
        """Let every reader look at all that it heard of. Takes the lock."""
        while self.due:
            self.read_some()

    def _reading(self) -> list[NewsReader]:
        if not self._readers:
            return []
        with self._lock:
            return list(self._readers)
