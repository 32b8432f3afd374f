"""Choose the drift detector's settings for short histories, by simulation. A command, not a test.

    python tests/bench/drift_simulation.py [--users 200]

Prints tables in Markdown. 'found' is the share of users whose change is detected within 100 labelled events,
'delay' the median number of labelled events until then, 'false' the drifts detected per 1,000 labelled events
where nothing changed, 'promised' the most that ADWIN's delta allows there: delta at every test.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import mean, median
from time import thread_time

import numpy as np

from jobs.evaluate_drift_shopper import CATEGORIES, Shopper
from operators.affinity import AffinityModel, AffinitySettings, misfit, weights_of
from operators.ddm import DdmSettings
from operators.drift import DriftDetector, DriftSettings
from operators.logistic import raw_score, sigmoid
from operators.page_hinkley import PageHinkleySettings
from operators.sketch import SKETCH_DIM, item_sketch, sketch
from schemas.state import Affinity

CHOSEN = DriftSettings()
RIVERS = replace(CHOSEN, delta=0.002, clock=32, min_window_length=5, grace_period=10)
CHANGES = (20, 50, 100, 200)
AFTER = 100
UNCHANGED = 1000

SKETCHES = np.stack([item_sketch(category) for category in CATEGORIES])


def coin_errors(users: int, change: int, length: int) -> list[list[float]]:
    """Errors that are 1 with probability .2 and, from the change on, .6: the most scattered of their mean."""
    rng = random.Random(change)
    return [[float(rng.random() < (0.2 if k < change else 0.6)) for k in range(length)] for _ in range(users)]


ErrorOf = Callable[[list[float], str], float]
"""The error of an engaging event of a category, given the weights before it was learned from."""


def model_errors(
    users: int,
    change: int,
    length: int,
    shopper: Shopper,
    error_of: ErrorOf = lambda w, c: misfit(w, sketch(c)),
) -> list[list[float]]:
    """The affinity model's errors on simulated users, after its warm-up, without recalibration."""
    settings = AffinitySettings()
    model = AffinityModel(settings)
    streams = []
    for user in range(users):
        rng = random.Random(f"{change}/{user}")
        affinity, errors = Affinity(), []
        for k, (category, price, type) in enumerate(shopper.events(rng, change, length)):
            errors.append(error_of(weights_of(affinity).tolist(), category))
            model.learn(affinity, category, price, type, None, f"{user}-{k}")
        streams.append(errors[settings.warm_up :])
    return streams


def drifts(settings: DriftSettings, errors: Sequence[float]) -> list[int]:
    """After how many errors the product's own detector, fed as in the job, finds a drift."""
    detector, window, found = DriftDetector(settings), None, []
    for k in range(0, len(errors) - settings.feed_every + 1, settings.feed_every):
        window, detection = detector.feed(window, errors[k : k + settings.feed_every])
        if detection:
            found.append(k + settings.feed_every)
    return found


def report(
    settings: DriftSettings, changed: dict[int, list[list[float]]], unchanged: list[list[float]], skipped: int
) -> str:
    """Cells of a table: false alarms, then share found and median delay for each place of the change."""
    alarms = sum(len(drifts(settings, errors)) for errors in unchanged)
    cells = [
        f"{1000 * alarms / sum(map(len, unchanged)):.2f}",
        f"{1000 * settings.delta / settings.clock:.2f}" if settings.detector == "adwin" else "–",
    ]
    for change, streams in changed.items():
        at = change - skipped
        delays = [
            min((k - at for k in drifts(settings, errors) if k > at), default=None) for errors in streams
        ]
        found = [delay for delay in delays if delay is not None]
        cells.append(f"{len(found) / len(streams):.2f} / {median(found):.0f}" if found else "0 / –")
    return " | ".join(cells)


