"""From a rule's text to its syntax, by recursive descent.

rule        = both { "or" both }
both        = denied { "and" denied }
denied      = "not" denied | compared
compared    = sum [ operator sum | ["not"] "in" options | "then" ["not"] sum "within" text ]
sum         = product { ("+" | "-") product }
product     = signed { ("*" | "/") signed }
signed      = "-" signed | basic
basic       = number | text | "true" | "false" | name { "." name } [ "(" arguments ")" ] | "(" rule ")"
arguments   = [ argument { "," argument } ]
argument    = name { "." name } ( "=" | operator ) value | name "in" options | sum
"""

from __future__ import annotations

from operators.segments.errors import RuleError
from operators.segments.lexer import Token, Word, tokens
from operators.segments.syntax import (
    Calculation,
    Call,
    Comparing,
    Joined,
    Literal,
    Name,
    Negated,
    Negative,
    Node,
    OneOf,
    Options,
    Setting,
    Steps,
)

DEEPEST = 32
"""Most levels of parentheses, calls, `not` and signs within one another."""

MOST_OPTIONS = 100
"""Most values of one `in (…)`."""

_COMPARING = frozenset({"==", "!=", "<", "<=", ">", ">="})
_RESERVED = frozenset({"and", "or", "not", "in", "then", "within", "true", "false"})


def parse(text: str) -> Node:
    """The syntax of a rule. Raises `RuleError` where the text breaks off from the language.

    >>> parse("persona == 'night owl'").operator
    '=='
    """
    if not text.strip():
        raise RuleError('the rule is empty; write a condition such as count("purchase", within="30d") > 3', 0)
    reader = _Reader(tokens(text))
    node = reader.rule()
    reader.expect_end()
    return node


