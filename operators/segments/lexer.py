"""The words of a rule's text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from operators.segments.errors import RuleError

LONGEST_RULE = 4_000
"""Most characters of a rule."""


class Word(Enum):
    """The kinds of words."""

    NUMBER = "number"
    TEXT = "text"
    NAME = "name"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True)
class Token:
    """One word: its kind, what it says (of a text, without the quotes), and where it begins, from 0."""

    word: Word
    says: str
    at: int


_PATTERN = re.compile(
    r"""(?P<space>(?:\s|\#[^\n]*)+)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<text>"(?:[^"\\\n]|\\["\\])*"|'(?:[^'\\\n]|\\['\\])*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<symbol>==|!=|<=|>=|[<>=()\[\],.+\-*/])""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")


def tokens(text: str) -> list[Token]:
    """The words of a rule, an END last. `#` begins a comment that ends with the line.

    >>> [token.says for token in tokens('count("view") > 3')]
    ['count', '(', 'view', ')', '>', '3', '']

    Raises `RuleError` at the first character that begins no word.
    """
    if len(text) > LONGEST_RULE:
        raise RuleError(
            f"the rule has {len(text)} characters; the most is {LONGEST_RULE}: split it", LONGEST_RULE
        )
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise RuleError(_unread(text[at]), at)
        kind = match.lastgroup
        says = match.group()
        if kind == "number" and match.end() < len(text) and (text[match.end()].isalpha()):
            raise RuleError(f'a number is followed by a letter; durations stand in quotes: "{says}d"', at)
        if kind == "text":
            says = _ESCAPED.sub(r"\1", says[1:-1])
        if kind != "space":
            found.append(Token(Word(kind), says, at))
        at = match.end()
    found.append(Token(Word.END, "", len(text)))
    return found


def _unread(character: str) -> str:
    if character in "\"'":
        return f"a text begins with {character} and does not end in this line"
    if character in "“”„‘’":
        return f'{character} is a typographic quote; write "'
    if character in "&|":
        return f"{character} is not part of the language; write and, or"
    if character == "!":
        return "! is not part of the language; write not"
    return f"{character!r} is not part of the language"
