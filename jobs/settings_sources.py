"""Where settings come from: a TOML file, HEADRACE_* variables, options of a command; later ones win.

Each value remembers its origin, so that a refusal can say where to look.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import HeadraceError

PREFIX = "HEADRACE_"
NO_SETTINGS = frozenset({"HEADRACE_HOME", "HEADRACE_CONFIG"})
"""Variables that say where things are, and so come before any settings file."""

USUAL_FILE = Path("headrace.toml")


class SettingsError(HeadraceError):
    """A settings file, variable or option that cannot be used as it is."""


@dataclass
class Layers:
    """Values by section and key, and the origin of each by its dotted name."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def put(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        """Set one value; a table is laid over the table that is there, key by key."""
        if isinstance(value, Mapping):
            self._table(path)
            if not value:
                self.origins[".".join(path)] = origin
            for key, inner in value.items():
                self.put((*path, key), inner, origin)
            return
        self._table(path[:-1])[path[-1]] = value
        self.origins[".".join(path)] = origin

    def origin(self, path: tuple[str, ...]) -> str:
        """Where a value, or a table's first value, was set; empty for a default."""
        name = ".".join(path)
        inside = (origin for key, origin in self.origins.items() if key.startswith(name + "."))
        return self.origins.get(name) or next(inside, "")

    def _table(self, path: tuple[str, ...]) -> dict[str, Any]:
        table = self.values
        for key in path:
            if not isinstance(table.get(key), dict):
                table[key] = {}
            table = table[key]
        return table


def settings_file(named: Path | None, variables: Mapping[str, str]) -> Path | None:
    """The file to read: the named one, HEADRACE_CONFIG's, or `headrace.toml` here when there is one."""
    if named is None and variables.get("HEADRACE_CONFIG"):
        named = Path(variables["HEADRACE_CONFIG"])
    if named is None:
        return USUAL_FILE if USUAL_FILE.exists() else None
    return named


def add_file(layers: Layers, path: Path) -> None:
    """Lay a TOML file over what is there. Raises `SettingsError` when it cannot be read."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: the settings file cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: this is no TOML: {error}") from error
    for section, value in tables.items():
        layers.put((section,), value, str(path))


def add_variables(layers: Layers, variables: Mapping[str, str]) -> None:
    """Lay HEADRACE_SECTION__KEY variables over what is there; one that begins with [ or { is read as JSON."""
    for name in sorted(variables):
        if not name.startswith(PREFIX) or name in NO_SETTINGS:
            continue
        path = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
        text = variables[name]
        value: Any = text
        if text[:1] in ("[", "{"):
            try:
                value = json.loads(text)
            except ValueError as error:
                raise SettingsError(f"{name}: this is no JSON: {error}") from error
        layers.put(path, value, name)


def add_options(layers: Layers, options: Mapping[str, Any]) -> None:
    """Lay a command's options, by dotted name, over what is there; None is an option that was not given."""
    for name, value in options.items():
        if value is not None:
            layers.put(tuple(name.split(".")), value, "the command line")
