"""What a report says of where it comes from, so that it can be made again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import typer

from jobs.quality_report import Origin
from operators.bundle_manifest import sha256_of

LIBRARIES = ("headrace", "numpy", "numba", "scipy", "onnxruntime")
_TOLD = (
    "HEADRACE_STEP__",
    "HEADRACE_RANK__",
    "HEADRACE_STATISTICS__",
    "HEADRACE_SHELF__",
    "HEADRACE_INGEST__",
)
"""Variables that change what lists are; none of them is a secret."""


def origin_of(context: typer.Context, files: Sequence[Path]) -> Origin:
    """The origin of a report on these files, made by the command that runs in this context."""
    return Origin(
        command=typed(context, os.environ),
        files=[str(file) for file in files],
        sha256=[sha256_of(file) if file.is_file() else "" for file in files],
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"Python": python_version(), **{name: version(name) for name in LIBRARIES}},
    )


def typed(context: typer.Context, environ: Mapping[str, str]) -> str:
    """The command line that runs in this context, behind the variables that change its lists.

    Options that were left at their defaults are left out.
    """
    words = [f"{name}={shlex.quote(environ[name])}" for name in sorted(environ) if name.startswith(_TOLD)]
    words += ["headrace", *context.command_path.split()[1:]]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if value is None or value == parameter.get_default(context):
            continue
        option = [] if parameter.param_type_name == "argument" else [parameter.opts[0]]
        if isinstance(value, bool):
            words += option if value else parameter.secondary_opts[:1]
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [*option, shlex.quote(str(each))]
    return " ".join(words)
