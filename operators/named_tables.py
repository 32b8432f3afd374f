"""Rules and experiments in TOML text: one table below a section for each, by name."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from typing import Any


def named_tables(text: str, section: str, below: str) -> dict[str, Any]:
    """The tables `[section.NAME]` of a text, by name; `below` says in errors what stands in one.

    >>> named_tables("[rules.x]\\neffect = 'hide'", "rules", "effect")
    {'x': {'effect': 'hide'}}

    Raises `ValueError` for what is not TOML, or holds anything else or no table.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None
    strange = sorted(set(tables) - {section})
    found = tables.get(section)
    if strange or not isinstance(found, dict) or not found:
        what = f'"{strange[0]}" is not known here' if strange else f"it has no {section}"
        raise ValueError(f"{what}; write [{section}.NAME] and below it {below}")
    return found


def refuse_unknown(table: Mapping[str, Any], known: Collection[str], place: str = "it") -> None:
    """Raise `ValueError` where a table has anything but the known fields; `place` is what the table is of.

    >>> refuse_unknown({"colour": "red"}, ["size"])
    Traceback (most recent call last):
    ValueError: it has no "colour"; it may have: size
    """
    if strange := sorted(set(table) - set(known)):
        raise ValueError(f'{place} has no "{strange[0]}"; it may have: {", ".join(sorted(known))}')
