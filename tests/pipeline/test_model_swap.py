"""A model comes into the running job: it ranks, is compared, is refused, is rolled back; nothing is started again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.control_topic import publish_and_hear
from jobs.factorise import FactorSettings
from jobs.retraining import offer
from jobs.train_ranker import RankerSettings
from jobs.training import Training
from jobs.training_settings import TrainingSettings
from operators.bundle_reference import reference_to
from schemas.records import Control, Event
from tests.pipeline.conftest import LiveJob
from tests.pipeline.story import BEGIN, DAY, ITEMS, Story
from tests.small_bundles import spoil_golden, write_network

SMALL = TrainingSettings(
    lists=300,
    validation=600,
    factors=FactorSettings(factors=8, neighbours=10),
    rankers=RankerSettings(trees=((10, 7),), networks=(), least_rows_in_leaf=10),
)
LATER = BEGIN + 30 * DAY


@dataclass
class Shop:
    """The live job, and a shopper whose lists tell which model made them."""

    live: LiveJob
    turns: Iterator[int] = field(default_factory=itertools.count)

    def model(self, *words: str) -> Any:
        """What `headrace model` says, as JSON; it must succeed."""
        said = self.live.headrace("model", *words, "--json")
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    def look(self) -> None:
        """Let the shopper look at one of three things, and others at what may be recommended then."""
        turn = next(self.turns)
        for user, item in (("mia", turn % 3), (f"crowd-{turn % 7}", 20 + turn % 30)):
            self.live.send(
                Event(
                    event_id=f"swap-{user}-{turn}", user_id=user, type="view", time=LATER + turn * 60_000,
                    item_id=ITEMS[item].item_id,
                )
            )  # fmt: skip

    def lists_name(self, model: str) -> None:
        """Wait until a list that was made from now on names the model."""
        before = self.live.rec("mia")

        def named() -> bool:
            self.look()
            rec = self.live.rec("mia")
            return rec is not None and rec != before and rec["model"] == model

        self.live.until(named, f"a list by {model}")


@pytest.fixture(scope="module")
def shop(story: Story) -> Iterator[Shop]:
    """The live job with the story's catalogue, without any model before and after."""
    live_job = story.live
    shop = Shop(live_job)
    yield shop
    for words in (("remove",), ("remove", "--shadow")):
        live_job.headrace("model", *words)
    shop.lists_name("blend")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundles shop/1, trained on a little history, and shop/2, a network."""
    folder = tmp_path_factory.mktemp("models")
    drawn = np.random.default_rng(5)
    rows = []
    for number in range(4_000):
        user = int(drawn.integers(number // 40, number // 40 + 20))
        item = ITEMS[user % 4 + 4 * int(drawn.integers(len(ITEMS) // 4))].item_id
        rows.append((f"e{number}", f"user-{user}", "view", BEGIN + number * 60_000, item))
    columns = dict(
        zip(("event_id", "user_id", "type", "time", "item_id"), zip(*rows, strict=True), strict=True)
    )
    pq.write_table(
        pa.table({name: list(values) for name, values in columns.items()}), folder / "past.parquet"
    )
    Training(SMALL).run(folder / "past.parquet", None, folder / "shop" / "1")
    write_network(folder / "shop" / "2", seed=2)
    return folder / "shop"


@pytest.fixture(scope="module")
def first(shop: Shop, models: Path) -> Shop:
    """The shop, ranked with shop/1."""
    shop.lists_name("blend")
    told = shop.model("put", str(models / "1"))
    assert told["answered"]
    assert set(told["workers"].values()) == {None}
    return shop


def test_the_next_lists_name_a_model_that_was_put(first: Shop) -> None:
    first.lists_name("shop/1")


def test_a_shadow_is_compared_and_never_shown(first: Shop, models: Path) -> None:
    first.model("put", str(models / "2"), "--shadow", "--share", "1")
    first.lists_name("shop/1")

    def compared() -> Any:
        first.look()
        return [
            worker["shadow"]
            for worker in first.model("list")["workers"].values()
            if worker["shadow"].get("lists", 0) > 0
        ]

    [shadow] = first.live.until(compared, "lists are compared")
    assert (shadow["model"], shadow["against"]) == ("shop/2", "shop/1")
    assert 0 <= shadow["overlap"] <= shadow["lists"]
    assert shadow["micros"] > 0
    said = first.live.headrace("model", "list").stdout
    assert "compares shop/2 with shop/1" in said
    assert "100.00% of the lists" in said
    first.model("remove", "--shadow")


def test_one_command_brings_the_model_before_back(first: Shop, models: Path) -> None:
    first.model("put", str(models / "2"))
    first.lists_name("shop/2")
    first.model("rollback")
    first.lists_name("shop/1")
    assert first.model("list")["records"]["serve"]["former"]["folder"] == str(models / "2")


def test_a_broken_bundle_is_refused_before_it_is_sent(first: Shop, tmp_path: Path) -> None:
    broken = spoil_golden(write_network(tmp_path / "shop" / "3", seed=3))
    said = first.live.headrace("model", "put", str(broken))
    assert said.returncode == 2
    assert "golden row 7" in said.stderr
    assert said.stderr.count("\n") == 1
    said = first.live.headrace("model", "put", str(tmp_path / "nothing"))
    assert said.returncode == 2
    assert "no manifest.json can be read" in said.stderr


def test_a_message_that_says_no_bundle_is_refused_with_a_reason(first: Shop) -> None:
    control = Control(kind="model", name="shop", version=10**14, body='{"folder": 3}')
    status = publish_and_hear(control, first.live.topics, 30)
    assert status is not None
    assert not status.applied
    assert "Expected `str`, got `int`" in status.reason


def test_workers_refuse_a_broken_bundle_and_serve_on(first: Shop, tmp_path: Path) -> None:
    broken = spoil_golden(write_network(tmp_path / "shop" / "4", seed=4))
    held = first.model("list")["records"]["serve"]["version"]
    status = publish_and_hear(offer(reference_to(broken), held + 1), first.live.topics, 30)
    assert status is not None
    assert status.applied  # it parses; the bundle itself is the workers' to check

    def refusals() -> list[str]:
        return [
            worker["serve"]["refused"]
            for worker in first.model("list")["workers"].values()
            if "refused" in worker["serve"]
        ]

    [why] = first.live.until(refusals, "the worker refuses it")
    assert "golden row 7" in why
    first.lists_name("shop/1")
    first.model("rollback")

    def told() -> list[dict[str, Any]]:
        statuses = map(json.loads, first.live.read(first.live.topics.control_status))
        return [each for each in statuses if each["kind"] == "model" and each["name"] == "serve"]

    [refusal] = first.live.until(told, "the refusal is on the control-status topic")
    [worker] = first.model("list")["workers"]
    assert refusal == {
        "v": 1, "kind": "model", "name": "serve", "version": held + 1, "applied": False, "reason": why, "host": worker
    }  # fmt: skip
    first.lists_name("shop/1")
    assert told() == [refusal]
