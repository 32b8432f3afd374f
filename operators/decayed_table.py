"""Sums by pair that fade: what the aggregations of Flink SQL hold, as a plain class."""

from __future__ import annotations

from heapq import nlargest

from operators.forward_decay import ForwardDecay


class DecayedTable:
    """Forward-decayed sums by (row, member), with what changed since it was last asked.

    >>> table = DecayedTable(ForwardDecay(1_000.0), rows=10, members=10)
    >>> table.add("mug", "plate", 1.0, 0); table.add("mug", "bowl", 3.0, 0)
    >>> [member for member, _ in table.best("mug", 5)], len(table.changes()), len(table.changes())
    (['bowl', 'plate'], 2, 0)
    """

    def __init__(self, decay: ForwardDecay, rows: int, members: int) -> None:
        self._decay = decay
        self._most_rows = rows
        self._most_members = members
        self._sums: dict[tuple[str, int], dict[str, float]] = {}
        self._epochs: set[int] = set()
        self._changed: dict[tuple[str, str, int], float] = {}

    def add(self, row: str, member: str, weight: float, time: int) -> None:
        """Add a weight > 0 of `time` (ms) to the sum of (row, member) in the epoch of that time."""
        epoch = self._decay.epoch(time)
        sums = self._sums.pop((row, epoch), None)
        if sums is None:
            sums = {}
            self._epochs.add(epoch)
            if len(self._sums) >= self._most_rows:
                del self._sums[next(iter(self._sums))]
        # Put in last, so that the first row is always the one not heard of for longest.
        self._sums[row, epoch] = sums
        total = sums.get(member, 0.0) + weight * self._decay.growth(time)
        sums[member] = total
        self._changed[row, member, epoch] = total
        if len(sums) > self._most_members:
            kept = nlargest(self._most_members // 2, sums.items(), key=lambda entry: (entry[1], entry[0]))
            self._sums[row, epoch] = dict(kept)

    def changes(self) -> list[tuple[str, str, float]]:
        """(row, member, score) of every sum that changed since the last call, each once."""
        changed, self._changed = self._changed, {}
        score = self._decay.score
        return [(row, member, score(total, epoch)) for (row, member, epoch), total in changed.items()]

    def best(self, row: str, most: int) -> list[tuple[str, float]]:
        """The members of a row by descending score; of several epochs a member's greatest score counts."""
        scores: dict[str, float] = {}
        for epoch in self._epochs:
            for member, total in self._sums.get((row, epoch), {}).items():
                score = self._decay.score(total, epoch)
                scores[member] = max(score, scores.get(member, score))
        return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:most]

    def __len__(self) -> int:
        """How many sums are held."""
        return sum(map(len, self._sums.values()))
