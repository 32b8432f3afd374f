"""The page's background tasks: begun anew after errors, and ended for certain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

log = logging.getLogger(__name__)

AGAIN_S = 0.5
HEEDED_WITHIN_S = 0.2


async def through_faults(keep: Callable[[], Awaitable[None]], again_s: float = AGAIN_S) -> None:
    """Run a task of the page to its end, if it has one, and anew after any error; a kind of error is told once."""
    told: type[Exception] | None = None
    while True:
        try:
            await keep()
            return
        except Exception as error:
            if type(error) is not told:
                told = type(error)
                log.exception("a task of the page failed, and is begun anew; more of its kind are not told")
            await asyncio.sleep(again_s)


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, again and again until all have ended.

    Once is not enough: redis-py sends within `asyncio.wait_for`, which in Python 3.11 loses a cancellation that
    comes just as the sending is done (python/cpython#86296).
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=HEEDED_WITHIN_S)
