"""The lists that rankers learn from as a file, for models made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jobs.ranking_set import RankingSet
from schemas.errors import HeadraceError


class ListsNotKept(HeadraceError):  # noqa: N818 (named for what it says)
    """A file that lists cannot be written to."""


def refuse_place(file: Path) -> None:
    """Raise `ListsNotKept` where `file` cannot become one of lists, before anything is trained."""
    if file.suffix != ".npz":
        raise ListsNotKept(f"{file}: lists are kept as NumPy arrays; give a name that ends in .npz")
    if not file.parent.is_dir():
        raise ListsNotKept(f"{file}: there is no folder {file.parent}; make it first")


def write_lists(file: Path, features: Sequence[str], train: RankingSet, later: RankingSet) -> None:
    """Write lists to train on and lists of later events to an `.npz` file.

    `features` are the columns; of each part, `train_` and `later_`: `rows` float32[n, F], one list after the other,
    `starts` int64[g + 1] where each begins, `hits` int64[g] the row that came, `times` int64[g] of its event (ms).
    """
    parts = {
        f"{name}_{what}": getattr(lists, what)
        for name, lists in (("train", train), ("later", later))
        for what in ("rows", "starts", "hits", "times")
    }
    np.savez_compressed(file, features=np.array(features, np.str_), **parts)
