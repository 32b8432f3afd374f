"""The columns of the data lake: accepted events under a pseudonym, in Parquet by day.

A file's columns are these and nothing else; a column is never given another meaning. A later version adds
columns, and readers take what is missing for null. `day`, the folder that a row lies in, is the day of `at`
in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

LAKE_VERSION: Final = 1
"""Stands in every row, as column `v`."""

LAKE_ID_BYTES: Final = 12
"""Length of a user's random pseudonym: at 96 bits, two of a thousand million meet with chance 6e-12."""

DAY_FOLDER: Final = "day="
"""What the name of a day's folder begins with, before the date: day=2026-03-01."""

LIST_SEPARATOR: Final = "\x1f"
PAIR_SEPARATOR: Final = "\x1e"
"""Between the entries of a list or map, and between a key and its value, in a cell."""


class Kind(Enum):
    """What a column holds. A moment is ms since 1970 in a cell and a timestamp in a file."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    MOMENT = "moment"
    LIST = "list of text"
    PAIRS = "map of text"


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds, what that means, and whether a deployment may leave it empty."""

    name: str
    kind: Kind
    meaning: str
    optional: bool = False


COLUMNS: Final = (
    Column("user", Kind.TEXT, "the user's random pseudonym in the lake, 24 characters of 0-9a-f"),
    Column("n", Kind.WHOLE, "the user's accepted events up to this one: their order, and a row's identity"),
    Column("at", Kind.MOMENT, "the user's own clock: the latest time among their events up to this one"),
    Column("event_id", Kind.TEXT, "the event's id as it was sent"),
    Column("type", Kind.TEXT, "what happened"),
    Column("time", Kind.MOMENT, "when it happened"),
    Column("session", Kind.WHOLE, "the number of the user's session, from 1"),
    Column("item_id", Kind.TEXT, "the item"),
    Column("value", Kind.NUMBER, "price, stars, seconds: by type"),
    Column("quantity", Kind.NUMBER, "pieces of a purchase"),
    Column("currency", Kind.TEXT, "of the value"),
    Column("order_id", Kind.TEXT, "a keyed hash of the order: equal for the lines of one order"),
    Column("query", Kind.TEXT, "the words of a search", optional=True),
    Column("site", Kind.TEXT, "the site", optional=True),
    Column("slot", Kind.TEXT, "the place of a shown list", optional=True),
    Column("rec_id", Kind.TEXT, "a keyed hash of the recommendation that led here", optional=True),
    Column("position", Kind.WHOLE, "the place in that recommendation, from 0", optional=True),
    Column("items", Kind.LIST, "the shown items of an impression", optional=True),
    Column("device", Kind.TEXT, "the device, as one of the known codes", optional=True),
    Column("country", Kind.TEXT, "the country code", optional=True),
    Column("region", Kind.TEXT, "the region", optional=True),
    Column("locale", Kind.TEXT, "the language setting", optional=True),
    Column("page", Kind.TEXT, "the page, without its query string", optional=True),
    Column("referrer", Kind.TEXT, "the page before, without its query string", optional=True),
    Column("attributes", Kind.PAIRS, "the event's own attributes", optional=True),
    Column("consent", Kind.TEXT, "purposes consented to when it happened, by name, joined by commas; "
           "empty: all refused; null: never asked"),
    Column("traffic", Kind.TEXT, "null for a person, else what was taken for the sender (bot, internal)"),
)  # fmt: skip
"""All columns but `v` and `day`, in the order of a row's cells."""

NAMES: Final = tuple(column.name for column in COLUMNS)
OPTIONAL: Final = frozenset(column.name for column in COLUMNS if column.optional)
