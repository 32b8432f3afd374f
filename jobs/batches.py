"""How many rows go to a vectorised function at once, and how long they are gathered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyflink.table import StreamTableEnvironment

LARGE = {
    "python.fn-execution.bundle.time": "500",
    "python.fn-execution.bundle.size": "5000",
    "python.fn-execution.arrow.batch.size": "5000",
}
"""For what may be half a second old: every batch costs some milliseconds on both sides, whatever is in it."""


@contextmanager
def in_large_batches(tables: StreamTableEnvironment) -> Iterator[None]:
    """What is laid out in the block has its rows gathered as `LARGE` says; lists are gathered for less."""
    config = tables.get_config()
    before = {key: config.get(key, "") for key in LARGE}
    for key, value in LARGE.items():
        config.set(key, value)
    yield
    for key, value in before.items():
        config.set(key, value)
