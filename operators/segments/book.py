"""All rules in force together, checked and compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from json import dumps

from operators.feature import Feature
from operators.segments.cell import Cell
from operators.segments.checker import check
from operators.segments.compiled import Compiled
from operators.segments.compiler import compile_rule
from operators.segments.errors import RuleError, SegmentRefused, unknown
from operators.segments.plan import TypePlan, plans
from operators.segments.reading import Affinities
from operators.segments.rule import SegmentRule
from operators.segments.vocabulary import Vocabulary

MOST_RULES = 1_000
MOST_BYTES_OF_RULE = 32 * 1024
MOST_BYTES = 256 * 1024
"""The most that one rule, and all rules together, may take of one user's record."""


@dataclass(frozen=True)
class Entry:
    """A rule in force, ready to run."""

    rule: SegmentRule
    compiled: Compiled


class SegmentBook:
    """The rules in force. It never changes: `with_rule` and `without` give another book, or refuse.

    `order` has the names of all rules, each behind those that it reads, `entries` the enabled ones; `cells` by key
    are all that they count in, `plans` by event type what an event touches. `fingerprint` tells one set of rules
    from another, and is not 0.

    >>> book = SegmentBook.of([SegmentRule(name="active", when='count("view", within="1d") >= 5')])
    >>> book = book.with_rule(SegmentRule(name="buyer", when='segment("active") and count("purchase") > 0'))
    >>> [entry.rule.name for entry in book.entries], len(book.cells)
    (['active', 'buyer'], 2)
    >>> book.with_rule(SegmentRule(name="vip", when='counts("view") > 3'))
    Traceback (most recent call last):
    ...
    operators.segments.errors.SegmentRefused: segment "vip", column 1: unknown function "counts"; did you mean count?
    """

    def __init__(
        self, rules: Mapping[str, SegmentRule], compiled: Mapping[str, Compiled], vocabulary: Vocabulary
    ) -> None:
        self.rules = dict(sorted(rules.items()))
        self._compiled = compiled
        self._vocabulary = vocabulary
        self.order = _in_order(self.rules, compiled)
        self.entries = [Entry(rules[name], compiled[name]) for name in self.order if rules[name].enabled]
        self.cells, self._most_bytes = _cells(self.entries)
        self.plans: dict[str, TypePlan] = plans([entry.compiled for entry in self.entries])
        self.fingerprint = _fingerprint(self.rules.values())

    @classmethod
    def of(
        cls,
        rules: Iterable[SegmentRule],
        features: Mapping[str, Feature] | None = None,
        affinities: Affinities | None = None,
    ) -> SegmentBook:
        """The book of these rules, in whatever order they come. Raises `SegmentRefused`."""
        vocabulary = Vocabulary(features or {}, affinities or Affinities.of())
        by_name: dict[str, SegmentRule] = {}
        for rule in rules:
            if rule.name in by_name:
                raise SegmentRefused(rule.name, "there are two rules of this name")
            by_name[rule.name] = rule
        return cls(by_name, {name: _compile(rule, vocabulary) for name, rule in by_name.items()}, vocabulary)

    def with_rule(self, rule: SegmentRule) -> SegmentBook:
        """This book with a rule more, or with another version of a rule. Raises `SegmentRefused`."""
        compiled = {**self._compiled, rule.name: _compile(rule, self._vocabulary)}
        return SegmentBook({**self.rules, rule.name: rule}, compiled, self._vocabulary)

    def without(self, name: str) -> SegmentBook:
        """This book without a rule; the same where it has none of that name.

        Raises `SegmentRefused` where another rule reads it.
        """
        if name not in self.rules:
            return self
        readers = sorted(other for other, found in self._compiled.items() if name in found.segments)
        if readers:
            raise SegmentRefused(name, f'segment "{readers[0]}" reads it; change or remove that one first')
        rules = {other: rule for other, rule in self.rules.items() if other != name}
        return SegmentBook(rules, {other: self._compiled[other] for other in rules}, self._vocabulary)

    def compiled(self, name: str) -> Compiled:
        """The compiled form of a rule, enabled or not."""
        return self._compiled[name]

    @property
    def most_bytes(self) -> int:
        """The most that all rules together take of one user's record."""
        return self._most_bytes


def _compile(rule: SegmentRule, vocabulary: Vocabulary) -> Compiled:
    try:
        return compile_rule(check(rule.when, vocabulary))
    except RuleError as error:
        raise SegmentRefused.of(rule.name, rule.when, error) from None


def _in_order(rules: Mapping[str, SegmentRule], compiled: Mapping[str, Compiled]) -> list[str]:
    """The names, each behind those that its rule reads. Raises `SegmentRefused` for circles and unknown names."""
    if len(rules) > MOST_RULES:
        last = max(rules)
        raise SegmentRefused(last, f"there are {len(rules)} rules; the most is {MOST_RULES}")
    placed: dict[str, None] = {}
    for name in rules:
        _place(name, rules, compiled, placed, ())
    return list(placed)


def _place(
    name: str,
    rules: Mapping[str, SegmentRule],
    compiled: Mapping[str, Compiled],
    placed: dict[str, None],
    above: tuple[str, ...],
) -> None:
    if name in placed:
        return
    if name in above:
        circle = " → ".join((*above[above.index(name) :], name))
        raise SegmentRefused(
            name, f"segments read each other in a circle: {circle}; take one segment(…) out of it"
        )
    for read in sorted(compiled[name].segments):
        if read not in rules:
            raise SegmentRefused(name, unknown("segment", read, set(rules) - {name}))
        _place(read, rules, compiled, placed, (*above, name))
    placed[name] = None


def _cells(entries: Iterable[Entry]) -> tuple[dict[int, Cell], int]:
    """The cells of all rules by key, and the bytes that they can take. Raises `SegmentRefused` beyond the bounds."""
    found: dict[int, Cell] = {}
    total = 0
    for entry in entries:
        cells = entry.compiled.cells
        own = entry.compiled.most_bytes(entry.rule.name)
        total += own - sum(cell.most_bytes for cell in cells)
        if own > MOST_BYTES_OF_RULE:
            raise SegmentRefused(
                entry.rule.name,
                f"it could take {own:,} bytes of a user's record; the most is {MOST_BYTES_OF_RULE:,}: compare counts"
                " with constants, or ask of fewer windows and filters",
            )
        for cell in cells:
            there = found.setdefault(cell.key, cell)
            if there is cell:
                total += cell.most_bytes
            elif there.text != cell.text:
                raise SegmentRefused(
                    entry.rule.name, f"{cell.text} has the key of {there.text}; change its window"
                )
        if total > MOST_BYTES:
            raise SegmentRefused(
                entry.rule.name,
                f"with it, all rules together could take {total:,} bytes of a user's record; the most is"
                f" {MOST_BYTES:,}: use the windows and filters of other rules, or remove a rule",
            )
    return found, total


def _fingerprint(rules: Iterable[SegmentRule]) -> int:
    text = dumps([(rule.name, rule.version, rule.when, rule.enabled) for rule in rules])
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big") or 1
