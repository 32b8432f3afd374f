"""Confluent framing is read where a registry is configured, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from schemas.codec import EVENTS, HEADER_SIZE
from schemas.key_of import KeyOf
from schemas.reason import Reason, UndecodableRecord
from schemas.records import Event
from schemas.schema_book import SchemaBook
from schemas.schema_registry import FixedSchemas, SchemaRegistry

EVENT = Event(event_id="e1", user_id="ann", type="view", time=5, item_id="mug")
BODY = EVENTS.encode(EVENT)[HEADER_SIZE:]
STRANGE = '{"type": "record", "name": "Event", "fields": [{"name": "user_id", "type": "long"}]}'


class Registry(ThreadingHTTPServer):
    """Serves `GET /schemas/ids/{id}` as Confluent's registry does, after failing `failures` times."""

    schemas: dict[int, str]
    asked: list[str]
    failures = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        schema = self.server.schemas.get(int(self.path.rpartition("/")[2]))
        if self.server.failures:
            self.server.failures -= 1
            status, answer = 503, {"error_code": 50001}
        elif schema is None:
            status, answer = 404, {"error_code": 40403, "message": "Schema not found"}
        else:
            status, answer = 200, {"schema": schema}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry(("127.0.0.1", 0), Handler)
    server.schemas, server.asked = {7: EVENTS.schema_json, 8: STRANGE}, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def framed(schema_id: int, body: bytes = BODY) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def reason_of(book: SchemaBook, message: bytes) -> Reason:
    with pytest.raises(UndecodableRecord) as refusal:
        book.decode_event(message)
    return refusal.value.reason


def test_a_schema_is_fetched_once_and_remembered(registry: Registry) -> None:
    book = SchemaBook(SchemaRegistry(registry.url))
    assert [book.decode_event(framed(7)) for _ in range(3)] == [EVENT] * 3
    assert KeyOf(book).user_id(framed(7)) == "ann"
    assert registry.asked == ["/schemas/ids/7"]


def test_an_id_that_the_registry_does_not_know_is_asked_for_once(registry: Registry) -> None:
    book = SchemaBook(SchemaRegistry(registry.url))
    assert [reason_of(book, framed(9)) for _ in range(3)] == [Reason.UNKNOWN_SCHEMA] * 3
    assert registry.asked == ["/schemas/ids/9"]


def test_a_schema_of_the_registry_that_does_not_resolve_is_refused(registry: Registry) -> None:
    book = SchemaBook(SchemaRegistry(registry.url))
    assert [reason_of(book, framed(8)) for _ in range(2)] == [Reason.REFUSED_SCHEMA] * 2


def test_a_registry_that_fails_for_a_moment_is_asked_again(registry: Registry) -> None:
    registry.failures = 2
    pauses: list[float] = []
    book = SchemaBook(SchemaRegistry(registry.url, sleep=pauses.append))
    assert book.decode_event(framed(7)) == EVENT
    assert pauses == [0.1, 0.2]


def test_a_registry_that_is_away_holds_back_one_message_and_is_asked_again_later(registry: Registry) -> None:
    registry.failures = 100
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    book = SchemaBook(SchemaRegistry(registry.url, patience=1.0, clock=lambda: now[0], sleep=sleep))
    assert reason_of(book, framed(7)) is Reason.REGISTRY_UNAVAILABLE
    asked = len(registry.asked)
    assert asked > 2
    assert reason_of(book, framed(7)) is Reason.REGISTRY_UNAVAILABLE
    assert len(registry.asked) == asked
    registry.failures = 0
    now[0] += 1.0
    assert book.decode_event(framed(7)) == EVENT


def test_without_a_registry_a_framed_message_is_not_avro() -> None:
    assert reason_of(SchemaBook(), framed(7)) is Reason.NOT_AVRO


def test_a_frame_is_read_as_strictly_as_any_message() -> None:
    book = SchemaBook(FixedSchemas({7: EVENTS.schema_json}))
    assert book.decode_event(framed(7)) == EVENT
    assert reason_of(book, framed(7)[:4]) is Reason.TRUNCATED
    assert reason_of(book, framed(7, BODY[:-1])) is Reason.TRUNCATED
    assert reason_of(book, framed(7, BODY + b"\0")) is Reason.TRAILING_BYTES
    assert reason_of(book, framed(6)) is Reason.UNKNOWN_SCHEMA


def test_our_own_encoding_is_read_beside_the_frames() -> None:
    book = SchemaBook(FixedSchemas({7: EVENTS.schema_json}))
    assert book.decode_event(EVENTS.encode(EVENT)) == EVENT


def test_a_registry_needs_a_web_address() -> None:
    with pytest.raises(ValueError, match=r"localhost:8081.*http://"):
        SchemaRegistry("localhost:8081")
