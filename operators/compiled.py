"""Loops that are compiled to machine code by numba, with their types kept for the type checker."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

from operators.machine_code import cache_home, code_folder

P = ParamSpec("P")
R = TypeVar("R")


# NUMBA_CACHE_DIR, where it is set, comes first.
if not numba.config.CACHE_DIR:
    numba.config.CACHE_DIR = str(code_folder(cache_home(os.environ), Path(__file__).parent))


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
