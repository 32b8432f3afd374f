"""New items in a bundle's factors: what they are made from, that they come and go, and that all of it is bounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from jobs.factorise import nearest
from operators.barred_items import BarredItems
from operators.candidates import CandidateFinder, Candidates, CandidateSettings
from operators.factor_fold_in import FactorFoldIn, folding
from operators.factor_neighbours import FactorNeighbours
from operators.item_news import ItemNews, NewsReader
from operators.sequence_model import NO_ITEM
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import CoVisits, Items
from operators.user_batch import UserBatch
from schemas.records import Item
from schemas.state import RecentItem, UserState
from tests.unit.made_sequence import drawn_sequence

KNOWN = [f"mug-{k}" for k in range(6)] + [f"lamp-{k}" for k in range(6)] + ["seldom"]
NOW = 1_700_000_000_000


def bundle_factors(width: int = 15) -> FactorNeighbours:
    """Mugs on one side and lamps on the other, a little apart from each other; one item without a vector."""
    drawn = np.random.default_rng(3)
    side = np.repeat([[1.0, 0.0], [0.0, 1.0]], 6, axis=0)
    vectors = np.vstack([side + 0.2 * drawn.normal(size=side.shape), np.zeros((1, 2))])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0).astype(np.float32)
    vectors.flags.writeable = False
    return FactorNeighbours(KNOWN, *nearest(vectors, width), vectors)


def entry(item_id: str) -> Item:
    kind = item_id.split("-")[0]
    return Item(item_id=item_id, title=f"{'blue china' if kind == 'mug' else 'tall bronze'} {kind} {item_id}")


def shop(items: Sequence[str] = KNOWN) -> Shelf:
    shelf = Shelf(ShelfBounds(items=2_000, sessions=100))
    shelf.apply(Items([entry(item) for item in items]))
    shelf.settle()
    return shelf


def folding_in(shelf: Shelf, most: int = 100) -> tuple[FactorNeighbours, FactorFoldIn]:
    factors = bundle_factors()
    made = folding(factors, shelf, most)
    assert made is not None
    shelf.news.read_all()
    return factors, made


def pairs(item: str, others: Sequence[str], strength: float = 1.0) -> CoVisits:
    return CoVisits([item] * len(others), list(others), [strength] * len(others))


def vector_of(factors: FactorNeighbours, item: str) -> npt.NDArray[np.float32]:
    return np.array(factors.vectors[factors.row_of(item)])


def neighbours_of(factors: FactorNeighbours, shelf: Shelf, item: str) -> list[str]:
    held = factors.numbered(shelf)
    rows = held.neighbours[factors.row_of(item)]
    return [shelf.item_id(int(held.number[row])) for row in rows[rows >= 0]]


def check_sound(factors: FactorNeighbours, shelf: Shelf) -> None:
    """Rows are in order, name each item once, and nobody who is not there."""
    held = factors.numbered(shelf)
    for row in range(len(held.neighbours)):
        filled = held.neighbours[row] >= 0
        count = int(filled.sum())
        assert filled[:count].all()
        assert len(set(held.neighbours[row, :count].tolist())) == count
        assert (np.diff(held.scores[row, :count]) <= 0).all()
        assert not held.scores[row, count:].any()
        named = held.number[held.neighbours[row, :count]]
        assert (named >= 0).all(), f"row {row} names an item that is gone"


def found(shelf: Shelf, factors: FactorNeighbours, recent: str) -> dict[str, float]:
    """What the factors name for a user whose last item is `recent`."""
    settings = CandidateSettings(session_knn=0, covisit=0, trending=0, category_trending=0, similar=0)
    user = UserState("u", born=1, n=1, last=NOW, recent=[RecentItem.of(recent, NOW, "view", "?")])
    with shelf.lock:
        users = UserBatch.of([user], shelf, [NOW])
        made: Candidates = CandidateFinder(shelf, settings, factors).find(
            users, BarredItems.of([[recent]], [b""], shelf)
        )
    return dict(zip(map(shelf.item_id, made.item.tolist()), made.scores[:, 4].tolist(), strict=True))


def test_an_item_that_nobody_touched_lies_where_items_of_like_text_lie() -> None:
    shelf = shop()
    factors, fold = folding_in(shelf)
    assert factors.row_of("mug-new") == -1
    shelf.apply(Items([entry("mug-new")]))
    assert fold.due
    shelf.news.read_all()
    mug, lamp = vector_of(factors, "mug-0"), vector_of(factors, "lamp-0")
    new = vector_of(factors, "mug-new")
    assert new @ mug > 0.3 > new @ lamp
    # What is known of it is its text alone, which is not quite that of any other.
    assert 0.05 < np.linalg.norm(new) < 1.0
    assert neighbours_of(factors, shelf, "mug-new")[0].startswith("mug")
    assert found(shelf, factors, "mug-1")["mug-new"] > 0.0
    assert "mug-new" not in found(shelf, factors, "lamp-1")
    check_sound(factors, shelf)


def test_what_it_is_taken_together_with_outweighs_its_text_the_more_there_is_of_it() -> None:
    shelf = shop([*KNOWN, "mug-new"])
    factors, _ = folding_in(shelf)
    lamp = vector_of(factors, "lamp-0")
    near = [float(vector_of(factors, "mug-new") @ lamp)]
    for others in (["lamp-1"], ["lamp-1", "lamp-2"], [f"lamp-{k}" for k in range(6)]):
        shelf.apply(pairs("mug-new", others))
        shelf.news.read_all()
        near.append(float(vector_of(factors, "mug-new") @ lamp))
    assert near == sorted(near)
    assert near[0] < 0.3 < 0.6 < near[-1] <= 1.0
    assert neighbours_of(factors, shelf, "mug-new")[0].startswith("lamp")
    check_sound(factors, shelf)


def test_an_item_without_text_is_folded_in_with_its_first_pair() -> None:
    shelf = shop()
    factors, fold = folding_in(shelf)
    shelf.apply(pairs("bare", ["lamp-2"]))
    shelf.news.read_all()
    assert np.linalg.norm(vector_of(factors, "bare")) == pytest.approx(1 / 3, abs=1e-3)
    shelf.apply(pairs("lonely", ["stranger"]))
    shelf.news.read_all()
    assert factors.row_of("lonely") == -1
    # "seldom" too has a text, if one like no other, so it is not counted.
    assert len(fold) == 1 + (np.linalg.norm(vector_of(factors, "seldom")) > 0)


def test_an_item_of_the_bundle_with_too_few_users_is_folded_into_its_own_row_and_no_other_changes() -> None:
    shelf = shop()
    before = bundle_factors()
    factors, _ = folding_in(shelf)
    shelf.apply(pairs("seldom", ["mug-1", "mug-2", "mug-3"]))
    shelf.apply(pairs("mug-4", ["lamp-1", "lamp-2", "lamp-3"]))
    shelf.news.read_all()
    assert factors.row_of("seldom") == KNOWN.index("seldom")
    assert vector_of(factors, "seldom") @ vector_of(factors, "mug-1") > 0.4
    np.testing.assert_array_equal(factors.vectors[: len(KNOWN) - 1], before.vectors[:-1])
    check_sound(factors, shelf)


def test_a_bundle_whose_items_are_all_known_is_left_as_it_is_and_not_copied() -> None:
    factors = bundle_factors()
    held = factors.vectors
    shelf = shop(KNOWN[:-1])
    fold = folding(factors, shelf, 100)
    assert fold is not None
    shelf.apply(pairs("mug-4", ["lamp-1", "lamp-2"]))
    assert not fold.due
    assert factors.vectors is held
    assert folding(bundle_factors(), shelf, 0) is None
    assert folding(FactorNeighbours.none(), shelf, 100) is None


def test_beyond_the_bound_the_oldest_gives_way_and_nothing_names_it_any_more() -> None:
    shelf = shop()
    factors, fold = folding_in(shelf, most=3)
    for k in range(12):
        shelf.apply(pairs(f"new-{k}", ["mug-1", f"lamp-{k % 6}"]))
        shelf.news.read_all()
        check_sound(factors, shelf)
    assert [k for k in range(12) if factors.row_of(f"new-{k}") >= 0] == [9, 10, 11]
    assert len(fold) <= 4
    held = factors.numbered(shelf)
    assert factors.row_of("new-11") < len(KNOWN) + 3
    assert held.row[shelf.number("new-0")] == -1
    shelf.apply(pairs("new-0", ["mug-2"]))
    shelf.news.read_all()
    assert found(shelf, factors, "mug-2")["new-0"] > 0.0


def test_what_waits_is_bounded_too() -> None:
    shelf = shop()
    _, fold = folding_in(shelf, most=5)
    shelf.apply(pairs_of_many(40))
    looked_at = 0
    while fold.due:
        fold.read_some(1)
        looked_at += 1
    assert looked_at <= 5


def pairs_of_many(items: int) -> CoVisits:
    return CoVisits([f"new-{k}" for k in range(items)], ["mug-1"] * items, [1.0] * items)


def test_an_item_is_looked_at_as_often_as_the_logarithm_of_its_touches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = shop()
    _factors, _fold = folding_in(shelf)
    folds = 0
    original = FactorFoldIn._fold

    def counted(self: FactorFoldIn, item_id: str) -> None:
        nonlocal folds
        folds += 1
        original(self, item_id)

    monkeypatch.setattr(FactorFoldIn, "_fold", counted)
    for k in range(200):
        shelf.apply(pairs("new", [f"mug-{k % 6}"], 1.0 + k))
        shelf.news.read_all()
    assert 7 <= folds <= 9


def test_a_full_shelf_gives_the_number_of_a_folded_item_to_another_and_lists_do_not_mix_them_up() -> None:
    shelf = shop()
    factors, _fold = folding_in(shelf)
    shelf.apply(pairs("mug-new", ["mug-1", "mug-2"]))
    shelf.news.read_all()
    generation = shelf.generation
    for at in range(0, 4_000, 400):
        many = [f"other-{k}" for k in range(at, at + 400)]
        # Those that the bundle knows are heard of again and again, and stay.
        shelf.apply(
            CoVisits(many + KNOWN[:-1], [*many[1:], many[0], *KNOWN[1:]], [1.0] * (400 + len(KNOWN) - 1))
        )
        shelf.news.read_all()
    assert shelf.generation > generation
    assert shelf.number("mug-new") == -1
    named = found(shelf, factors, "mug-1")
    assert named
    assert all(name.split("-")[0] in ("mug", "lamp", "seldom") for name in named)
    held = factors.numbered(shelf)
    for item in KNOWN[:-1]:
        assert held.row[shelf.number(item)] == KNOWN.index(item)


def test_a_list_does_not_wait_for_what_is_new_and_a_reader_that_is_gone_hears_nothing() -> None:
    shelf = shop()
    factors, fold = folding_in(shelf)
    shelf.apply(pairs("new", ["mug-1"]))
    assert found(shelf, factors, "mug-1")
    assert factors.row_of("new") == -1, "folding in is not what a list does"
    assert shelf.unsettled
    while shelf.settle_some():
        pass
    assert factors.row_of("new") >= 0
    del fold
    shelf.apply(pairs("newer", ["mug-1"]))
    assert not shelf.news.due


def test_items_of_a_shelf_that_was_filled_are_folded_in_once_their_texts_were_compared() -> None:
    shelf = Shelf(ShelfBounds(items=2_000, sessions=100))
    factors = bundle_factors()
    fold = folding(factors, shelf, 100)
    shelf.apply(Items([entry(item) for item in [*KNOWN, "mug-new"]]), compare=False)
    while shelf.settle_some():
        pass
    assert fold is not None
    assert not fold.due
    assert vector_of(factors, "mug-new") @ vector_of(factors, "mug-0") > 0.3


def test_news_reach_every_reader() -> None:
    class Reader:
        def __init__(self) -> None:
            self.heard: list[int] = []

        @property
        def due(self) -> bool:
            return bool(self.heard)

        def hear(self, numbers: npt.NDArray[np.int32]) -> None:
            self.heard += numbers.tolist()

        def read_some(self, most: int) -> bool:
            del self.heard[:most]
            return self.due

    shelf = shop()
    readers: list[NewsReader] = [Reader(), Reader()]
    news: ItemNews = shelf.news
    for reader in readers:
        news.follow(reader, np.arange(5, dtype=np.int32))
    assert all(reader.due for reader in readers)
    news.read_all()
    assert not news.due


def test_a_sequence_model_takes_a_folded_item_for_one_that_it_does_not_know() -> None:
    model = drawn_sequence(6).model()
    rows = len(model.numbers) - 1
    row = np.array([0, rows, rows + 40], np.int32)
    model.reach(rows + 41)
    alone = model.users(np.array([[0, -1, -1]], np.int32), row)
    np.testing.assert_array_equal(model.users(np.array([[1, 0, 2]], np.int32), row), alone)
    assert model.numbers[-1] == NO_ITEM