def variants() -> Iterator[tuple[str, DriftSettings]]:
    """The chosen settings, river's own, and one setting changed at a time."""
    yield "**chosen**", CHOSEN
    yield "river's defaults", RIVERS
    for delta in (0.002, 0.05, 0.1, 0.2, 0.5):
        yield f"delta {delta}", replace(CHOSEN, delta=delta)
    for clock in (4, 16):
        yield f"clock {clock}", replace(CHOSEN, clock=clock)
    for least in (3, 5):
        yield f"min. window {least}", replace(CHOSEN, min_window_length=least)
    for grace in (8, 32):
        yield f"grace {grace}", replace(CHOSEN, grace_period=grace)
    yield "DDM", replace(CHOSEN, detector="ddm")
    yield "DDM, river's defaults", replace(CHOSEN, detector="ddm", ddm=DdmSettings())
    yield "Page-Hinkley", replace(CHOSEN, detector="page_hinkley")
    yield (
        "Page-Hinkley, river's defaults",
        replace(CHOSEN, detector="page_hinkley", page_hinkley=PageHinkleySettings()),
    )


def table(title: str, first: str, rows: Iterator[tuple[str, str]], columns: Sequence[str]) -> None:
    print(f"\n{title}\n\n| {first} | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for name, cells in rows:
        print(f"| {name} | {cells} |", flush=True)


def columns(changes: Sequence[int]) -> list[str]:
    return ["false", "promised", *(f"change at {change}: found / delay" for change in changes)]


def coin_table(users: int) -> None:
    changed = {change: coin_errors(users, change, change + AFTER) for change in CHANGES}
    unchanged = coin_errors(users, UNCHANGED, UNCHANGED)
    rows = ((name, report(settings, changed, unchanged, 0)) for name, settings in variants())
    table("Errors of 0 or 1, mean .2 → .6", "settings", rows, columns(CHANGES))


def model_table(users: int, shopper: Shopper) -> None:
    skipped = AffinitySettings().warm_up
    changed = {change: model_errors(users, change, change + AFTER, shopper) for change in CHANGES}
    unchanged = model_errors(users, UNCHANGED, UNCHANGED, shopper)
    rows = ((name, report(settings, changed, unchanged, skipped)) for name, settings in variants())
    title = f"The affinity model's errors, tastes change, runs of {shopper.run:g} events in one category"
    table(title, "settings", rows, columns(CHANGES))


def error_table(users: int, shopper: Shopper) -> None:
    """Which error tells a change best, at the chosen settings."""
    kinds: dict[str, ErrorOf] = {
        "logistic, 1 − p": lambda w, c: 1 - sigmoid(raw_score(w, sketch(c))),
        "logistic, doubled: min(1, 2(1 − p))": lambda w, c: min(
            1.0, 2 - 2 * sigmoid(raw_score(w, sketch(c)))
        ),
        "**misfit (geometric margin)**": lambda w, c: misfit(w, sketch(c)),
    }
    skipped = AffinitySettings().warm_up

    def rows() -> Iterator[tuple[str, str]]:
        for name, error_of in kinds.items():
            changed = {c: model_errors(users, c, c + AFTER, shopper, error_of) for c in CHANGES[1:]}
            unchanged = model_errors(users, UNCHANGED // 2, UNCHANGED // 2, shopper, error_of)
            yield name, report(CHOSEN, changed, unchanged, skipped)

    table("Which error is fed", "error", rows(), columns(CHANGES[1:]))


def ranking_errors(
    users: int, shopper: Shopper, settings: AffinitySettings, recalibrate: bool, change: int = 100
) -> list[list[float]]:
    """For each event, the share of all categories that the model ranks above the engaged one."""
    model, streams = AffinityModel(settings), []
    for user in range(users):
        detector, window, affinity = DriftDetector(CHOSEN), None, Affinity()
        errors: list[float] = []
        events = shopper.events(random.Random(f"recalibration/{user}"), change, change + AFTER)
        for k, (category, price, type) in enumerate(events):
            scores = SKETCHES @ weights_of(affinity)[:SKETCH_DIM]
            own = scores[CATEGORIES.index(category)]
            above, level = int((scores > own).sum()), int((scores == own).sum()) - 1
            errors.append((above + level / 2) / (len(CATEGORIES) - 1))
            model.learn(affinity, category, price, type, None, f"{user}-{k}")
            if detector.due(affinity):
                window, detection = detector.feed(window, affinity.errors)
                affinity.errors.clear()
                if detection and recalibrate:
                    model.recalibrate(affinity, at=k)
        streams.append(errors)
    return streams


def recalibration_table(users: int, shopper: Shopper) -> None:
    spans = ((50, 100), (100, 116), (116, 132), (132, 164), (164, 200))
    chosen = AffinitySettings()
    kinds = {
        "none": (chosen, False),
        "**chosen**": (chosen, True),
        "discount only": (replace(chosen, boost_factor=1.0), True),
        "boost only": (replace(chosen, discount=1.0), True),
        "discount to 0": (replace(chosen, discount=0.0), True),
        "discount to .5": (replace(chosen, discount=0.5), True),
        "boost × 6": (replace(chosen, boost_factor=6.0), True),
    }

    def rows() -> Iterator[tuple[str, str]]:
        for name, (settings, recalibrate) in kinds.items():
            errors = ranking_errors(users, shopper, settings, recalibrate)
            yield name, " | ".join(f"{mean(mean(e[a:b]) for e in errors):.3f}" for a, b in spans)

    title = (
        f"Share of categories ranked above the engaged one, change at 100, runs of {shopper.run:g}:"
        " with and without recalibration"
    )
    table(title, "recalibration", rows(), [f"events {a}–{b - 1}" for a, b in spans])


def unchanged_table(users: int, shopper: Shopper) -> None:
    """What false alarms cost users whose tastes never change."""
    streams = {
        name: ranking_errors(users, shopper, AffinitySettings(), recalibrate, change=500)
        for name, recalibrate in (("none", False), ("**chosen**", True))
    }
    rows = ((name, f"{mean(mean(e[100:500]) for e in errors):.4f}") for name, errors in streams.items())
    title = f"The same where nothing changes, runs of {shopper.run:g}"
    table(title, "recalibration", rows, ["events 100–499"])


def cost_table(users: int) -> None:
    """CPU time of the two calls, and size of the stored window, over the first 1,000 labelled events."""
    model, detector = AffinityModel(AffinitySettings()), DriftDetector(CHOSEN)
    learning = feeding = 0.0
    sizes: dict[int, list[int]] = {50: [], 200: [], 1000: []}
    for user in range(users):
        affinity, window = Affinity(), None
        events = list(Shopper().events(random.Random(user), UNCHANGED, UNCHANGED))
        for k, (category, price, type) in enumerate(events, start=1):
            start = thread_time()
            model.learn(affinity, category, price, type, None, f"{user}-{k}")
            learned = thread_time()
            if detector.due(affinity):
                window, _ = detector.feed(window, affinity.errors)
                affinity.errors.clear()
            feeding += thread_time() - learned
            learning += learned - start
            if k in sizes:
                sizes[k].append(len(window or b""))
    events_learned = users * UNCHANGED / 1e6
    cells = f"{learning / events_learned:.1f} | {feeding / events_learned:.1f} | "
    cells += " | ".join(f"{mean(found):.0f}, at most {max(found)}" for found in sizes.values())
    names = ["µs to learn an event", "µs to feed, per event", *(f"window after {k}, bytes" for k in sizes)]
    table("Cost", "", iter([("", cells)]), names)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=200, help="simulated users per cell")
    users = parser.parse_args().users
    coin_table(users)
    for run in (1.0, 4.0):
        model_table(users, Shopper(run=run))
    for run in (1.0, 4.0):
        error_table(users, Shopper(run=run))
    for run in (1.0, 4.0):
        recalibration_table(users, Shopper(run=run))
        unchanged_table(users, Shopper(run=run))
    cost_table(min(users, 50))


if __name__ == "__main__":
    main()
