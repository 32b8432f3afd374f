"""Loops that are compiled to machine code by numba, with their types kept for the type checker."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def code_folder(home: Path, sources: Path) -> Path:
    """Where machine code of the loops in the folder `sources` is kept: under `home`, by what they say now.

    numba looks at the file of a loop alone, and would go on using code into which an older version of a loop
    of another file was built. So any change of any of them leads to another folder.
    """
    digest = blake2b(digest_size=8)
    for source in sorted(sources.glob("*.py")):
        text = source.read_bytes()
        if b"@compiled" in text:
            digest.update(source.name.encode() + b"\0" + text)
    return home / "machine-code" / digest.hexdigest()


if not numba.config.CACHE_DIR:
    _home = os.environ.get("HEADRACE_HOME") or Path.home() / ".cache" / "headrace"
    numba.config.CACHE_DIR = str(code_folder(Path(_home), Path(__file__).parent))


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, compiled at its first call for the types it gets, and kept on disk for other processes.

    Other threads run while it does: what it reads must be protected by a lock, not by the interpreter.

    >>> @compiled
    ... def twice(x: int) -> int:
    ...     return 2 * x
    >>> twice(21)
    42
    """
    return _compiled(function, {})


def compiled_in_place(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, for a function that makes no array and returns none.

    It counts no references to the arrays it is given, which costs more than the work of a short loop. What it
    calls must be of its kind.
    """
    return _compiled(function, {"_nrt": False})


def _compiled(function: Callable[P, R], options: dict[str, bool]) -> Callable[P, R]:
    keep = "<" not in function.__code__.co_filename
    return cast(Callable[P, R], numba.njit(cache=keep, nogil=True, boundscheck=False, **options)(function))
