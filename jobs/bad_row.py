"""What reading a file says of a row, or of a whole file, that cannot be used."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.errors import HeadraceError


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that made no record: nothing of it is lost, and its caller may put it among the dead letters.

    `row` counts the file's rows from 1, a header not counted; `reason` is a short code to count by, `detail`
    says it for people; `raw` is the row's cells as a JSON object; `time` is the row's time in ms where known.
    """

    file: str
    row: int
    reason: str
    detail: str
    raw: bytes
    time: int | None = None


class FileRefused(HeadraceError):  # noqa: N818 (named like the other refusals)
    """A file of which no row can be read. The text names the file, what is wrong and what to do."""


def raw_json(cells: dict[str, Any]) -> bytes:
    """A row's cells as they were read, as JSON; what JSON has no form for is written as text."""
    return msgspec.json.encode(
        {
            name: cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell
            for name, cell in cells.items()
        },
        enc_hook=str,
    )
