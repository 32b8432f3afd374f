"""What segment rules cost: processor time per rule and event, bytes per user. A command, not a test.

    python tests/bench/segment_rules.py [--rules 100] [--events 4000] [--users 20]

All rules read the type of every event, no two share a cell. Each mix is of one kind of rule; 'all kinds' has as
many of each. 'stored' adds what reading and writing the memory as bytes takes, as the job does around each event.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass
from time import thread_time_ns

import msgspec

from operators.item_facts import ItemFacts
from operators.segments import SegmentBook, SegmentRule, SegmentStep
from schemas.records import Context, Event
from schemas.segment_memory import SegmentMemory
from schemas.state import UserState

BEGIN = 1_700_000_000_000
MINUTE = 60_000

KINDS: dict[str, Callable[[int], str]] = {
    "count at least": lambda n: f'count("view", within="{n + 1}h") > {n % 12 + 1}',
    "orders at least": lambda n: f'count("purchase", "view", within="{n + 1}h") > {n % 12 + 1}',
    "sum in a window": lambda n: f'sum("view", within="{n + 1}h") >= {10 + n}',
    "share of counts": lambda n: f'count("view", within="{n + 1}h") / count("view") > 0.01',
    "since last": lambda n: f'since_last("view", item="item-{n % 30}") < "{n + 1}h"',
    "sequence": lambda n: f'event("view", price >= {n % 50}) then not "purchase" within "{n + 1}m"',
    "filtered count": lambda n: f'count("view", category="Department {n % 10}", within="{n + 1}h") >= 3',
    "joined": lambda n: (
        f'count("view", within="{n + 1}h") > 3 and since_last("view") < "{n + 1}h" and not persona == "owl"'
    ),
}
"""By name: the n-th rule of the kind."""


@dataclass(frozen=True)
class Cost:
    """µs per rule and event, and bytes of the memory."""

    mean: float
    p50: float
    p99: float
    stored: float
    bytes: int
    changes: int


def book(kind: str, rules: int) -> SegmentBook:
    """A book of so many rules of a kind, or of all kinds in turn."""
    makes = list(KINDS.values()) if kind == "all kinds" else [KINDS[kind]]
    return SegmentBook.of(SegmentRule(name=f"rule-{n}", when=makes[n % len(makes)](n)) for n in range(rules))


def cost(rules: SegmentBook, users: int, events: int) -> Cost:
    """Follow users over views, each as many minutes apart as a busy visitor's."""
    step = SegmentStep(rules)
    rng = random.Random(7)
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(SegmentMemory).decode
    followed = [UserState(f"user-{n}", born=BEGIN) for n in range(users)]
    facts = [ItemFacts(f"Department {n % 10}/Shelf {n % 7}", 1.0 + n) for n in range(60)]
    taken: list[int] = []
    storing = changes = 0
    for number in range(events):
        user = followed[number % users]
        time = BEGIN + (number // users) * 4 * MINUTE
        item = rng.randrange(60)
        event = Event(
            event_id=str(number), user_id="u", type="view", time=time, item_id=f"item-{item}", value=1.5,
            context=Context(device="mobile"),
        )  # fmt: skip
        user.last, user.n = time, user.n + 1
        began = thread_time_ns()
        found = step.update(user, event, facts[item], time)
        step.next_due(user)
        ended = thread_time_ns()
        user.segment_memory = decode(encode(user.segment_memory))
        storing += thread_time_ns() - ended
        taken.append(ended - began)
        changes += len(found)
    taken = sorted(taken[users:])
    each = 1000 * len(rules.entries)
    held = max(len(encode(user.segment_memory)) for user in followed)
    return Cost(
        sum(taken) / len(taken) / each,
        taken[len(taken) // 2] / each,
        taken[len(taken) * 99 // 100] / each,
        storing / events / each,
        held,
        changes,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--users", type=int, default=20)
    chosen = parser.parse_args()
    print(f"{chosen.rules} rules that all read the event's type; µs per rule and event")
    print("| rules | mean | p50 | p99 | + stored | bytes a user | bound | changes |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in ("all kinds", *KINDS):
        rules = book(kind, chosen.rules)
        got = cost(rules, chosen.users, chosen.events)
        print(
            f"| {kind} | {got.mean:.2f} | {got.p50:.2f} | {got.p99:.2f} | {got.stored:.2f} |"
            f" {got.bytes:,} | {rules.most_bytes:,} | {got.changes:,} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