class _Reader:
    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._next = 0
        self._depth = 0

    def rule(self) -> Node:
        return self._joined("or")

    def expect_end(self) -> None:
        token = self._peek()
        if token.word is not Word.END:
            if token.says in _COMPARING:
                raise RuleError("two comparisons in a row; write a < b and b < c", token.at)
            if token.says == "=":
                raise RuleError("a comparison is written ==", token.at)
            raise RuleError(f'"{token.says}" is not expected here; join conditions with and, or', token.at)

    def _joined(self, word: str) -> Node:
        first = self._denied() if word == "and" else self._joined("and")
        parts = [first]
        while self._take(word):
            parts.append(self._denied() if word == "and" else self._joined("and"))
        return first if len(parts) == 1 else Joined(word, tuple(parts), first.at)

    def _denied(self) -> Node:
        at = self._peek().at
        if self._take("not"):
            self._enter(at)
            node = Negated(self._denied(), at)
            self._depth -= 1
            return node
        return self._compared()

    def _compared(self) -> Node:
        left = self._sum()
        token = self._peek()
        if token.word is Word.SYMBOL and token.says in _COMPARING:
            self._next += 1
            return Comparing(token.says, left, self._sum(), token.at)
        if self._take("in"):
            return OneOf(left, self._options(), negated=False, at=token.at)
        if token.says == "not" and token.word is Word.NAME and self._words[self._next + 1].says == "in":
            self._next += 2
            return OneOf(left, self._options(), negated=True, at=token.at)
        if self._take("then"):
            return self._steps(left, token.at)
        return left

    def _steps(self, first: Node, at: int) -> Node:
        negated = self._take("not")
        second = self._sum()
        if self._peek().says == "then":
            raise RuleError("a sequence has two steps; join two sequences with and", self._peek().at)
        if not self._take("within"):
            raise RuleError('a sequence ends with within "1h", the time between its steps', self._peek().at)
        within = self._peek()
        if within.word is not Word.TEXT:
            raise RuleError('within is followed by a duration in quotes, such as "1h"', within.at)
        self._next += 1
        return Steps(first, second, negated, Literal(within.says, within.at), at)

    def _sum(self) -> Node:
        return self._calculation(("+", "-"))

    def _calculation(self, operators: tuple[str, str]) -> Node:
        sums = operators[0] == "+"
        left = self._calculation(("*", "/")) if sums else self._signed()
        while (token := self._peek()).word is Word.SYMBOL and token.says in operators:
            self._next += 1
            right = self._calculation(("*", "/")) if sums else self._signed()
            left = Calculation(token.says, left, right, token.at)
        return left

    def _signed(self) -> Node:
        at = self._peek().at
        if self._take("-"):
            self._enter(at)
            node = Negative(self._signed(), at)
            self._depth -= 1
            return node
        return self._basic()

    def _basic(self) -> Node:
        token = self._peek()
        if token.word is Word.END:
            raise RuleError("the rule ends too early", token.at)
        self._next += 1
        if token.word is Word.NUMBER:
            return Literal(float(token.says), token.at)
        if token.word is Word.TEXT:
            return Literal(token.says, token.at)
        if token.says == "(":
            self._enter(token.at)
            node = self.rule()
            self._close(token.at)
            self._depth -= 1
            return node
        if token.word is not Word.NAME or token.says in _RESERVED - {"true", "false"}:
            raise RuleError(f'"{token.says}" stands where a value is expected', token.at)
        if token.says in ("true", "false"):
            return Literal(token.says == "true", token.at)
        name = self._dotted(token)
        opened = self._peek().at
        if self._take("("):
            return self._call(name, token.at, opened)
        return Name(name, token.at)

    def _dotted(self, token: Token) -> str:
        name = token.says
        while self._take("."):
            part = self._peek()
            if part.word is not Word.NAME:
                raise RuleError("a name is expected behind the point", part.at)
            self._next += 1
            name += "." + part.says
        return name

    def _call(self, function: str, at: int, opened: int) -> Call:
        self._enter(at)
        arguments: list[Node] = []
        settings: list[Setting] = []
        while self._peek().says != ")" or self._peek().word is Word.TEXT:
            setting = self._setting()
            if setting is not None:
                settings.append(setting)
            else:
                arguments.append(self._sum())
            if not self._take(","):
                break
        self._close(opened)
        self._depth -= 1
        return Call(function, tuple(arguments), tuple(settings), at)

    def _setting(self) -> Setting | None:
        start = self._next
        token = self._peek()
        if token.word is Word.NAME and (token.says not in _RESERVED or token.says == "within"):
            self._next += 1
            field = self._dotted(token)
            operator = self._peek()
            if operator.word is Word.SYMBOL and (operator.says in _COMPARING or operator.says == "="):
                self._next += 1
                return Setting(field, operator.says, self._plain_value(), token.at)
            if self._take("in"):
                return Setting(field, "in", self._options(), token.at)
        self._next = start
        return None

    def _plain_value(self) -> Literal | Name:
        value = self._sum()
        if (
            isinstance(value, Negative)
            and isinstance(value.of, Literal)
            and isinstance(value.of.value, float)
        ):
            return Literal(-value.of.value, value.at)
        if not isinstance(value, Literal | Name):
            raise RuleError("only a number or a text can stand here", value.at)
        return value

    def _options(self) -> Options:
        opening = self._peek()
        if not self._take("("):
            raise RuleError('in is followed by values in parentheses: in ("a", "b")', opening.at)
        values: list[Literal] = []
        while True:
            value = self._plain_value()
            if not isinstance(value, Literal):
                raise RuleError("only a number or a text can stand here", value.at)
            values.append(value)
            if not self._take(","):
                break
        self._close(opening.at)
        if len(values) > MOST_OPTIONS:
            raise RuleError(f"in (…) has {len(values)} values; the most is {MOST_OPTIONS}", opening.at)
        return Options(tuple(values), opening.at)

    def _close(self, opened: int) -> None:
        token = self._peek()
        if not self._take(")"):
            what = f'"{token.says}"' if token.word is not Word.END else "the end"
            raise RuleError(f"the parenthesis of column {opened + 1} is not closed before {what}", token.at)

    def _enter(self, at: int) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise RuleError(f"the rule is nested deeper than {DEEPEST} levels", at)

    def _peek(self) -> Token:
        return self._words[self._next]

    def _take(self, says: str) -> bool:
        token = self._words[self._next]
        if token.says == says and token.word in (Word.NAME, Word.SYMBOL):
            self._next += 1
            return True
        return False
