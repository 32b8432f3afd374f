"""Neighbours by text: as brute force finds them, at once, in both directions, within bounds, and alike anew."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.files import read_items
from operators.content_terms import TERMS, VOCABULARY, terms_of
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Items, SessionSteps
from schemas.records import Item
from schemas.state import RecentItem, UserState

RETAIL = Path(__file__).parents[2] / "data" / "online_retail_2010_2011.parquet"
NOON = 1_700_000_000_000
LEAST_RECALL = 0.98
WORDS = ["red", "blue", "enamel", "camping", "mug", "lamp", "oak", "table", "paper", "lantern", "felt", "owl"]


@pytest.fixture(scope="module")
def titles() -> list[Item]:
    """2,000 items of Online Retail."""
    items = [item for item in read_items(RETAIL) if isinstance(item, Item) and item.title]
    return random.Random(1).sample(items, 2_000)


def shelf_of(items: list[Item]) -> Shelf:
    shelf = Shelf(ShelfBounds(items=4_000))
    shelf.apply(Items(items))
    return shelf


def rows(shelf: Shelf) -> dict[str, dict[str, float]]:
    """By item id, the neighbours and their cosines."""
    return {
        item_id: {shelf.item_id(other): cosine for other, cosine in shelf.content.neighbours.of(number)}
        for item_id, number in shelf.index.items()
    }


def cosines(items: list[Item]) -> NDArray[np.float64]:
    """Of each with each other, from the definition: dense vectors, all pairs."""
    texts = [terms_of(item) for item in items]
    mentions = np.zeros(VOCABULARY)
    for terms, _ in texts:
        mentions[terms] += 1
    used = np.flatnonzero(mentions)
    dense = np.zeros((len(items), VOCABULARY), np.float32)
    for k, (terms, weights) in enumerate(texts):
        dense[k, terms] = weights * np.log(1.0 + len(items) / mentions[terms])
    kept = dense[:, used].astype(np.float64)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    alike: NDArray[np.float64] = kept @ kept.T
    np.fill_diagonal(alike, -1.0)
    return alike


def test_neighbours_are_those_of_brute_force(titles: list[Item]) -> None:
    shelf = shelf_of(titles)
    shelf.settle()
    alike, place = cosines(titles), {item.item_id: k for k, item in enumerate(titles)}
    found = wanted = 0
    for item_id, row in rows(shelf).items():
        best = np.sort(alike[place[item_id]])[::-1][:16]
        best = best[best > 0.06]
        wanted += len(best)
        for other, cosine in row.items():
            assert cosine == pytest.approx(alike[place[item_id], place[other]], abs=1e-4)
        found += sum(cosine >= best[-1] - 1e-5 for cosine in row.values()) if len(best) else 0
    assert min(found, wanted) / wanted >= LEAST_RECALL


def test_a_refill_in_another_order_gives_the_same_neighbours(titles: list[Item]) -> None:
    shelf, refilled = shelf_of(titles), Shelf(ShelfBounds(items=4_000))
    other_order = random.Random(2).sample(titles, len(titles))
    for at in range(0, len(titles), 300):
        refilled.apply(Items(other_order[at : at + 300]), compare=False)
    while refilled.settle_some():
        pass
    shelf.settle()
    before, after = rows(shelf), rows(refilled)
    for item_id, row in before.items():
        assert after[item_id].keys() == row.keys()
        assert after[item_id] == pytest.approx(row, rel=1e-6)


def test_a_new_item_and_older_ones_know_of_each_other_at_once(titles: list[Item]) -> None:
    shelf = shelf_of(titles)
    shelf.apply(Items([Item(item_id="old", title="blue enamel camping mug")]))
    shelf.apply(Items([Item(item_id="new", title="red enamel camping mug")]))
    named = rows(shelf)
    assert next(iter(named["new"])) == "old"
    assert next(iter(named["old"])) == "new"


def test_a_changed_and_a_deleted_text_are_named_no_more(titles: list[Item]) -> None:
    shelf = shelf_of(titles)
    shelf.apply(Items([Item(item_id=name, title="blue enamel camping mug") for name in ("a", "b", "c")]))
    shelf.apply(Items([Item(item_id="b", title="oak table"), Item(item_id="c", deleted=True)]))
    named = rows(shelf)
    assert not {"b", "c"} & named["a"].keys()
    assert "a" not in named["b"]
    assert named["c"] == {}
    assert int(shelf.content.texts.known[0]) == len(titles) + 2


def test_a_text_that_changes_takes_no_other_neighbours_away(titles: list[Item]) -> None:
    shelf = shelf_of(titles)
    before, changed = rows(shelf), titles[0]
    shelf.apply(Items([Item(item_id=changed.item_id, title="zebra xylophone", category=changed.category)]))
    after = rows(shelf)
    gone = {
        (item_id, other)
        for item_id, held in before.items()
        for other in held
        if changed.item_id not in (item_id, other) and other not in after[item_id]
    }
    assert sum(map(len, before.values())) > 10_000
    assert not gone


def test_items_that_say_only_their_category_are_like_none() -> None:
    shelf = shelf_of([Item(item_id=str(n), category="Kitchen/Mugs") for n in range(5)])
    assert set(map(len, rows(shelf).values())) == {0}


def test_memory_and_lists_are_bounded_under_a_hundred_thousand_items() -> None:
    rng = random.Random(3)
    shelf = Shelf(ShelfBounds(items=2_000))
    sizes = []
    for k in range(200):
        items = [
            Item(
                item_id=f"{k}-{n}",
                title=f"{' '.join(rng.choices(WORDS, k=4))} {rng.randrange(10**6):06d}",
                tags=tuple(f"{rng.randrange(10**9)}" for _ in range(30)),
                description="".join(chr(rng.randrange(97, 123)) for _ in range(40)),
            )
            for n in range(500)
        ]
        shelf.apply(Items(items), compare=k % 20 == 19)
        sizes.append(shelf.content.nbytes())
    texts, postings = shelf.content.texts, shelf.content.postings
    assert len(shelf) <= 2_000
    assert sizes[-1] == pytest.approx(sizes[50], rel=0.02)
    assert len(postings.arrays.entry) <= 2_000 * TERMS
    assert int(postings.arrays.room.max()) <= 1_024
    assert int(texts.held.max()) <= TERMS
    assert int(texts.items.sum()) == int(texts.held.sum())
    assert all(shelf.item_id(other) for _, number in shelf.index.items()
               for other, _ in shelf.content.neighbours.of(number))  # fmt: skip


def test_text_speaks_for_an_unknown_item_and_falls_silent_with_evidence() -> None:
    words = [Item(item_id=f"w{n}", title=f"{WORDS[n]} thing {n}") for n in range(12)]
    mugs = [Item(item_id=name, title=f"{name} enamel camping mug") for name in ("seen", "fresh")]
    shelf = shelf_of([*words, *mugs])
    state = UserState("ann", born=1, n=1, last=NOON)
    state.recent = [RecentItem("seen", NOON - 1, "view", "?")]
    heard = []
    for session in (0, 1, 4, 40):
        shelf.apply(SessionSteps(list(range(session)), ["fresh"] * session, [NOON] * session))
        [made] = Ranker(shelf).rank([state], [NOON])
        place = made.items.index("fresh")
        heard.append(made.sources[place].get("similar", 0.0))
        if session == 0:
            assert (place, made.whys[place]) == (0, "similar:seen")
    assert heard == sorted(heard, reverse=True)
    assert heard[0] > 0.3
    assert heard[2] == pytest.approx(heard[0] / 3, rel=1e-3)
    assert heard[3] == 0.0
