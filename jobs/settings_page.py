"""The page of all settings, written from the classes that hold them.

python -m jobs.settings_page     write docs/settings.md anew
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from jobs.settings import Settings
from jobs.settings_meanings import MEANINGS

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"

_HEAD = """\
# Settings

<!-- Written by `python -m jobs.settings_page`. -->

Every key has a default that works on a laptop. A value is looked for in three places; later ones win:

1. the settings file, TOML: `--config FILE`, else the file that `HEADRACE_CONFIG` names, else `headrace.toml`
   in the current folder where there is one;
2. environment variables: `HEADRACE_` and the parts of the key in capitals with two underscores between, such
   as `HEADRACE_KAFKA__BROKERS` or `HEADRACE_STEP__DRIFT__DELTA`. A value that begins with `[` or `{` is read
   as JSON;
3. the options of a command.

A key or value that cannot be used is refused in one line that names it, where it comes from, and what is
known. `HEADRACE_HOME` is no setting: it says where Headrace keeps things, by default in the folder `headrace`
of the user's cache folder.

```toml
[kafka]
brokers = "kafka-1:9092,kafka-2:9092"

[redis]
url = "redis://cache:6379/0"

[rank]
exclude_touched = false

[step.item_weights]      # keys that are not named keep their defaults; a table of weights is replaced whole
view = 1.0
purchase = 8.0
```

A default of `–` means: not set.
"""


@dataclass(frozen=True)
class Key:
    """One setting: its dotted name, its default, and what it means (empty where nobody has said)."""

    name: str
    default: Any
    meaning: str


def keys(section: Any, place: str = "") -> Iterator[Key]:
    """Every key of a section and of the sections inside it, in their order.

    >>> next(keys(Settings())).name
    'kafka.brokers'
    """
    said = attribute_docstrings(type(section))
    for name in _names(section):
        value = getattr(section, name)
        dotted = f"{place}{name}"
        if (kind := _kind_by_name(section, name)) is not None:
            yield from keys(kind(), f"{dotted}.NAME.")
        elif _names(value):
            yield from keys(value, f"{dotted}.")
        else:
            yield Key(dotted, value, MEANINGS.get(dotted) or said.get(name, ""))


def attribute_docstrings(kind: type) -> Mapping[str, str]:
    """The strings that stand below the fields of a class, by field."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for field, below in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[field.target.id] = inspect.cleandoc(str(below.value.value)).replace("\n", " ")
    return found


def written(value: Any) -> str:
    """A default as it would stand in the TOML file.

    >>> written({"view": 1.0}), written(None), written(frozenset({"b", "a"}))
    ('{view = 1.0}', '–', '["a", "b"]')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, frozenset):
        return "[" + ", ".join(written(one) for one in sorted(value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def page() -> str:
    """The whole page."""
    settings = Settings()
    sections = (_section(name, settings) for name in _names(settings))
    return "\n".join((_HEAD, *sections))


def _section(name: str, settings: Settings) -> str:
    section = getattr(settings, name)
    kind = _kind_by_name(settings, name)
    about = " ".join((inspect.getdoc(kind or type(section)) or "").split("\n\n")[0].split())
    of = keys(section, f"{name}.") if kind is None else keys(kind(), f"{name}.NAME.")
    rows = (
        f"| `{key.name}` | `{written(key.default)}` | {key.meaning.replace('|', chr(92) + '|')} |"
        for key in of
    )
    head = (
        f"## `{name}`",
        "",
        about.split(". ")[0].rstrip(".") + ".",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
    )
    return "\n".join((*head, *rows, ""))


def _kind_by_name(section: Any, name: str) -> type | None:
    """The class of sections that a setting holds by names of one's own, as `slots` does."""
    if not isinstance(section, BaseModel):
        return None
    arguments = get_args(type(section).model_fields[name].annotation)
    kind = arguments[1] if len(arguments) == 2 else None
    return kind if isinstance(kind, type) and is_dataclass(kind) else None


def _names(section: Any) -> tuple[str, ...]:
    if isinstance(section, BaseModel):
        return tuple(type(section).model_fields)
    if is_dataclass(section):
        return tuple(field.name for field in fields(section))
    return ()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
