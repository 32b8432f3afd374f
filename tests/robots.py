"""A site's visitors over two days, robots among them, and by how much those change the public item lists."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from operators.statistics import ItemStatistics
from schemas.records import NO_CONTEXT, Context, Event, Item

HOUR = 3_600_000
HOURS = 48
DEPARTMENTS = 6
SAYS_SO = Context(user_agent="Examplebot/1.0 (+https://example.org/bot)")

Lists = dict[tuple[str, str], dict[str, float]]
"""By kind ("trending", "similar") and name: the items of a list with their sums."""


@dataclass(frozen=True)
class Site:
    """`people` visitors of a shop with so many items in six departments, from `begin` (ms) on."""

    people: int
    items: int
    begin: int

    def catalogue(self) -> list[Item]:
        """What the shop sells."""
        return [
            Item(item_id=ware(n), category=f"Department {n % DEPARTMENTS}", price=1.0 + n)
            for n in range(self.items)
        ]

    def scopes(self) -> list[str]:
        """What items trend in."""
        return ["all", *(f"category:Department {n}" for n in range(DEPARTMENTS))]

    def visits(self) -> list[Event]:
        """A third of the people come back; each visit keeps mostly to one department. In order of time."""
        rng = random.Random(5)
        weights = list(accumulate(1.0 / (1 + n // DEPARTMENTS) for n in range(self.items)))
        events = []
        for person in range(self.people):
            for _ in range(rng.choice((1, 1, 2))):
                time = self.begin + rng.randrange(HOURS * HOUR)
                department = rng.randrange(DEPARTMENTS)
                for _ in range(1 + int(rng.expovariate(1 / 14))):
                    time += 1 + int(1_000 * math.exp(rng.gauss(3.0, 1.0)))
                    number = rng.choices(range(self.items), cum_weights=weights)[0]
                    if rng.random() < 0.8:
                        number = number - number % DEPARTMENTS + department
                    type = rng.choices(("view", "add_to_cart", "purchase"), (88, 9, 3))[0]
                    events.append(
                        Event(
                            event_id=f"visit-{len(events)}",
                            user_id=f"person-{person}",
                            type=type,
                            time=time,
                            item_id=ware(number),
                        )
                    )
        return sorted(events, key=lambda event: event.time)

    def robot(
        self, name: str, count: int, times: Times, context: Context = NO_CONTEXT, items: int | None = None
    ) -> Iterator[Event]:
        """A crawler that views the first `items` items at random, all by default, so many times."""
        rng = random.Random(9)
        for number, offset in enumerate(times(rng, count)):
            yield Event(
                event_id=f"{name}-{number}",
                user_id=name,
                type="view",
                time=self.begin + offset,
                item_id=ware(rng.randrange(items or self.items)),
                context=context,
            )


def ware(number: int) -> str:
    """The id of an item."""
    return f"ware-{number}"


def thirty_percent(visits: int) -> int:
    """How many events a robot sends that makes 30 % of all events beside so many visits."""
    return round(visits * 0.3 / 0.7)


Times = Callable[[random.Random, int], Iterator[int]]
"""When a robot comes: so many times in ms since the beginning."""


def by_exponential_gaps(rng: random.Random, count: int) -> Iterator[int]:
    """All day and night, irregularly."""
    time = 0.0
    for _ in range(count):
        time += rng.expovariate(count / (HOURS * HOUR))
        yield int(time)


def by_the_clock(rng: random.Random, count: int) -> Iterator[int]:
    """All day and night by a timer, with a fifth of jitter."""
    step = HOURS * HOUR // count
    yield from (k * step + rng.randrange(step // 5) for k in range(count))


def in_one_rush(rng: random.Random, count: int) -> Iterator[int]:
    """Five pages a second."""
    yield from (30 * HOUR + 180 * k + rng.randrange(50) for k in range(count))


def lists(statistics: ItemStatistics, site: Site, offsets: Mapping[str, float]) -> Lists:
    """The lists that are published: 20 trending by scope, 20 similar by item, in units of `offsets`."""
    members = {("trending", scope): statistics.popular(scope, 20) for scope in site.scopes()}
    members |= {("similar", ware(n)): statistics.neighbours(ware(n), 20) for n in range(site.items)}
    return {name: sums(found, offsets[name[0]]) for name, found in members.items()}


def offsets_of(statistics: ItemStatistics, site: Site) -> dict[str, float]:
    """The greatest score of each kind of list, which is made 1."""
    similar = (statistics.neighbours(ware(n), 1) for n in range(site.items))
    return {
        "trending": statistics.popular("all", 1)[0][1],
        "similar": max(found[0][1] for found in similar if found),
    }


def sums(members: Iterable[tuple[str, float]], offset: float) -> dict[str, float]:
    """Decayed sums of scores, which are their logarithms."""
    return {item: math.exp(score - offset) for item, score in members}


def changed(kind: str, before: Lists, after: Lists) -> float:
    """By what share of their sums the lists of a kind differ: an item that came or went counts whole."""
    apart = total = 0.0
    for name, held in before.items():
        if name[0] == kind:
            total += sum(held.values())
            apart += sum(abs(held.get(item, 0.0) - after[name].get(item, 0.0)) for item in held | after[name])
    return apart / total
