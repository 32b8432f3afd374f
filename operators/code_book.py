"""Names as small numbers, given once and bounded in number."""

from __future__ import annotations

from collections.abc import Iterable


class CodeBook:
    """At most `most` names. Beyond that, `add` answers -1 and counts the name as refused.

    >>> book = CodeBook(most=1)
    >>> book.add("GB"), book.add("FR"), book.add("GB"), book.refused
    (0, -1, 0, 1)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._codes: dict[str, int] = {}
        self.names: list[str] = []
        self.refused = 0

    def __len__(self) -> int:
        return len(self.names)

    def code(self, name: str) -> int:
        """The name's code, -1 where it has none."""
        return self._codes.get(name, -1)

    def codes(self, names: Iterable[str]) -> list[int]:
        """`code` of each name."""
        code = self._codes.get
        return [code(name, -1) for name in names]

    def add(self, name: str) -> int:
        """The name's code, a new one where it had none and there is room; else -1."""
        code = self._codes.get(name, -1)
        if code < 0:
            if len(self.names) >= self._most:
                self.refused += 1
                return -1
            code = self._codes[name] = len(self.names)
            self.names.append(name)
        return code
