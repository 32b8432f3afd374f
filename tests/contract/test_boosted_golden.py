"""A bundle with a boosted model of the next category, as it was trained once, loads and ranks wherever the job runs.

python -m tests.contract.test_boosted_golden     train it anew
"""

from __future__ import annotations

import numpy as np
import pytest

from operators.boosted_affinity import load_boosted
from operators.bundle import load_bundle
from operators.bundle_arrays import read_arrays
from operators.bundle_manifest import BOOSTED_FORMAT, BOOSTED_GOLDEN
from operators.ranker import Ranker
from operators.shelf import Shelf
from operators.shelf_records import Items, Popularity
from schemas.records import Event, Item
from schemas.state import RecentItem, UserState
from tests.contract import ring
from tests.contract.ring import write

GOLDEN = ring.GOLDEN / "4"
OF = {"mug": "Kitchen/Mugs", "cup": "Kitchen/Mugs", "kite": "Toys/Kites", "ball": "Toys/Balls"}


def first_listed(recent: list[str]) -> str:
    """What stands first in the list of a user who took these items, the newest last."""
    items = [f"{name}-{k}" for name in OF for k in range(3)]
    shelf = Shelf()
    shelf.apply(Items([Item(item_id=item, category=OF[item.split("-")[0]]) for item in items]))
    shelf.apply(Popularity(["all"] * len(items), items, [1.0] * len(items)))
    for item in items:
        top = OF[item.split("-")[0]].split("/")[0]
        shelf.apply(Popularity([f"category:{top}"], [item], [1.0]))
    taken = [RecentItem.of(item, k, "view", OF[item.split("-")[0]]) for k, item in enumerate(recent)]
    counts: dict[str, float] = {}
    for each in taken:
        counts[each.category] = counts.get(each.category, 0.0) + 1.0
    user = UserState("ann", born=0, n=len(taken), last=len(taken), recent=taken, categories=counts)
    [made] = Ranker(shelf, bundle=load_bundle(GOLDEN)).rank([user], [100], [recent])
    return made.items[0].split("-")[0]


@pytest.mark.parametrize("recent", [["kite-0", "kite-1"], ["ball-0", "ball-2"]])
def test_who_stays_in_a_category_sees_its_items_first(recent: list[str]) -> None:
    assert first_listed(recent) == recent[-1].split("-")[0]


def test_golden_probabilities_are_those_of_the_trees() -> None:
    held = read_arrays(GOLDEN / BOOSTED_GOLDEN, "inputs", "outputs")
    found = load_boosted(GOLDEN).of_rows(held["inputs"])
    np.testing.assert_allclose(found, held["outputs"], rtol=1e-4, atol=1e-4)
    assert len(found) >= 20
    assert np.ptp(found) > 0.1


def test_such_a_bundle_has_a_format_of_its_own_and_no_row_of_a_user_or_a_category() -> None:
    assert load_bundle(GOLDEN).manifest.format == BOOSTED_FORMAT
    held = b"".join(path.read_bytes() for path in GOLDEN.iterdir())
    assert b"user-" not in held
    assert b"Kitchen" not in held


@pytest.mark.parametrize("version", ["2", "3"])
def test_bundles_of_earlier_formats_have_no_such_model(version: str) -> None:
    bundle = load_bundle(ring.GOLDEN / version)
    assert bundle.manifest.format == int(version)
    assert bundle.boosted is None


def _visits() -> list[Event]:
    """Users who mostly stay in a category."""
    drawn = np.random.default_rng(5)
    names, at = list(OF), drawn.integers(0, len(OF), 40)
    events = []
    for k in range(1_500):
        user = int(drawn.integers(40))
        if drawn.random() > 0.8:
            at[user] = drawn.integers(len(OF))
        item = f"{names[at[user]]}-{drawn.integers(12)}"
        events.append(
            Event(event_id=f"e{k}", user_id=f"user-{user}", type="view", time=k * 60_000, item_id=item)
        )
    return events


def _write() -> None:
    from jobs.boosted_settings import BoostedSettings
    from jobs.boosted_training import fit_boosted
    from jobs.category_examples import CategorySampler
    from jobs.plain_stream import PlainStream
    from operators.rank_settings import RankSettings

    stream = PlainStream([Item(item_id=f"{name}-{k}", category=OF[name]) for name in OF for k in range(12)])
    sampler = CategorySampler(stream, RankSettings())
    for event in _visits():
        if sampler.counts(event):
            sampler.sample(event)
        stream.learn(event)
    model = fit_boosted(sampler.take(), BoostedSettings(trees=20, least_rows_in_leaf=40))
    write("4", {"boosted_category": 1.0, "trending_score": 0.001}, model)


if __name__ == "__main__":
    _write()
