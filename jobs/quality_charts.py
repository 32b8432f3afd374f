"""Charts of a report on the quality of lists, as SVG that follows the reader's light or dark page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from operators.user_bootstrap import Interval

LIGHT = (
    "#0b62c4",
    "#c2571a",
    "#2a8a4a",
    "#a8328f",
    "#7a5cc9",
    "#8c6d1f",
    "#0e8a93",
    "#b5304a",
    "#5b6770",
    "#4f7f00",
)
DARK = (
    "#6cb0ff",
    "#ff9e64",
    "#6fd08c",
    "#f08fd8",
    "#b9a3ff",
    "#e0c060",
    "#5fd3dc",
    "#ff8fa3",
    "#aab4bd",
    "#a9d65a",
)
"""Colours of strategies, the first for the one that the report is about."""

STYLE = (
    "svg{color:#3a424b}"
    + "".join(f".c{n}{{color:{colour}}}" for n, colour in enumerate(LIGHT))
    + "@media(prefers-color-scheme:dark){svg{color:#c3cad1}"
    + "".join(f".c{n}{{color:{colour}}}" for n, colour in enumerate(DARK))
    + "}"
)
"""What a page, or an SVG file of its own, needs for the charts."""

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 46, 18, 12, 30
_LINES_HEIGHT, _ROW, _GAP = 250, 18, 10
_LETTER = 7.0
"""Width of a letter, about, at the size of the labels."""


class Line(NamedTuple):
    """One strategy's figures, in the order of what they stand above; None where there is none."""

    name: str
    values: Sequence[Interval | None]


