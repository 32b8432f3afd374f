"""What SQL turns away is what no book of schemas can read, and nothing else: held to the decoder on real messages."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from operators.turned_away import MOST_BYTES
from schemas.codec import EVENTS, MARKER
from schemas.reason import Reason, UndecodableRecord
from schemas.records import Event
from schemas.schema_book import SchemaBook
from schemas.schema_registry import FixedSchemas

EVENT = EVENTS.encode(Event(event_id="e", user_id="ann", type="search", time=7))
BODY = EVENT[len(EVENTS.header) :]
FRAMED = b"\0\0\0\0\7" + BODY
CUSTOMERS = json.dumps({**json.loads(EVENTS.schema_json), "namespace": "shop", "aliases": ["early.Event"]})


def customers_header(book: SchemaBook) -> bytes:
    return MARKER + book.add(CUSTOMERS).to_bytes(8, "little")


def messages() -> list[bytes]:
    rng = random.Random(3)
    return [
        EVENT, customers_header(SchemaBook()) + BODY, FRAMED,
        MARKER, MARKER + bytes(8), MARKER[:1], MARKER[::-1], b"\xc3\x02" + EVENT[2:], b"", b"\0", b'{"user_id":"ann"}',
        *(rng.randbytes(rng.randrange(1, 60)) for _ in range(40)),
        *(bytes([first]) + rng.randbytes(9) for first in (0, 1, 0x7F, 0x80, 0xC3, 0xFF)),
        b"\xff" * MOST_BYTES, b"\xff" * (MOST_BYTES + 1),
    ]  # fmt: skip


def ask_flink() -> None:
    """Print, for jobs without and with a registry, what Flink finds readable of `messages()`."""
    from infra import java

    java.use()
    from pyflink.table import EnvironmentSettings, TableEnvironment

    from operators.turned_away import is_readable

    tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    rows = " union all ".join(
        f"select {number} as n, cast(x'{message.hex()}' as bytes) as message"
        for number, message in enumerate(messages())
    )
    answers = []
    for framed in (False, True):
        found = tables.execute_sql(f"select n, {is_readable(framed=framed)} from ({rows})")
        with found.collect() as collected:
            answers.append([readable for _, readable in sorted(tuple(row) for row in collected)])
    print(json.dumps(answers))


@pytest.fixture(scope="module")
def readable() -> dict[bool, list[bool]]:
    """What Flink found readable, without and with a registry."""
    ran = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    return dict(zip((False, True), json.loads(ran.stdout.splitlines()[-1]), strict=True))


@pytest.mark.timeout(700)
@pytest.mark.parametrize("framed", [False, True])
def test_nothing_that_can_be_read_is_turned_away(readable: dict[bool, list[bool]], framed: bool) -> None:
    book = SchemaBook(FixedSchemas({7: EVENTS.schema_json}) if framed else None)
    customers_header(book)
    decoded = 0
    for message, passed in zip(messages(), readable[framed], strict=True):
        try:
            book.decode_event(message)
        except UndecodableRecord as error:
            # What bears a known mark goes on, broken or not: its schema may become known.
            if error.reason is Reason.NOT_AVRO and len(message) <= MOST_BYTES:
                assert not passed, message
        else:
            decoded += 1
            assert passed, message
        assert passed == (
            message.startswith((MARKER, b"\0") if framed else MARKER) or len(message) > MOST_BYTES
        )
    assert decoded == (3 if framed else 2)


if __name__ == "__main__":
    sys.path.pop(0)
    ask_flink()
