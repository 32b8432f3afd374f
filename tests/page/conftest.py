"""A small shop in a real Redis, the page served over a real socket, and Chromium to look at it."""

from __future__ import annotations

import random
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import redis
import uvicorn

from infra.redis import RedisServer
from jobs.page_app import page_app
from jobs.page_clicks import ClickProducer
from jobs.page_server import PageServer, PageSettings
from schemas.pseudonym import Pseudonym
from schemas.records import Item
from schemas.redis_keys import RedisKeys, seq
from schemas.redis_values import (
    DriftValue,
    ProfileValue,
    RecValue,
    SessionValue,
    SlotValue,
    TrendingValue,
    item_value,
    profile_value,
    rec_value,
    slot_value,
    trending_value,
)
from schemas.stats import RECENT, RECENT_LENGTH, WORKERS, Histogram

SECRET = b"the secret of the page tests"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
START = 1_322_730_000_000
ENDED_WITHIN_S = 30.0

GOODS = {
    "LANTERN": ["WHITE METAL", "REGENCY TEA-LIGHT", "HANGING GLASS", "VINTAGE BLUE", "MOROCCAN BEADED"],
    "BAG/LUNCH": ["RED RETROSPOT", "DOLLY GIRL", "SPACEBOY", "SUKI DESIGN", "ALPHABET", "CARS BLUE"],
    "MUG": ["RETROSPOT", "SET OF 4 PANTRY", "HOME SWEET HOME", "POPPY'S", "VINTAGE ENAMEL"],
    "CLOCK/ALARM": ["BAKELIKE RED", "BAKELIKE GREEN", "BAKELIKE IVORY", "BAKELIKE PINK"],
    "HOLDER/T-LIGHT": ["WHITE HANGING HEART", "FILIGREE", "STAR OF WONDER", "PINK CRYSTAL", "ANTIQUE SILVER"],
    "CAKESTAND": ["REGENCY 3 TIER", "PINK GLASS", "PARISIENNE", "WOODEN ADVENT"],
    "CUSHION COVER": ["UNION JACK", "RETROSPOT PATCH", "PEACOCK FEATHER", "SCANDINAVIAN REDS"],
    "BUNTING": ["PARTY", "SPOTTY", "PAPER CHAIN KIT", "UNION JACK FLAG"],
}


