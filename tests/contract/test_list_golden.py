"""A fixed little stream gives exactly these lists and profiles: a change of any of them is a decision.

python -m tests.contract.test_list_golden     write them anew, after a change that is meant
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jobs.plain_stream import PlainStream
from operators.affinity import AffinityModel, AffinitySettings
from operators.drift import DriftDetector, DriftSettings
from operators.profile import learning_classes, profile_of
from operators.ranker import Ranker
from schemas.records import Context, Event, Item
from schemas.redis_keys import seq
from schemas.redis_values import RecValue, profile_value, rec_value

GOLDEN = Path(__file__).parent / "golden" / "lists"
NOON = 1_772_366_400_000
MINUTE = 60_000
CATEGORIES = ("home/mugs", "home/lamps", "garden/lights", "music/vinyl")
ITEMS = [
    Item(
        item_id=f"item-{number:02d}",
        title=f"Item {number}",
        category=CATEGORIES[number % 4],
        price=2.0 + number,
        group_id="pair" if number in (6, 10) else None,
        in_stock=number != 5,
    )
    for number in range(32)
]
USERS = ("ann", "bob", "cyd", "dee", "eve", "flo")
KINDS = ("view", "view", "view", "click", "like", "add_to_cart", "purchase", "search")


def stream() -> PlainStream:
    """What the plain classes know after 240 events of six people, of whom each likes two categories best."""
    rng = random.Random(11)
    plain = PlainStream(ITEMS)
    for number in range(240):
        user = rng.randrange(len(USERS))
        kind = rng.choice(KINDS)
        liked = (user % 4, (user + 1) % 4)
        item = rng.choice([i for n, i in enumerate(ITEMS) if n % 4 in liked or rng.random() < 0.2])
        plain.learn(
            Event(
                event_id=f"event-{number}",
                user_id=USERS[user],
                type=kind,
                time=NOON + number * 3 * MINUTE + rng.randrange(MINUTE),
                item_id=None if kind == "search" else item.item_id,
                value=9.5 if kind in ("purchase", "add_to_cart") else None,
                context=Context(country=("GB", "DE", None)[user % 3]),
            )
        )
    plain.catch_up()
    return plain


def made() -> dict[str, bytes]:
    """The bytes of every user's list and profile, by file name."""
    plain = stream()
    learning = learning_classes(AffinityModel(AffinitySettings()), DriftDetector(DriftSettings()))
    states = list(plain.states.values())
    values = {}
    ranked = Ranker(plain.shelf).rank(states, [state.last for state in states])
    for state, made in zip(states, ranked, strict=True):
        rec = RecValue(
            seq=seq(state.born, state.n),
            id=f"{state.uid}-{state.n}",
            at=state.last,
            model="blend",
            items=list(zip(made.items, made.scores, made.whys, strict=True)),
        )
        values[f"{state.uid}.rec.json"] = rec_value(rec)
        values[f"{state.uid}.profile.json"] = profile_value(profile_of(state, learning))
    return values


@pytest.fixture(scope="module")
def values() -> dict[str, bytes]:
    return made()


def test_there_are_goldens_of_every_user(values: dict[str, bytes]) -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(values)
    assert len(values) == 2 * len(USERS)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("kind", ["rec", "profile"])
def test_lists_and_profiles_are_these_to_the_byte(user: str, kind: str, values: dict[str, bytes]) -> None:
    name = f"{user}.{kind}.json"
    assert values[name] == (GOLDEN / name).read_bytes().rstrip(b"\n")


if __name__ == "__main__":
    for name, value in made().items():
        (GOLDEN / name).write_bytes(value + b"\n")
