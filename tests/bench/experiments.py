"""What experiments cost the rank stage: processor time a user. A command, not a test.

    python tests/bench/experiments.py [--events 30000] [--users 3000] [--items 3000] [--rounds 15]

All variants rank the same users by the same shelf in turn, in batches of 64; the figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import thread_time_ns

from jobs.bench_events import Traffic
from jobs.bench_plain import PlainSettings, followed
from operators.experiment import Experiment, experiment_of
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.slot_ranker import SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import slots_of
from operators.treatment import Treatments
from schemas.state import UserState, decode_state

BATCH = 64
OFF = {"as_is": {}, "without": {"off": ["trending", "category_trending"]}}
BLEND = {"as_is": {}, "other": {"blend": {"similar": 2.0}}}
EXPLORE = {"as_is": {}, "more": {"explore": {"share": 0.1}}}


def running() -> dict[str, list[Experiment]]:
    """Experiments by what they show the cost of."""
    return {
        "none": [],
        "one that nobody is in (its time has passed)": [experiment_of("x", {"variants": OFF, "until": 1})],
        "one, a tenth of the users": [experiment_of("x", {"variants": OFF, "share": 0.1})],
        "one, a source off for half": [experiment_of("x", {"variants": OFF})],
        "one, another blend for half": [experiment_of("x", {"variants": BLEND})],
        "three at once, 8 combinations": [
            experiment_of(name, {"variants": variants})
            for name, variants in (("x", OFF), ("y", BLEND), ("z", EXPLORE))
        ],
    }


def per_user(ranker: SlotRanker, states: list[UserState]) -> float:
    """µs of processor time a user."""
    began = thread_time_ns()
    for first in range(0, len(states), BATCH):
        some = states[first : first + BATCH]
        ranker.rank(some, [state.last for state in some])
    return (thread_time_ns() - began) / 1_000 / len(states)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, usual in (("events", 30_000), ("users", 3_000), ("items", 3_000), ("rounds", 15)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    told = parser.parse_args()
    loop = followed(Traffic(events=told.events, users=told.users, items=told.items), PlainSettings())
    shelf, rank = loop.worker.shelf, RankSettings()
    ranker = Ranker(shelf, rank)
    states = [decode_state(stored) for stored in list(loop.states.values())[:1_024]]
    rankers = {
        name: SlotRanker(ranker, SlotRules(slots_of({}, rank), (), shelf), Treatments(tried, rank, shelf))
        for name, tried in running().items()
    }
    figures: dict[str, list[float]] = {name: [] for name in rankers}
    for round in range(told.rounds + 1):
        for name, each in rankers.items():
            took = per_user(each, states)
            if round:  # the first one compiles
                figures[name].append(took)
    print(f"{len(states)} users, {told.items} items")
    for name, took in figures.items():
        print(f"{name:<46} {median(took):6.1f} µs")


if __name__ == "__main__":
    main()
