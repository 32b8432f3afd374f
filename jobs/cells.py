"""One cell of a Parquet or CSV column to one value of a record's field.

Each function takes a cell that is not empty, as pyarrow or the csv module gives it, and raises `ValueError`
with what is wrong and what would be right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from schemas.records import Market

_SECONDS: Final = range(10**9, 10**10)
"""As ms these lie in early 1970, as seconds after 2001: surely seconds."""

_MS: Final = 1000
_YES: Final = frozenset({"true", "t", "yes", "y", "1"})
_NO: Final = frozenset({"false", "f", "no", "n", "0"})


def text(cell: Any) -> str:
    """Text as it is; a whole number without its decimal point, as spreadsheets and pandas write ids.

    >>> text(17850.0), text("85123A"), text(True)
    ('17850', '85123A', 'true')
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, bytes):
        return cell.decode("utf-8")
    if isinstance(cell, list | dict | tuple):
        return msgspec.json.encode(cell, enc_hook=str).decode()
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell)


def number(cell: Any) -> float:
    """A finite number, with a decimal point and no thousands separators.

    >>> number("2.50"), number(3)
    (2.5, 3.0)
    """
    try:
        value = float(cell)
    except (TypeError, ValueError):
        raise ValueError(f"{cell!r} is not a number; write it like 1234.5") from None
    if not math.isfinite(value):
        raise ValueError(f"{cell!r} is not a finite number")
    return value


def integer(cell: Any) -> int:
    """A whole number.

    >>> integer("3"), integer(3.0)
    (3, 3)
    """
    value = number(cell)
    if not value.is_integer():
        raise ValueError(f"{cell!r} is not a whole number")
    return int(value)


def time_ms(cell: Any) -> int:
    """A time in ms since 1970: a whole number of ms, a timestamp or ISO 8601 text; without a zone, UTC.

    >>> time_ms("2011-12-09T12:50:00"), time_ms("1323435000000"), time_ms("2011-12-09 13:50+01:00")
    (1323435000000, 1323435000000, 1323435000000)
    """
    if isinstance(cell, str):
        digits = cell.strip()
        if not digits.lstrip("-").isdigit():
            return _ms_of(_iso(digits))
        cell = int(digits)
    if isinstance(cell, datetime):
        return _ms_of(cell)
    if isinstance(cell, date):
        return _ms_of(datetime(cell.year, cell.month, cell.day, tzinfo=UTC))
    value = integer(cell)
    if value in _SECONDS:
        raise ValueError(f"{value} looks like seconds; give milliseconds, {value * _MS}")
    return value


def _iso(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(
            f"{written!r} is no time; write ms since 1970 or ISO 8601, 2011-12-09T12:50:00Z"
        ) from None


def _ms_of(moment: datetime) -> int:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * _MS)


def flag(cell: Any) -> bool:
    """True or false, also as `yes`, `no`, `1`, `0`.

    >>> flag("Yes"), flag(False)
    (True, False)
    """
    if isinstance(cell, bool):
        return cell
    word = text(cell).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(f"{cell!r} is neither true nor false")


def texts(cell: Any) -> tuple[str, ...]:
    """Several texts: a list column, a JSON array, or texts with `|` between.

    >>> texts("a|b"), texts('["a","b"]'), texts(["a", None, "b"])
    (('a', 'b'), ('a', 'b'), ('a', 'b'))
    """
    if isinstance(cell, str):
        if cell.lstrip().startswith("["):
            cell = _json(cell, list)
        else:
            return tuple(part for part in (part.strip() for part in cell.split("|")) if part)
    if not isinstance(cell, list):
        raise ValueError(f"{cell!r} is not a list; write a JSON array, or texts with | between")
    return tuple(text(part) for part in cell if part is not None)


def text_map(cell: Any) -> dict[str, str]:
    """Names with texts: a map or struct column, or a JSON object.

    >>> text_map('{"size":"L","n":2}'), text_map([("size", "L")])
    ({'size': 'L', 'n': '2'}, {'size': 'L'})
    """
    return {str(name): text(value) for name, value in _mapping(cell).items() if value is not None}


def markets(cell: Any) -> dict[str, Market]:
    """Markets by country or site: a map column of structs, or a JSON object of objects.

    >>> markets('{"GB":{"price":2.5}}')["GB"].price
    2.5
    """
    try:
        return msgspec.convert(_mapping(cell), dict[str, Market])
    except msgspec.ValidationError as error:
        raise ValueError(f"markets: {error}") from None


def _mapping(cell: Any) -> dict[Any, Any]:
    if isinstance(cell, str):
        cell = _json(cell, dict)
    if isinstance(cell, list):  # pyarrow gives a map column as a list of pairs
        cell = dict(cell)
    if not isinstance(cell, dict):
        raise ValueError(f"{cell!r} is no map; write a JSON object")
    return cell


def _json(written: str, wanted: type) -> Any:
    try:
        return msgspec.json.decode(written, type=wanted)
    except msgspec.DecodeError as error:
        raise ValueError(f"{written[:80]!r} is not the JSON that is wanted here: {error}") from None


Cell = Callable[[Any], Any]
