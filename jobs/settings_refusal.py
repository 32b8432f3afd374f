"""What is said about settings that are refused: the place, the key, and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr, ValidationError

from jobs.settings_sources import Layers, SettingsError


def refusal(error: ValidationError, model: type[BaseModel], layers: Layers) -> SettingsError:
    """One line for the first thing that is wrong, and how many more there are."""
    problems = error.errors(include_url=False)
    first = _line(problems[0], model, layers)
    more = len(problems) - 1
    return SettingsError(first + (f" (and {more} more)" if more else ""))


def _line(problem: Any, model: type[BaseModel], layers: Layers) -> str:
    path = tuple(str(part) for part in problem["loc"])
    name = ".".join(path)
    origin = layers.origin(path) or layers.origin(path[:1]) or "settings"
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = sorted(keys_of(_type_at(model, path[:-1])))
        near = get_close_matches(path[-1], known, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{origin}: {name} is no setting; {hint}known{_place(path[:-1])}: {', '.join(known)}"
    given = f" {problem['input']!r}" if _may_be_shown(problem, _type_at(model, path)) else ""
    return f"{origin}: {name}{given} cannot be used: {_lowered(problem['msg'])}"


def _place(path: tuple[str, ...]) -> str:
    return f" in {'.'.join(path)}" if path else ""


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def keys_of(section: Any) -> Iterator[str]:
    """The names of the keys of a section, be it a pydantic model or a dataclass."""
    if isinstance(section, type) and issubclass(section, BaseModel):
        yield from section.model_fields
    elif is_dataclass(section):
        yield from (each.name for each in fields(section))


def _type_at(section: Any, path: tuple[str, ...]) -> Any:
    """The type of a setting, as far as the path can be followed; None beyond."""
    for key in path:
        if get_origin(section) is dict:  # of sections, by a name that is free
            section = get_args(section)[1]
            continue
        if key not in keys_of(section):
            return None
        section = get_type_hints(section, include_extras=False)[key]
    return section


def _may_be_shown(problem: Any, kind: Any) -> bool:
    if problem["type"] == "password_in_url" or any(keys_of(kind)):  # a whole section may hold a secret
        return False
    return kind is not SecretStr and SecretStr not in get_args(kind)