class Shop:
    """Writes the keys that the job would write, through the encoders of the key contract."""

    def __init__(self, url: str) -> None:
        self.redis = redis.Redis.from_url(url)
        self.keys = RedisKeys()
        self.pseudonym = Pseudonym(SECRET)
        self.items: list[Item] = []
        self.events: dict[str, int] = {}
        self._waits = {"leading_ms": Histogram(), "trailing_ms": Histogram()}
        self._counts = {"lists": 0, "batches": 0, "rank_us": 0, "redis_us": 0}

    def stock(self) -> None:
        """Put every good of the shop into the catalogue, and what trends beside it."""
        for path, kinds in GOODS.items():
            for kind in kinds:
                title = f"{kind} {' '.join(reversed(path.split('/')))}"
                self.put(Item(item_id=f"{22000 + 7 * len(self.items)}", title=title, category=path,
                              price=0.85 + 1.3 * (len(self.items) % 9), currency="GBP"))  # fmt: skip
        self.trend("all", [item.item_id for item in self.items])
        self.trend("country:GB", [item.item_id for item in self.items[10:]])
        for path in GOODS:
            ids = [item.item_id for item in self.items if item.category == path]
            self.trend(f"category:{path.partition('/')[0]}", ids)

    def put(self, item: Item) -> None:
        """Add one item to the catalogue."""
        self.items.append(item)
        self.redis.set(self.keys.item(item.item_id), item_value(item))
        self.redis.sadd(self.keys.known("item"), item.item_id)

    def trend(self, scope: str, ids: Sequence[str]) -> None:
        """Make these items trend in `scope`, best first."""
        self.redis.sadd(self.keys.known("pop"), scope)
        ranked = [(item_id, 100.0 - place) for place, item_id in enumerate(ids)]
        self.redis.set(
            self.keys.trending(scope), trending_value(TrendingValue(at=START, scope=scope, items=ranked))
        )

    def publish(
        self,
        uid: str,
        ids: Sequence[str],
        *,
        recent: Sequence[str] = (),
        after: int = 1,
        slots: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        """Write lists and profile of a user as they are after `after` more events; `slots` are those beside `home`."""
        n = self.events[uid] = self.events.get(uid, 0) + after
        at = START + 60_000 * n
        latest = list(recent) or [ids[-1]]
        version = seq(START, n)
        reasons = [f"because_bought:{latest[0]}", "trending:country:GB", "for_you"]
        ranked = [(item, 0.93**place, reasons[sum(map(ord, item)) % 3]) for place, item in enumerate(ids)]
        paths = list(GOODS)
        profile = ProfileValue(
            seq=version, at=at, born=START, events=n, country="GB", device="phone",
            session=SessionValue(number=1 + n // 9, start=at - 420_000, last=at, depth=1 + n % 9),
            types={"view": 0.8 * n + 1, "add_to_cart": 0.31 * n, "purchase": 0.12 * n, "like": 0.05 * n},
            categories={path: 1.0 + k for k, path in enumerate(paths[:4])},
            affinities=[(path, 0.91 - 0.12 * k) for k, path in enumerate(paths[:5])],
            recent=[(item, at - 95_000 * k, ("view", "add_to_cart", "view", "purchase")[k % 4], "MUG")
                    for k, item in enumerate(latest)],
            drift=DriftValue(drifts=n // 20, at=at if n >= 20 else 0, labelled=n),
            learning={"model": "LogisticRegression", "optimizer": "SGD", "scaler": "StandardScaler",
                      "drift": "ADWIN"},
        )  # fmt: skip
        rec = RecValue(seq=version, id=f"{uid[:8]}-{n}", at=at, model="shop-2011.1", items=ranked)
        pipeline = self.redis.pipeline()
        for slot, others in slots.items():
            beside = SlotValue(
                seq=version, id=f"{rec.id}-{slot}", at=at, model=rec.model, slot=slot,
                item=others[0] if slot == "product" else None, items=[(item, 1.0, "for_you") for item in others],
            )  # fmt: skip
            pipeline.sadd(self.keys.slots, slot)
            pipeline.set(self.keys.rec(uid, slot), slot_value(beside))
        pipeline.set(self.keys.rec(uid), rec_value(rec))
        pipeline.set(self.keys.profile(uid), profile_value(profile))
        pipeline.lpush(self.keys.stats(RECENT), uid)
        pipeline.ltrim(self.keys.stats(RECENT), 0, RECENT_LENGTH - 1)
        pipeline.execute()

    def some_items(self, count: int, seed: int) -> list[str]:
        """Item ids of the catalogue, drawn by a fixed seed."""
        return random.Random(seed).sample([item.item_id for item in self.items], count)

    def report(self, lists: int, leading: Sequence[float], trailing: Sequence[float]) -> None:
        """Write the figures of a rank worker after `lists` more lists that waited so long (ms)."""
        for name, value in {
            "lists": lists,
            "batches": 1 + lists // 20,
            "rank_us": 88 * lists,
            "redis_us": 13 * lists,
        }.items():
            self._counts[name] += value
        for name, waits in (("leading_ms", leading), ("trailing_ms", trailing)):
            for ms in waits:
                self._waits[name].add(ms)
        self.redis.hset(self.keys.stats(WORKERS), "worker-0", time.time_ns() // 1_000_000)
        self.redis.hset(
            self.keys.stats("worker-0"),
            mapping={
                "at": time.time_ns() // 1_000_000,
                **self._counts,
                **{name: waits.encode() for name, waits in self._waits.items()},
            },
        )


@contextmanager
def served(settings: PageSettings, clicks: ClickProducer | None) -> Iterator[str]:
    """The page's address while it is served from a thread of its own."""
    page = PageServer(settings, clicks)
    config = uvicorn.Config(
        page_app(page, ["127.0.0.1"]),
        host="127.0.0.1",
        port=0,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the page's server did not start")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        page.end_soon()
        server.should_exit = True
        # Threads that ask Kafka something are waited for, each for some seconds on a busy machine.
        thread.join(ENDED_WITHIN_S)
        assert not thread.is_alive(), f"the page's server did not end; its threads are at:\n{_all_stacks()}"


def _all_stacks() -> str:
    return "\n".join("".join(traceback.format_stack(frame)) for frame in sys._current_frames().values())


def until(condition: Callable[[], Any], otherwise: str, seconds: float = 10.0) -> None:
    """Wait for a condition. Fails with `otherwise` after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)


@pytest.fixture
def kit() -> SimpleNamespace:
    """What a test needs to set up a page of its own."""
    return SimpleNamespace(Shop=Shop, SECRET=SECRET, served=served, until=until)


@pytest.fixture
def shop(redis_server: RedisServer) -> Iterator[Shop]:
    """A stocked shop in an otherwise empty Redis."""
    shop = Shop(redis_server.url)
    shop.stock()
    yield shop
    shop.redis.close()


@pytest.fixture
def page_url(shop: Shop, redis_server: RedisServer) -> Iterator[str]:
    """The page without Kafka and Flink, over the shop."""
    with served(PageSettings(redis_url=redis_server.url, secret=SECRET), None) as url:
        yield url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium for a file's tests: while Playwright lives, no other test of this thread can run a loop."""
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH: the page is not driven in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(Path(CHROMIUM)),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking",
                  "--disable-component-update",
                  "--disable-sync", "--no-first-run"],
        )  # fmt: skip
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    """A new browser tab at laptop size; fails the test where the page logs an error."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.problems = problems
    yield page
    context.close()
    # The page's server may end before its tab, which then cannot connect again: that is no fault of the page.
    faults = [problem for problem in problems if "ERR_CONNECTION_REFUSED" not in problem]
    assert faults == [], "the page logged errors"
