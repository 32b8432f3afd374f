"""`headrace evaluate --calibration`: can affinities be taken at their word, and the curve that makes it so."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from jobs.plain_stream import PlainStream
from jobs.settings import Settings
from jobs.training_events import NothingToLearnError, TrainingEvents
from operators.affinity import AffinityModel
from operators.calibration import Calibration, CalibrationSettings, fit
from operators.item_facts import NOTHING_KNOWN, facts_of
from operators.logistic import sigmoids
from operators.profile import most_counted
from operators.reliability import Reliability, reliability_of

LEAST = 200
"""Predictions without which no curve is fitted."""

_BAR = 24


class CalibrationReport(msgspec.Struct, frozen=True, kw_only=True):
    """Of which `events` were judged, the curve fitted on the earlier half, and figures on the later half."""

    events: int
    predictions: int
    fitted: CalibrationSettings
    figures: list[Reliability]


def evaluate_calibration(data: TrainingEvents, settings: Settings) -> CalibrationReport:
    """Judge the probabilities of users' shown categories by the category of their next engaging event.

    Before each engaging event, each of the user's most counted categories gets a prediction that the event is
    there. The curve is fitted on the earlier half of the predictions and judged on the later.
    Raises `NothingToLearnError` where there are too few predictions, or all came out the same.
    """
    log_odds, shares, labels, events = _predictions(data, settings)
    half = len(labels) // 2
    if len(labels) < LEAST or not 0 < labels[:half].mean() < 1:
        raise NothingToLearnError(
            f"{len(labels)} predictions can be judged; a calibration needs {LEAST} and both outcomes among them:"
            " take a file with more events per user and with categories of items"
        )
    later = slice(half, None)
    model_only = fit(log_odds[:half].tolist(), [1.0] * half, labels[:half].tolist())
    fitted = fit(log_odds[:half].tolist(), shares[:half].tolist(), labels[:half].tolist())
    said = {
        "model": sigmoids(log_odds),
        "share of counts": shares,
        "calibrated, model alone": _calibrated(model_only, log_odds, shares),
        "calibrated": _calibrated(fitted, log_odds, shares),
    }
    return CalibrationReport(
        events=events,
        predictions=len(labels) - half,
        fitted=fitted,
        figures=[reliability_of(name, p[later], labels[later]) for name, p in said.items()],
    )


def report_calibration(data: TrainingEvents, settings: Settings, as_json: bool) -> None:
    """Judge, and print for people or as JSON."""
    report = evaluate_calibration(data, settings)
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        tell_calibration(report)


def tell_calibration(report: CalibrationReport, out: Console | None = None) -> None:
    """Print the figures and the reliability curve for people."""
    out = out or Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in ("affinities", "Brier score", "log loss", "calibration error"):
        table.add_column(heading, justify="left" if heading == "affinities" else "right")
    for each in report.figures:
        table.add_row(each.name, f"{each.brier:.4f}", f"{each.log_loss:.4f}", f"{each.error:.4f}")
    out.print(table)
    for each in (report.figures[0], report.figures[-1]):
        out.print(f"\nreliability of '{each.name}': said, came true, predictions")
        for one in each.curve:
            bar = "█" * round(one.true * _BAR)
            mark = min(_BAR - 1, round(one.said * _BAR))
            drawn = (bar + "·" * (_BAR - len(bar)))[:mark] + "|" + (bar + "·" * (_BAR - len(bar)))[mark + 1 :]
            out.print(f"  {one.said:.3f}  {one.true:.3f}  {drawn}  {one.count:,}", markup=False)
    s = report.fitted
    out.print(
        f"\n{report.predictions:,} predictions of the later half, of {report.events:,} events; the curve was"
        " fitted on the earlier half:"
    )
    out.print(
        f"[step.calibration]\nintercept = {s.intercept}\nmodel = {s.model}\nshare = {s.share}", markup=False
    )


def _calibrated(
    settings: CalibrationSettings, log_odds: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    curve = Calibration(settings)
    return np.array([curve.probability(a, b) for a, b in zip(log_odds, shares, strict=True)])


def _predictions(
    data: TrainingEvents, settings: Settings
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], int]:
    """Log odds, shares and outcomes in order of time, and the number of events that judged them."""
    facts = {item.item_id: facts_of(item) for item in data.items}
    stream = PlainStream(data.items, settings.step, settings.statistics, settings.shelf)
    model = AffinityModel(settings.affinity)
    odds: list[float] = []
    shares: list[float] = []
    labels: list[int] = []
    judged = 0
    for event in data.events:
        user = stream.states.get(event.user_id)
        if user is not None and event.item_id is not None and model.label(event.type, event.value) > 0.0:
            category = facts.get(event.item_id, NOTHING_KNOWN).category
            shown = most_counted(user)
            total = sum(user.categories.values())
            if shown and user.affinity.weights:
                judged += 1
                odds += [model.log_odds(user.affinity, name) for name in shown]
                shares += [user.categories[name] / total for name in shown]
                labels += [int(name == category) for name in shown]
        stream.learn(event)
    return np.array(odds), np.array(shares), np.array(labels, np.int64), judged
