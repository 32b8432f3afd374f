"""Charts of a training of personas as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from jobs.personas_report import TriedClustering
from operators.persona_arithmetic import Floats

_COLOURS = (
    "#1f77b4", "#d95f02", "#2ca02c", "#c51b7d", "#7b52ab", "#8c564b", "#17a2b8", "#a6761d", "#555555", "#b3b300",
)  # fmt: skip
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 280, 48, 14, 14, 42
_MOST_TICKS = 10
_AXIS = "stroke='#8a929b' stroke-width='1'"
_BY_NUMBER = ("kmeans", "agglomerative")
"""Algorithms that are told the number of clusters: their points are joined by a line."""


def scatter(points: Floats, persona: Sequence[int], names: Sequence[str]) -> str:
    """Users at their first two principal components, coloured by persona; outliers stand at the edge."""
    low, high = np.quantile(points[:, :2], (0.005, 0.995), axis=0)
    spread = np.where(high > low, high - low, 1.0)
    placed = np.clip((points[:, :2] - low) / spread, 0.0, 1.0)
    dots = [
        f"<circle cx='{_x(x):.1f}' cy='{_y(y):.1f}' r='2' fill='{_colour(number)}' fill-opacity='.55'/>"
        for (x, y), number in zip(placed.tolist(), persona, strict=True)
    ]
    axes = [*_frame("first principal component"), _beside("second principal component")]
    return _svg("Users by principal component", [*axes, *dots], names)


def by_clusters(tried: Sequence[TriedClustering], figure: str, title: str) -> str:
    """One figure of every clustering against its number of clusters, the chosen one ringed."""
    values = [getattr(line, figure) for line in tried]
    counts = [line.clusters for line in tried]
    low, high = min(values), max(values)
    fewest, most = min(counts), max(counts)

    def across(count: int) -> float:
        return _x((count - fewest) / (most - fewest) if most > fewest else 0.5)

    def up(value: float) -> float:
        return _y((value - low) / (high - low) if high > low else 0.5)

    drawn = _frame("clusters")
    step = -(-(most - fewest + 1) // _MOST_TICKS)
    for count in range(fewest, most + 1, step):
        drawn.append(_text(across(count), _HEIGHT - _BOTTOM + 15, str(count)))
    for value in sorted({low, high}):
        drawn.append(_text(_LEFT - 6, up(value) + 4, f"{value:.2f}", "end"))
    names = sorted({line.algorithm for line in tried})
    for number, name in enumerate(names):
        own = sorted((line for line in tried if line.algorithm == name), key=lambda line: line.clusters)
        places = [(across(line.clusters), up(getattr(line, figure))) for line in own]
        if name in _BY_NUMBER:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            drawn.append(
                f"<polyline points='{path}' fill='none' stroke='{_colour(number)}' stroke-width='1.5'/>"
            )
        for line, (x, y) in zip(own, places, strict=True):
            ring = " stroke='#1b1f24' stroke-width='2'" if line.chosen else ""
            radius = 6 if line.chosen else 3
            drawn.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius}' fill='{_colour(number)}'{ring}/>")
    caption = f"<figcaption>{escape(title)}; the chosen clustering is ringed</figcaption>"
    return f"<figure>{caption}{_svg(title, drawn, names)}</figure>"


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _frame(below: str) -> list[str]:
    base = _HEIGHT - _BOTTOM
    return [
        f"<path d='M{_LEFT - 3} {_TOP - 6} V{base + 3} H{_WIDTH - _RIGHT + 6}' fill='none' {_AXIS}/>",
        _text((_LEFT + _WIDTH - _RIGHT) / 2, base + 32, below),
    ]


def _beside(words: str) -> str:
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    return (
        f"<text transform='translate({_LEFT - 14} {middle}) rotate(-90)' text-anchor='middle'>{words}</text>"
    )


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{escape(words)}</text>"


def _svg(title: str, drawn: Sequence[str], names: Sequence[str]) -> str:
    legend = [
        f"<rect x='{_LEFT}' y='{_HEIGHT + 18 * k - 1}' width='10' height='10' fill='{_colour(k)}'/>"
        f"<text x='{_LEFT + 16}' y='{_HEIGHT + 18 * k + 8}'>{escape(name)}</text>"
        for k, name in enumerate(names)
    ]
    height = _HEIGHT + 18 * len(names)
    return (
        f"<svg viewBox='0 0 {_WIDTH} {height}' width='{_WIDTH}' font-size='11' fill='#3a424b' role='img'"
        f" aria-label='{escape(title, quote=True)}'>" + "".join([*drawn, *legend]) + "</svg>"
    )


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
