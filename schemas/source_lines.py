"""Lines of Python being written, for the compiled readers and writers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class SourceLines:
    """The body of one function. `name` gives fresh local names, `bound` holds what the body calls.

    >>> lines = SourceLines(double=lambda n: 2 * n)
    >>> with lines.block("if n > 1:"):
    ...     lines.add("n = double(n)")
    >>> lines.function("n", "return n")(4)
    8
    """

    def __init__(self, **bound: Any) -> None:
        self.bound = bound
        self._lines: list[str] = []
        self._depth = 1
        self._names = 0

    def add(self, line: str) -> None:
        """One line, at the depth of the blocks that are open."""
        self._lines.append("    " * self._depth + line)

    def name(self) -> str:
        """A local name that is not in use yet."""
        self._names += 1
        return f"v{self._names}"

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """What is added inside stands one level deeper, under `head`. An exception takes its lines back."""
        mark = len(self._lines)
        self.add(head)
        self._depth += 1
        try:
            yield
        except BaseException:
            del self._lines[mark:]
            raise
        finally:
            self._depth -= 1

    def function(self, arguments: str, last: str) -> Callable[..., Any]:
        """The compiled function. Names of foreign fields enter its text as quoted literals at most."""
        # Bound as defaults, names are locals: a third faster than globals.
        defaults = "".join(f", {name}={name}" for name in self.bound)
        text = "\n".join([f"def compiled({arguments}{defaults}):", *self._lines, f"    {last}"])
        scope = dict(self.bound)
        exec(compile(text, "<compiled codec>", "exec"), scope)
        function: Callable[..., Any] = scope["compiled"]
        return function