def lines(title: str, across: Sequence[str], drawn: Sequence[Line]) -> str:
    """Figures against `across`, a line a strategy, the bounds of the first as a band."""
    top = _ceiling([each.high for line in drawn for each in line.values if each is not None])
    span = max(len(across) - 1, 1)

    def x(place: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * place / span

    def y(value: float) -> float:
        return _LINES_HEIGHT - _BOTTOM - (_LINES_HEIGHT - _TOP - _BOTTOM) * value / top

    parts = []
    for tick in _ticks(top):
        parts.append(
            f"<path d='M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}' stroke='currentColor' stroke-opacity='.18'/>"
            + _text(_LEFT - 6, y(tick) + 4, f"{tick:g}", "end")
        )
    for place in sorted({0, len(across) // 2, len(across) - 1}):
        anchor = "start" if place == 0 else "end" if place == len(across) - 1 else "middle"
        parts.append(_text(x(place), _LINES_HEIGHT - 8, across[place].strip(), anchor))
    for number, line in reversed(list(enumerate(drawn))):
        there = [(x(place), each) for place, each in enumerate(line.values) if each is not None]
        if number == 0 and there:
            edge = [f"{at:.1f},{y(each.high):.1f}" for at, each in there]
            edge += [f"{at:.1f},{y(each.low):.1f}" for at, each in reversed(there)]
            parts.append(
                f"<polygon class='c0' points='{' '.join(edge)}' fill='currentColor' fill-opacity='.16'/>"
            )
        points = " ".join(f"{at:.1f},{y(each.value):.1f}" for at, each in there)
        parts.append(
            f"<polyline class='{_colour(number)}' points='{points}' fill='none' stroke='currentColor'"
            f" stroke-width='{2.5 if number == 0 else 1.5}'{_dashes(number)}><title>{escape(line.name)}</title>"
            "</polyline>"
        )
    return _svg(title, _LINES_HEIGHT, parts)


def whiskers(title: str, groups: Sequence[tuple[str, Sequence[tuple[int, Line]]]]) -> str:
    """A row a figure, with its bounds, group by group; each line holds one figure, and its strategy's number.

    A group without a name has its lines named instead.
    """
    everything = [line for _, held in groups for _, line in held]
    top = _ceiling([each.high for line in everything for each in line.values if each is not None])
    named = [name or line.name for name, held in groups for _, line in held]
    left = min(190.0, 12 + _LETTER * max(map(len, named), default=0))

    def x(value: float) -> float:
        return left + (_WIDTH - left - _RIGHT) * value / top

    height = (
        _TOP + sum(len(held) * _ROW * (1.0 if not name else 0.62) + _GAP for name, held in groups) + _BOTTOM
    )
    parts = []
    for tick in _ticks(top):
        parts.append(
            f"<path d='M{x(tick):.1f} {_TOP}V{height - _BOTTOM}' stroke='currentColor' stroke-opacity='.18'/>"
            + _text(x(tick), height - 10, f"{tick:g}", "middle")
        )
    down = float(_TOP)
    for name, held in groups:
        row = _ROW * (1.0 if not name else 0.62)
        if name:
            parts.append(_text(left - 8, down + row * len(held) / 2 + 4, _shortened(name, left), "end"))
        for number, line in held:
            middle = down + row / 2
            if not name:
                parts.append(_text(left - 8, middle + 4, _shortened(line.name, left), "end"))
            for each in line.values:
                if each is not None:
                    parts.append(
                        f"<g class='{_colour(number)}'><title>{escape(line.name)}: {each.value:.4f}</title>"
                        f"<path d='M{x(each.low):.1f} {middle:.1f}H{x(each.high):.1f}' stroke='currentColor'"
                        f" stroke-width='2'/><circle cx='{x(each.value):.1f}' cy='{middle:.1f}'"
                        f" r='{4 if number == 0 else 3.2}' fill='currentColor'/></g>"
                    )
            down += row
        down += _GAP
    return _svg(title, round(height), parts)


def legend(names: Sequence[tuple[int, str]]) -> str:
    """Which colour is which strategy."""
    return (
        "<p class=legend>"
        + " ".join(
            f"<span><svg class='{_colour(number)}' width='22' height='10' aria-hidden='true'><path d='M1 5H21'"
            f" stroke='currentColor' stroke-width='{4 if number == 0 else 3}'{_dashes(number)}/></svg>"
            f" {escape(name)}</span>"
            for number, name in names
        )
        + "</p>"
    )


def file_of(chart: str, names: Sequence[tuple[int, str]]) -> str:
    """A chart as a file of its own, with a legend below."""
    head, _, body = chart.partition(">")
    height = int(head.partition("viewBox='0 0 ")[2].split("'")[0].split()[1])
    rows, at = [], float(_LEFT)
    below = height + 12
    for number, name in names:
        width = 30 + _LETTER * 1.1 * len(name)
        if at + width > _WIDTH and at > _LEFT:
            at, below = float(_LEFT), below + 18
        rows.append(
            f"<path class='{_colour(number)}' d='M{at:.0f} {below - 4}h18' stroke='currentColor' stroke-width='3'"
            f"{_dashes(number)}/>" + _text(at + 23, below, name, "start")
        )
        at += width
    head = head.replace(f"0 0 {_WIDTH} {height}'", f"0 0 {_WIDTH} {below + 8}'")
    return f"{head} xmlns='http://www.w3.org/2000/svg'><style>{STYLE}</style>{body.removesuffix('</svg>')}{''.join(rows)}</svg>\n"


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f"<svg viewBox='0 0 {_WIDTH} {height}' width='{_WIDTH}' font-size='12' font-family='system-ui, sans-serif'"
        f" role='img' aria-label='{escape(title, quote=True)}'>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='currentColor'>{escape(words)}</text>"


def _shortened(words: str, width: float) -> str:
    most = int((width - 10) / _LETTER)
    return words if len(words) <= most else words[: most - 1] + "…"


def _colour(number: int) -> str:
    return f"c{number % len(LIGHT)}"


def _dashes(number: int) -> str:
    return " stroke-dasharray='5 3'" if number >= len(LIGHT) else ""


def _ceiling(values: Sequence[float]) -> float:
    """The end of an axis from 0 that holds these: 1, 2, 2.5 or 5 times a power of ten, or a multiple of it.

    >>> _ceiling([0.17, 0.183]), _ceiling([])
    (0.2, 1.0)
    """
    most = max(values, default=0.0)
    if most <= 0.0:
        return 1.0
    step = _step(most)
    return round(math.ceil(most / step - 1e-9) * step, 10)


def _step(most: float) -> float:
    power = 10.0 ** math.floor(math.log10(most / 4.0))
    return next(power * each for each in (1.0, 2.0, 2.5, 5.0, 10.0) if power * each * 5.0 >= most)


def _ticks(top: float) -> list[float]:
    step = _step(top)
    return [round(step * k, 10) for k in range(round(top / step) + 1)]
