"""The demo page as a web application: its routes, and the limits on what comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import orjson
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.page_clicks import KafkaAway
from jobs.page_feed import TooManyPages
from jobs.page_rules import DraftRule
from jobs.page_server import PageServer
from jobs.page_stream import EventStream
from jobs.page_visitors import Click, TooManyClicks
from operators.segments import SegmentRefused

T = TypeVar("T")

PAGE = Path(__file__).parent / "page"
MOST_BODY = 4_096
MOST_WATCHED = 2
LONGEST_QUERY = 200
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


class Refused(Exception):  # noqa: N818 (an answer, told as one sentence)
    """A request that gets an answer other than 200; the text is for the person at the page."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class FindUser(msgspec.Struct, forbid_unknown_fields=True):
    """What a page sends to find a user: the shop's own id of them, or a pseudonym."""

    user: str


class ProtectiveHeaders:
    """Adds the headers that keep the page to its own scripts, styles and connections."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in self._headers if header[0] not in given),
                ]
            await send(message)

        await self._app(scope, receive, send_protected)


def page_app(server: PageServer, hosts: list[str]) -> Starlette:
    """The application. `hosts` are the host names it answers to; `["*"]` is any."""
    answers = PageAnswers(server)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with server.running():
            yield

    return Starlette(
        routes=[
            Route("/", answers.page),
            Route("/live", answers.live),
            Route("/health", answers.answering(answers.health)),
            Route("/users", answers.answering(answers.find_user), methods=["POST"]),
            Route("/users/surprise", answers.answering(answers.surprise)),
            Route("/trending", answers.answering(answers.trending)),
            Route("/search", answers.answering(answers.search)),
            Route("/events", answers.answering(answers.click), methods=["POST"]),
            Route("/segments", answers.answering(answers.segments)),
            Route("/past", answers.answering(answers.past)),
            Route("/rules/check", answers.answering(answers.check_rule), methods=["POST"]),
            Route("/rules", answers.answering(answers.put_rule), methods=["POST"]),
            Mount("/static", StaticFiles(directory=PAGE)),
        ],
        middleware=[Middleware(ProtectiveHeaders), Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        lifespan=lifespan,
    )


class PageAnswers:
    """One method a route."""

    def __init__(self, server: PageServer) -> None:
        self._server = server

    async def page(self, request: Request) -> Response:
        """The page itself."""
        return FileResponse(PAGE / "index.html", media_type="text/html; charset=utf-8")

    async def live(self, request: Request) -> ASGIApp | Response:
        """Server-sent events about the users given as `uid`, at most `MOST_WATCHED`, and what all share."""
        uids = request.query_params.getlist("uid")[:MOST_WATCHED]
        if any(len(uid) > 64 or not uid.isalnum() for uid in uids):
            return _json({"error": "A uid has letters and digits only."}, 400)
        return _Live(self._server, uids)

    async def health(self, request: Request) -> Any:
        """What answers."""
        return self._server.health()

    async def find_user(self, request: Request) -> Any:
        """The pseudonym of a user. By POST, so that a raw user id stays out of addresses and logs."""
        wanted = await _body_of(request, FindUser)
        if not wanted.user.strip() or len(wanted.user) > LONGEST_QUERY:
            raise Refused(400, f"A user id has 1 to {LONGEST_QUERY} characters.")
        try:
            return await self._server.find_user(wanted.user)
        except ValueError as error:
            raise Refused(400, str(error)) from error

    async def surprise(self, request: Request) -> Any:
        """Some user."""
        uid = await self._server.surprise()
        if uid is None:
            raise Refused(404, "No user has a list yet: send some events first.")
        return {"uid": uid}

    async def trending(self, request: Request) -> Any:
        """What is popular within `scope`, and which scopes there are."""
        scope = request.query_params.get("scope", "all")[:LONGEST_QUERY]
        return {"items": await self._server.trending(scope), "scopes": self._server.directory.scopes}

    async def search(self, request: Request) -> Any:
        """Catalogue entries that hold every word of `q`."""
        query = request.query_params.get("q", "")[:LONGEST_QUERY]
        return {"items": self._server.catalogue.search(query), "known": len(self._server.catalogue)}

    async def click(self, request: Request) -> Any:
        """Send a visitor's click to Kafka."""
        click = await _body_of(request, Click)
        if self._server.clicks is None:
            raise Refused(503, "This page was started without Kafka: clicks cannot be sent.")
        try:
            return await self._server.click(click, self._server.clicks)
        except TooManyClicks as error:
            raise Refused(429, str(error)) from error
        except KafkaAway as error:
            raise Refused(503, str(error)) from error

    async def segments(self, request: Request) -> Any:
        """Counts over time, the rules, and who entered and left; of one segment where `segment` is given."""
        segment = request.query_params.get("segment")
        return self._server.segments.overview(segment and segment[:LONGEST_QUERY])

    async def past(self, request: Request) -> Any:
        """The segments that the user `uid` entered and left of late, and the drift that was seen."""
        return self._server.segments.past.of_user(request.query_params.get("uid", "")[:64])

    async def check_rule(self, request: Request) -> Any:
        """Whether a rule can be taken, its cost, and how many users would match now."""
        return await self._server.segments.check(await _body_of(request, DraftRule))

    async def put_rule(self, request: Request) -> Any:
        """Send a rule to the job."""
        draft = await _body_of(request, DraftRule)
        if self._server.clicks is None:
            raise Refused(503, "This page was started without Kafka: rules cannot be sent.")
        try:
            return await self._server.put_in_force(draft, self._server.clicks)
        except SegmentRefused as why:
            raise Refused(400, str(why)) from why
        except KafkaAway as error:
            raise Refused(503, str(error)) from error

    def answering(
        self, route: Callable[[Request], Awaitable[Any]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """`route` with its answer as JSON, and what went wrong as a sentence."""

        async def answer(request: Request) -> Response:
            try:
                return _json(await route(request), 200)
            except Refused as refused:
                return _json({"error": refused.text}, refused.status)
            except (RedisError, OSError):
                return _json({"error": "Redis is away. The page goes on when it is back."}, 503)

        return answer


class _Live:
    def __init__(self, server: PageServer, uids: list[str]) -> None:
        self._server = server
        self._uids = uids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = self._server
        try:
            with server.feed.subscribed(self._uids) as page:
                first = server.first_messages()
                try:
                    first += [("user", await server.feed.view(uid)) for uid in dict.fromkeys(self._uids)]
                except (RedisError, OSError):
                    first.append(("health", {**server.health(), "redis": False}))
                await EventStream(page, first, server.ending).send_all(scope, receive, send)
        except TooManyPages:
            answer = _json({"error": "Too many pages are open: close one and try again."}, 503)
            await answer(scope, receive, send)


async def _body_of(request: Request, kind: type[T]) -> T:
    """The JSON body of a request from our own page. Raises `Refused`."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise Refused(403, "Only this page itself may send that.")
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refused(415, "The body must be application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY:
            raise Refused(413, f"The body is longer than {MOST_BODY} bytes.")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(400, f"The body is not what was expected: {error}") from error


def _json(value: Any, status: int) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
