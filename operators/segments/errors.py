"""Why a segment rule is refused."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from schemas.errors import HeadraceError


class RuleError(ValueError):
    """What is wrong with the text of a rule, and at which place of it, counted from 0."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why = why
        self.at = at


class SegmentRefused(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A segment that cannot be taken: names the segment, the place in its rule where there is one, the way out.

    `line` and `column` count from 1; None where the whole segment is meant.

    >>> print(SegmentRefused.of("vip", 'count("view") >', RuleError("the rule ends too early", 15)))
    segment "vip", column 16: the rule ends too early
    """

    def __init__(self, segment: str, why: str, line: int | None = None, column: int | None = None) -> None:
        place = (
            "" if column is None else f", column {column}" if line == 1 else f", line {line} column {column}"
        )
        super().__init__(f'segment "{segment}"{place}: {why}')
        self.segment = segment
        self.why = why
        self.line = line
        self.column = column

    @classmethod
    def of(cls, segment: str, text: str, error: RuleError) -> SegmentRefused:
        """The refusal of a segment whose rule `text` has an error."""
        before = text[: error.at]
        return cls(segment, error.why, before.count("\n") + 1, error.at - (before.rfind("\n") + 1) + 1)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """That a name is not known, with what may have been meant, or all that is known.

    >>> unknown("function", "counts", ["sum", "count"])
    'unknown function "counts"; did you mean count?'
    >>> unknown("function", "zz", ["sum", "count"])
    'unknown function "zz"; known: count, sum'
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=2, cutoff=0.6)
    if near:
        return f'unknown {what} "{name}"; did you mean {" or ".join(near)}?'
    shown = ", ".join(names[:24]) + (", …" if len(names) > 24 else "")
    return f'unknown {what} "{name}"; known: {shown or "none"}'
