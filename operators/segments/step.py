"""The segment step: what an event, or time alone, changes about the segments of one user."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from operators.item_facts import ItemFacts
from operators.segments.book import SegmentBook
from operators.segments.cell import NEVER
from operators.segments.plan import ANY
from schemas.records import Event
from schemas.segment_memory import SegmentMemory
from schemas.state import UserState


@dataclass(frozen=True)
class Transition:
    """A user entered or left a segment at an event time (ms), by which version of its rule, and the numbers.

    A segment whose rule was removed is left with version 0 and without evidence.
    """

    segment: str
    entered: bool
    at: int
    version: int
    evidence: dict[str, float] = field(default_factory=dict)


class SegmentStep:
    """Applies the rules of one book to user records. Holds nothing of any user itself.

    What a user is in, is a function of their accepted events and of the time as of which it is asked: events of
    other users, a clock, or when `advance` is called change nothing about it.

    >>> from operators.segments.rule import SegmentRule
    >>> step = SegmentStep(SegmentBook.of([SegmentRule(name="keen", when='count("view", within="1h") >= 2')]))
    >>> user = UserState("pseudonym", born=0)
    >>> for n in (0, 1):
    ...     user.last = n
    ...     view = Event(event_id=str(n), user_id="ann", type="view", time=n)
    ...     changes = step.update(user, view, ItemFacts(), n)
    >>> changes[0].evidence, user.segments, step.next_due(user)
    ({'count("view", within="1h")': 2.0}, ['keen'], 3600000)
    >>> [(change.segment, change.entered, change.at) for change in step.advance(user, 4_000_000)]
    [('keen', False, 3600000)]
    """

    def __init__(self, book: SegmentBook) -> None:
        self._book = book
        self._rules = [(entry.rule.name, entry.compiled.judge) for entry in book.entries]
        self._numbers = {name: number for number, (name, _) in enumerate(self._rules)}
        self._readers: list[list[int]] = [[] for _ in self._rules]
        for number, entry in enumerate(book.entries):
            for read in entry.compiled.segments:
                if read in self._numbers:
                    self._readers[self._numbers[read]].append(number)

    def update(self, user: UserState, event: Event, facts: ItemFacts, time: int) -> list[Transition]:
        """Apply one accepted event, which the rest of the user record has taken in already.

        What was due before `time` comes first, each at its own time. To judge it by the record as it was before
        the event, call `advance(user, time - 1)` before the user step.
        """
        memory = user.segment_memory
        book = self._book
        known = memory.book == book.fingerprint
        changes = self.advance(user, time - 1) if known and memory.dues else []
        if not known:
            self._adopt(memory)
        now = memory.now = max(memory.now, time)
        plan = book.plans.get(event.type) or book.plans[ANY]
        cells = memory.cells
        touched: set[int] = set()
        for touch in plan.touches:
            if touch.matches is None or touch.matches(event, facts):
                for key, add in touch.adds:
                    held = add(cells.get(key, b""), time, event, facts, now)
                    if held:
                        cells[key] = held
                touched |= touch.rules
        if not known:
            return changes + self._judge_all(user, now)
        touched |= plan.rules
        for name, due in memory.dues.items():
            if due <= now:
                touched.add(self._numbers[name])
        order = (
            plan.order
            if len(touched) == len(plan.order) and touched.issuperset(plan.order)
            else sorted(touched)
        )
        return changes + self._judge(user, now, order)

    def advance(self, user: UserState, now: int) -> list[Transition]:
        """All changes that time alone brings until `now` (ms), each at its own time, the earliest first."""
        memory = user.segment_memory
        changes: list[Transition] = []
        while memory.dues and (due := min(memory.dues.values())) <= now:
            at = memory.now = max(memory.now, due)
            if memory.book != self._book.fingerprint:
                self._adopt(memory)
                changes += self._judge_all(user, at)
            else:
                numbers = [self._numbers[name] for name, when in memory.dues.items() if when <= at]
                changes += self._judge(user, at, sorted(numbers))
        return changes

    def next_due(self, user: UserState) -> int | None:
        """The earliest event time (ms) at which a membership could change without an event; None: never."""
        dues = user.segment_memory.dues
        return min(dues.values()) if dues else None

    def _adopt(self, memory: SegmentMemory) -> None:
        """Begin to judge by this book: cells that no rule reads any more go, new ones begin empty."""
        cells = self._book.cells
        memory.cells = {key: held for key, held in memory.cells.items() if key in cells}
        memory.dues = {}
        memory.book = self._book.fingerprint

    def _judge_all(self, user: UserState, now: int) -> list[Transition]:
        gone = [name for name in user.segments if name not in self._numbers]
        if gone:
            user.segments = [name for name in user.segments if name in self._numbers]
        left = [Transition(name, False, now, self._version(name)) for name in gone]
        return left + self._judge(user, now, range(len(self._rules)))

    def _judge(self, user: UserState, now: int, numbers: Iterable[int]) -> list[Transition]:
        """Judge rules by number, in order, and those that read a segment that changes on the way."""
        memory = user.segment_memory
        cells, dues = memory.cells, memory.dues
        active = set(user.segments)
        changes: list[Transition] = []
        order = list(numbers)
        rules = self._rules
        for number in order:  # grows on the way, always behind the place that it has come to
            name, judge = rules[number]
            holds, due = judge(cells, user, now, active)
            if due != NEVER:
                dues[name] = due
            elif name in dues:
                del dues[name]
            if holds is not (name in active):
                if holds:
                    active.add(name)
                else:
                    active.discard(name)
                changes.append(self._transition(user, number, holds, now))
                for reader in self._readers[number]:
                    if reader not in order:
                        insort(order, reader)
        if changes:
            user.segments = sorted(active)
        return changes

    def _transition(self, user: UserState, number: int, entered: bool, now: int) -> Transition:
        entry = self._book.entries[number]
        cells = user.segment_memory.cells
        evidence: dict[str, float] = {}
        for each in entry.compiled.evidence:
            found = each.read(cells, user, now)
            if found is not None:
                evidence[each.text] = found
        return Transition(entry.rule.name, entered, now, entry.rule.version, evidence)

    def _version(self, name: str) -> int:
        rule = self._book.rules.get(name)
        return 0 if rule is None else rule.version
