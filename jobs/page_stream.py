"""Server-sent events (WHATWG HTML, 9.2) as a response that ends when its page goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import orjson
from starlette.types import Receive, Scope, Send

from jobs.page_feed import Message, Subscription


def event_bytes(message: Message) -> bytes:
    """One event on the wire; its data is a single line of JSON."""
    name, data = message
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


class EventStream:
    """Sends `first` and then what the subscription brings, until the page goes or `ending` is set."""

    def __init__(self, page: Subscription, first: Iterable[Message], ending: asyncio.Event) -> None:
        self._page = page
        self._first = first
        self._ending = ending

    async def send_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; returns when it is over."""
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-store"),
                    (b"x-accel-buffering", b"no"),
                ],
            }
        )
        tasks = [
            asyncio.create_task(self._write(send)),
            asyncio.create_task(self._left(receive)),
            asyncio.create_task(self._ending.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._ending.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send) -> None:
        await send(_body(b"retry: 1000\n\n" + b"".join(map(event_bytes, self._first))))
        while True:
            await send(_body(event_bytes(await self._page.messages.get())))

    async def _left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


def _body(data: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": True}
