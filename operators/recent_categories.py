"""Which categories the stream is at: the last ones, and decayed counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

LAST = 256
MOST = 512
_FADING = 0.9995
_GREAT = 1e9


class RecentCategories:
    """The last `LAST` categories, and counts of at most `MOST` that fade with every event.

    >>> recent = RecentCategories()
    >>> for category in "aab":
    ...     recent.add(category)
    >>> recent.most(1), round(recent.share("a"), 2), recent.drawn(2)
    (['a'], 0.67, 'b')
    """

    def __init__(self, last: Iterable[str] = (), counts: Mapping[str, float] | None = None) -> None:
        self.last = deque(last, LAST)
        self.counts = dict(counts or {})
        self._total = sum(self.counts.values())
        self._unit = 1.0

    def add(self, category: str) -> None:
        """Take in a category. Beyond `MOST`, the least counted one gives way."""
        self.last.append(category)
        counts = self.counts
        if category not in counts and len(counts) >= MOST:
            least = min(counts, key=lambda name: (counts[name], name))
            self._total -= counts.pop(least)
        self._unit /= _FADING  # later ones weigh more, instead of all earlier ones less
        counts[category] = counts.get(category, 0.0) + self._unit
        self._total += self._unit
        if self._unit > _GREAT:
            self.counts = {name: count / self._unit for name, count in counts.items()}
            self._total = sum(self.counts.values())
            self._unit = 1.0

    def faded(self) -> dict[str, float]:
        """The counts as of now: what to store."""
        return {name: count / self._unit for name, count in self.counts.items()}

    def share(self, category: str) -> float:
        """The category's part of the faded counts."""
        return self.counts.get(category, 0.0) / self._total if self._total else 0.0

    def most(self, number: int) -> list[str]:
        """The most counted categories, ties by name."""
        counts = self.counts
        return sorted(counts, key=lambda name: (-counts[name], name))[:number]

    def drawn(self, bits: int) -> str | None:
        """One of the last categories by random bits, None where there is none."""
        return self.last[bits % len(self.last)] if self.last else None
