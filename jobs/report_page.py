"""Pieces of the HTML pages that trainings and evaluations write: sentences and tables. They load nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

_NUMBER = re.compile(r"[-+−]?[\d,.]+%?(?: \([-+−\d,. –to]+\))?|–")
_JOINT = re.compile(r"([:_+=/])")
"""Behind which a long name may be broken."""
_INTERVAL = re.compile(r" \(([^()]*)\)$")


def paragraphs(sentences: Sequence[str]) -> str:
    """A paragraph a sentence.

    >>> paragraphs(["5 < 6"])
    '<p>5 &lt; 6</p>'
    """
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], chosen: Sequence[bool] = ()) -> str:
    """A table, columns of numbers to the right and bounds in small; the rows that are `chosen` stand out."""
    right = [
        bool(rows) and all(_NUMBER.fullmatch(row[place]) for row in rows) for place in range(len(headings))
    ]
    head = "".join(_cell("th", *cell) for cell in zip(headings, right, strict=True))
    lines = []
    for number, row in enumerate(rows):
        mark = " class=chosen" if number < len(chosen) and chosen[number] else ""
        lines.append(f"<tr{mark}>" + "".join(_cell("td", *cell) for cell in zip(row, right, strict=True)))
    return f"<div class=scroll><table><thead><tr>{head}<tbody>" + "\n".join(lines) + "</table></div>"


def _cell(tag: str, words: str, right: bool) -> str:
    if not right:
        return f"<{tag}>" + _JOINT.sub(r"\1<wbr>", escape(words))
    return f"<{tag} class=number>" + _INTERVAL.sub(r" <small>\1</small>", escape(words))
