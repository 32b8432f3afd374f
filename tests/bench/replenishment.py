"""How well what is due is told among all that a user ever bought, on recorded orders. A command, not a test.

    python tests/bench/replenishment.py FILE [--limit EVENTS]

Every order of the later half of the events by a user who bought at least 20 items before is predicted by ranking
these, before it is learned from: by the source `again`, by the latest purchase first, by the most purchases first, and
by chance. Prints how many of the first 5 are in the order, and how much of what it repeats is among the first 20.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobs.plain_stream import PlainStream
from jobs.settings import Settings
from jobs.training_events import read_training_events
from operators.due_items import due_items
from operators.item_hash import hashes_of, item_hash
from schemas.records import Event

FEWEST = 20
SHOWN, FOUND = 5, 20


def by_due(stream: PlainStream, user: str, now: int, prior: float) -> list[int]:
    """The hashes of the items bought, best first; those that nobody bought again at the end, the latest first."""
    state, shelf = stream.states[user], stream.shelf
    due = due_items([state], np.array([now], np.int64), shelf, 0.0, prior, 10_000)
    first = shelf.catalogue.arrays.id_hash[due.item].tolist()
    return first + [h for h in reversed(hashes_of(state.bought).tolist()) if h not in set(first)]


def judged(ranked: list[int], wanted: set[int]) -> tuple[float, float]:
    """Share of the first 5 that are wanted, and share of what is wanted among the first 20."""
    hits = np.array([h in wanted for h in ranked[:FOUND]])
    return float(hits[:SHOWN].mean()), float(hits.sum() / len(wanted))


def main(file: Path, limit: int | None) -> None:
    settings = Settings()
    data = read_training_events(file, None, settings.ingest.with_limits())
    events = data.events[:limit]
    stream = PlainStream(data.items, replace(settings.step), settings.statistics, settings.shelf)
    half, rng = len(events) // 2, random.Random(7)
    times: defaultdict[str, Counter[int]] = defaultdict(Counter)
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    seen = 0
    for (user, now), lines in groupby(events, key=lambda event: (event.user_id, event.time)):
        order: list[Event] = list(lines)
        state = stream.states.get(user)
        bought = [] if state is None else hashes_of(state.bought).tolist()
        wanted = {item_hash(event.item_id) for event in order if event.type == "purchase" and event.item_id}
        wanted &= set(bought)
        if seen >= half and len(bought) >= FEWEST and wanted:
            stream.catch_up()
            for prior in (0.0, 5.0, 20.0):
                found[f"again, prior {prior:g}"].append(judged(by_due(stream, user, now, prior), wanted))
            found["latest first"].append(judged(bought[::-1], wanted))
            found["most bought first"].append(judged([h for h, _ in times[user].most_common()], wanted))
            found["chance"].append(judged(rng.sample(bought, len(bought)), wanted))
        for event in order:
            stream.learn(event)
        times[user].update(
            {item_hash(event.item_id) for event in order if event.type == "purchase" and event.item_id}
        )
        seen += len(order)
    figures: dict[str, npt.NDArray[np.float64]] = {name: np.array(rows) for name, rows in found.items()}
    print(
        f"{len(found['chance']):,} orders\n\n| ranked by | of the first {SHOWN} | found in {FOUND} |\n|---|---|---|"
    )
    for name, rows in figures.items():
        print(f"| {name} | {rows[:, 0].mean():.3f} | {rows[:, 1].mean():.3f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit", type=int)
    told = parser.parse_args()
    main(told.file, told.limit)
