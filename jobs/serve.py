"""`headrace serve`: the demo page on this machine."""

from __future__ import annotations

import socket
from functools import partial
from typing import Annotated

import typer
import uvicorn

from infra.ports import claim
from jobs import options
from jobs.page_app import page_app
from jobs.page_clicks import ClickProducer
from jobs.page_server import PageServer, PageSettings
from jobs.replay_clock import replay_clock
from jobs.settings import Settings, load

USUAL_PORT = 8080
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class PageWebServer(uvicorn.Server):
    """Ends the pages' open streams before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, page: PageServer) -> None:
        super().__init__(config)
        self._page = page

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving."""
        self._page.end_soon()
        await super().shutdown(sockets)


def page_settings(settings: Settings, flink: str | None = None) -> PageSettings:
    """What the page needs of all settings; `flink` is the address of Flink's web UI, where there is one."""
    return PageSettings(
        redis_url=settings.redis_url(),
        secret=settings.secret(),
        kafka=settings.kafka.access(),
        flink=flink,
        events_topic=settings.kafka.events,
        prefix=settings.redis.prefix,
        control_topic=settings.kafka.control,
        control_status_topic=settings.kafka.control_status,
        segment_changes_topic=settings.kafka.segment_changes,
        drift_topic=settings.kafka.drift,
        step=settings.step,
        rules=settings.segments.in_force(),
    )


def web_server(settings: PageSettings, host: str, port: int) -> PageWebServer:
    """The page's server, not yet started: call `run()`, from any thread; `should_exit = True` ends it.

    On a loopback address it answers only to that name, so that no other site reaches it through a browser;
    on any other address it answers to every name.
    """
    page = PageServer(settings, _clicks(settings))
    config = uvicorn.Config(
        page_app(page, ["127.0.0.1", "localhost", "[::1]"] if host in LOOPBACK else ["*"]),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    return PageWebServer(config, page)


def _clicks(settings: PageSettings) -> ClickProducer | None:
    if settings.kafka is None:
        return None
    clock = partial(replay_clock, settings.kafka, settings.events_topic)
    return ClickProducer(settings.kafka, settings.events_topic, clock)


def command(
    port: Annotated[
        int | None, typer.Option("--port", help="Port of the page; 8080 if that is free.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; this machine only.")
    ] = None,
    redis: options.Redis = None,
    brokers: options.Brokers = None,
    flink: Annotated[str | None, typer.Option("--flink", help="Flink's web UI, http://HOST:PORT.")] = None,
    config: options.Config = None,
) -> None:
    """Serve the demo page: users, their lists and the flow, live; and a visitor who can click.

    Example: headrace serve --port 8080 --flink http://127.0.0.1:8081
    """
    given = {"page.port": port, "page.host": host, "redis.url": redis, "kafka.brokers": brokers}
    settings = load(config, {name: value for name, value in given.items() if value is not None})
    chosen = claim("the demo page", settings.page.port, usual=USUAL_PORT, option="--port")
    print(f"The page is at http://{settings.page.host}:{chosen} (Ctrl-C ends it).", flush=True)
    web_server(page_settings(settings, flink), settings.page.host, chosen).run()
