"""Conditions as closures: each says whether it holds now, and until when that is so without an event.

A condition that stands behind an absent value is false.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from operators.feature import FeatureValue
from operators.segments.cell import NEVER, KeptCell, NumberCell
from operators.segments.compile_value import NextChange
from operators.segments.compiled import Cells, Judge, Judged, Number, Read
from operators.segments.steps_cell import StepsCell
from operators.segments.total import Latest
from schemas.state import UserState

ALWAYS_TRUE: Judged = (True, NEVER)
ALWAYS_FALSE: Judged = (False, NEVER)


def always(judged: Judged) -> Judge:
    """The same at all times."""
    return lambda cells, user, now, active: judged


def at_least(cell: KeptCell, n: int) -> Judge:
    """At least n (1 or more) lie in the window: until the n-th newest leaves it."""
    key, leaves = cell.key, cell.leaves

    def judge(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        held = cells.get(key)
        if held is None:
            return ALWAYS_FALSE
        until = leaves(held, n)
        return (True, until) if until > now else ALWAYS_FALSE

    return judge


def compared(
    compare: Callable[[Any, Any], bool],
    left: Read,
    right: Read,
    change: NextChange | None,
    settled: bool | None,
) -> Judge:
    """A comparison of two values, the first change of which comes at `change`.

    The answer `settled` stays until an event comes; None: neither answer does.
    """

    def judge(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        a = left(cells, user, now)
        b = right(cells, user, now)
        holds = a is not None and b is not None and compare(a, b)
        if change is None or holds is settled:
            return ALWAYS_TRUE if holds else ALWAYS_FALSE
        return holds, change(cells, user, now)

    return judge


def against(
    compare: Callable[[Any, Any], bool],
    cell: NumberCell,
    bound: FeatureValue,
    moves: bool,
    settled: bool | None,
) -> Judge:
    """As `compared`, of a cell's number and a constant; with `moves`, time alone can change the number."""
    key, value, look = cell.key, cell.value, cell.look

    def moving(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        number, until = look(cells.get(key, b""), now)
        holds = number is not None and compare(number, bound)
        if holds is settled:
            return ALWAYS_TRUE if holds else ALWAYS_FALSE
        return holds, until

    def still(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        number = value(cells.get(key, b""), now)
        return ALWAYS_TRUE if number is not None and compare(number, bound) else ALWAYS_FALSE

    return moving if moves else still


def elapsed(operator: str, time: Number, ms: int) -> Judge:
    """The time since something is below (<, <=) or above (>, >=) a number of ms."""
    # Time is counted in whole ms: more than n ms are at least n + 1.
    bound = ms + 1 if operator in ("<=", ">") else ms
    below = operator in ("<", "<=")

    def judge(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        at = time(cells, user, now)
        if at is None:
            return ALWAYS_FALSE
        turns = int(at) + bound
        if now >= turns:
            return ALWAYS_FALSE if below else ALWAYS_TRUE
        return below, turns

    return judge


def among(value: Read, constants: frozenset[FeatureValue], wanted: bool, change: NextChange | None) -> Judge:
    """A value is one of some constants, or none of them where not `wanted`."""

    def judge(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        found = value(cells, user, now)
        holds = found is not None and (found in constants) is wanted
        return holds, NEVER if change is None else change(cells, user, now)

    return judge


def unfinished(first: Latest, second: Latest, within: int) -> Judge:
    """The latest first step is at least `within` ms ago, and no second step came since."""
    first_key, second_key = first.key, second.key

    def judge(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        begun = first.value(cells.get(first_key, b""), now)
        if begun is None:
            return ALWAYS_FALSE
        ended = second.value(cells.get(second_key, b""), now)
        if ended is not None and ended >= begun:
            return ALWAYS_FALSE
        turns = int(begun) + within
        return ALWAYS_TRUE if now >= turns else (False, turns)

    return judge


def followed(cell: StepsCell, within: int) -> Judge:
    """A first step came at most `within` ms before the latest second step."""
    key = cell.key

    def judge(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        apart = cell.apart(cells.get(key, b""))
        return ALWAYS_TRUE if apart is not None and apart <= within else ALWAYS_FALSE

    return judge


def in_segment(name: str) -> Judge:
    """The user is in a segment; when that changes, the rules that ask are judged again."""
    return lambda cells, user, now, active: ALWAYS_TRUE if name in active else ALWAYS_FALSE


def denied(part: Judge) -> Judge:
    """The part does not hold."""

    def judge(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        holds, until = part(cells, user, now, active)
        return not holds, until

    return judge


def joined(parts: tuple[Judge, ...], every: bool) -> Judge:
    """All parts hold (`every`), or one at least.

    A part that stands against the whole keeps it so alone: the whole cannot turn before all such parts have.
    """

    def judge(cells: Cells, user: UserState, now: int, active: set[str]) -> Judged:
        soonest = NEVER
        against = 0
        for part in parts:
            holds, until = part(cells, user, now, active)
            if holds is not every:
                if until == NEVER:
                    return not every, NEVER
                if until > against:
                    against = until
            elif until < soonest:
                soonest = until
        return (not every, against) if against else (every, soonest)

    return judge
