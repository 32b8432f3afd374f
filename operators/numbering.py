"""Numbers for names, in the order in which they first came."""

from __future__ import annotations

from collections.abc import Iterable


class Numbering:
    """Gives each name the next number from 0 and remembers both ways.

    >>> items = Numbering(["mug"])
    >>> items.number("bowl"), items.number("mug"), items.find("plate"), items.names
    (1, 0, -1, ['mug', 'bowl'])
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        for name in names:
            self.number(name)

    def __len__(self) -> int:
        """How many names have a number."""
        return len(self.names)

    def number(self, name: str) -> int:
        """The number of a name, a new one where it has none."""
        number = self._numbers.setdefault(name, len(self.names))
        if number == len(self.names):
            self.names.append(name)
        return number

    def find(self, name: str) -> int:
        """The number of a name, -1 where it has none."""
        return self._numbers.get(name, -1)
