"""What slots and context rules cost the rank stage: processor time a user. A command, not a test.

    python tests/bench/slots.py [--events 30000] [--users 3000] [--items 3000] [--rounds 15]

All variants rank the same users by the same shelf in turn, in batches of 64; the figures are medians of the rounds.
The last part is what writing a slot's value takes beside. With `--model` the lists are ordered by a trained bundle.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from time import thread_time_ns

from jobs.bench_events import Traffic
from jobs.bench_plain import PlainSettings, followed
from operators.bundle import load_bundle
from operators.context_rule import MOST_RULES, ContextRule, Moment
from operators.context_rules import ready_rules
from operators.item_selector import ItemSelector
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.slot_ranker import SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import SlotSettings, slots_of
from schemas.redis_values import SlotValue, slot_value
from schemas.state import UserState, decode_state

BATCH = 64

CHEAP = {"cheap": SlotSettings(filters=ItemSelector(price_to=20.0))}
USUAL = {name: SlotSettings() for name in ("cart", "product", "email")}


def many_rules() -> tuple[ContextRule, ...]:
    """As many rules as are possible, all of which hold for everybody; each is of a tenth of the items."""
    return tuple(
        ContextRule(
            f"r{k}", "boost" if k % 2 else "bury", ItemSelector(price_from=5.0 * k, price_to=5.0 * k + 9.0),
            Moment(hours=(0, 24)),
        )
        for k in range(MOST_RULES)
    )  # fmt: skip


def variants() -> dict[str, tuple[dict[str, SlotSettings], tuple[ContextRule, ...]]]:
    """Slots and rules by what they show the cost of."""
    return {
        "home alone": ({}, ()),
        "home, the shipped rule": ({}, ready_rules()),
        f"home, {MOST_RULES} rules that hold": ({}, many_rules()),
        "and a filtered slot (price)": (CHEAP, ()),
        "and 3 filtered slots": ({f"{name}{k}": slot for k in range(3) for name, slot in CHEAP.items()}, ()),
        "and cart": ({"cart": SlotSettings()}, ()),
        "and product": ({"product": SlotSettings()}, ()),
        "and email": ({"email": SlotSettings()}, ()),
        "4 slots: home, cart, product, email": (USUAL, ready_rules()),
    }


def per_user(ranker: SlotRanker, states: list[UserState]) -> float:
    """µs of processor time a user."""
    began = thread_time_ns()
    for first in range(0, len(states), BATCH):
        some = states[first : first + BATCH]
        ranker.rank(some, [state.last for state in some])
    return (thread_time_ns() - began) / 1_000 / len(states)


def writing(ranker: SlotRanker, states: list[UserState]) -> float:
    """µs of processor time to write one slot's value."""
    made = ranker.rank(states, [state.last for state in states])["product"]
    began = thread_time_ns()
    for each in made:
        slot_value(
            SlotValue(
                seq="1700000000000.0000000001", id="r", at=0, model="m", slot="product", item=each.item,
                items=list(zip(each.ranked.items, each.ranked.scores, each.ranked.whys, strict=True)),
            )
        )  # fmt: skip
    return (thread_time_ns() - began) / 1_000 / len(made)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, usual in (("events", 30_000), ("users", 3_000), ("items", 3_000), ("rounds", 15)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--model", type=Path)
    told = parser.parse_args()
    loop = followed(Traffic(events=told.events, users=told.users, items=told.items), PlainSettings())
    shelf = loop.worker.shelf
    ranker = Ranker(shelf, RankSettings(), load_bundle(told.model) if told.model else None)
    states = [decode_state(stored) for stored in list(loop.states.values())[:1_024]]
    for k, state in enumerate(states):
        state.device = ("mobile", "desktop")[k % 2]
    rankers = {
        name: SlotRanker(ranker, SlotRules(slots_of(slots, RankSettings()), rules, shelf))
        for name, (slots, rules) in variants().items()
    }
    figures: dict[str, list[float]] = {name: [] for name in rankers}
    for round in range(told.rounds + 1):
        for name, each in rankers.items():
            took = per_user(each, states)
            if round:  # the first one compiles
                figures[name].append(took)
    in_cart = sum(bool(state.basket) for state in states) / len(states)
    print(f"{len(states)} users, {in_cart:.0%} with something in the cart; {told.items} items")
    for name, took in figures.items():
        print(f"{name:<40} {median(took):6.1f} µs")
    print(f"{'writing the value of a slot':<40} {writing(rankers['and product'], states):6.1f} µs")


if __name__ == "__main__":
    main()
