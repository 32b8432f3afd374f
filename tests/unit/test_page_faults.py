"""An error in one task of the page, or in one user's keys, ends nobody's feed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import pytest
import redis
import redis.asyncio

from infra.redis import RedisServer
from jobs.page_catalogue import Catalogue
from jobs.page_directory import Directory
from jobs.page_feed import Feed
from jobs.page_tasks import end_tasks, through_faults
from jobs.page_view import Shown
from schemas.redis_keys import RedisKeys, seq
from schemas.redis_values import RecValue, rec_value

KEYS = RedisKeys()


def test_a_task_that_fails_is_begun_anew_and_told_once_a_kind(caplog: pytest.LogCaptureFixture) -> None:
    faults = iter([ValueError("one"), ValueError("two"), KeyError("three"), ValueError("four")])
    ended = asyncio.Event()

    async def keep() -> None:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        ended.set()
        await asyncio.sleep(60)

    async def run() -> None:
        task = asyncio.create_task(through_faults(keep, again_s=0.0))
        await asyncio.wait_for(ended.wait(), 10)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        ValueError,
        KeyError,
        ValueError,
    ]


def test_a_task_that_loses_a_cancellation_ends_all_the_same() -> None:
    lost = 0

    async def run() -> None:
        ending: list[asyncio.Task[None]] = []

        async def send() -> None:
            # The end begins just as the sending is done: the one moment at which wait_for is deaf.
            asyncio.get_running_loop().call_soon(
                lambda: ending.append(asyncio.create_task(end_tasks([task])))
            )

        async def keep() -> None:
            nonlocal lost
            await asyncio.wait_for(send(), 3)
            await asyncio.sleep(0.01)
            lost += 1
            await asyncio.sleep(60)

        task = asyncio.create_task(through_faults(keep))
        await asyncio.wait([task], timeout=10)
        assert task.cancelled()
        await ending[0]

    asyncio.run(run())
    assert lost == 1, "this Python loses no cancellation: to cancel once would do"


class BrokenShelf(Catalogue):
    """A catalogue with one entry that nobody foresaw."""

    async def items(self, ids: Iterable[str]) -> dict[str, Shown]:
        if "broken" in (wanted := list(ids)):
            raise LookupError("an entry that nobody foresaw")
        return await super().items(wanted)


def test_a_task_that_has_nothing_to_do_ends() -> None:
    asyncio.run(asyncio.wait_for(through_faults(lambda: asyncio.sleep(0)), 10))


def on_redis(server: RedisServer, test: Any) -> None:
    """Run a coroutine function of an asynchronous client."""

    async def run() -> None:
        client = redis.asyncio.Redis.from_url(server.url)
        try:
            await test(client)
        finally:
            await client.aclose()

    asyncio.run(run())


def test_one_users_broken_keys_take_no_other_users_feed_away(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def feed(client: Any) -> None:
        catalogue = BrokenShelf(client, KEYS)
        made = Feed(client, KEYS, catalogue)
        good, bad = "a" * 24, "b" * 24
        for uid, item in ((bad, "broken"), (good, "mug")):
            value = RecValue(seq=seq(1, 1), id="x", at=1, model="blend", items=[(item, 1.0, "")])
            await client.set(KEYS.rec(uid), rec_value(value))
        with made.subscribed([bad, good]) as page:
            for _ in range(3):
                await made.refresh([bad, good])
            name, data = page.messages.get_nowait()
            assert (name, data["uid"]) == ("user", good)
            assert page.messages.empty()

    on_redis(redis_server, feed)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_the_directory_walks_over_names_and_not_over_users(redis_server: RedisServer) -> None:
    async def walk(client: Any) -> None:
        await client.sadd(KEYS.known("pop"), "all", "country:GB", "country:FR")
        await client.set(KEYS.trending("all"), "{}")
        await client.set(KEYS.trending("country:GB"), "{}")
        await client.sadd(KEYS.known("item"), *(f"item-{number}" for number in range(2_000)))
        await client.config_resetstat()
        catalogue = Catalogue(client, KEYS)
        directory = Directory(client, KEYS, catalogue)
        await directory.walk()
        assert directory.scopes == ["all", "country:GB"]
        assert len(catalogue) == 2_000
        asked = await client.info("commandstats")
        assert "cmdstat_scan" not in asked
        assert asked["cmdstat_sscan"]["calls"] <= 20

    on_redis(redis_server, walk)
