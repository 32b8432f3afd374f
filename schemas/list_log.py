"""Messages of the recommendations topic for a batch of lists, written from columns.

The bytes are those of `RECOMMENDATIONS.encode`; a record per place and a map per record would take five
times as long to make as to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.codec import RECOMMENDATIONS
from schemas.records import Recommendation, ScoredItem
from schemas.varint import long_bytes

_NONE, _SOME = b"\x00", b"\x02"
_KEPT_TEXTS = 16_384
"""Items and reasons come again and again."""

_LENGTHS = tuple(long_bytes(length) for length in range(256))


class ListLog:
    """Encodes lists whose items were found by the named `sources`.

    >>> log = ListLog(["covisit", "trending"])
    >>> head = Recommendation(rec_id="r", uid="u", seq="s", at=1, written_at=2, model="m")
    >>> [message] = log.encode([head], [["mug"]], [[0.5]], [["for_you"]], np.array([[0.25, 0.0]]))
    >>> RECOMMENDATIONS.decode(message).items
    (ScoredItem(item_id='mug', score=0.5, why='for_you', sources={'covisit': 0.25}),)
    """

    def __init__(self, sources: Sequence[str]) -> None:
        # What is written here by hand ends a message; a release that adds fields must find them here.
        if Recommendation.__struct_fields__[-1] != "items" or ScoredItem.__struct_fields__ != (
            "item_id",
            "score",
            "why",
            "sources",
        ):
            raise TypeError("Recommendation or ScoredItem has other fields than the list log writes")
        self._keys = [_text(source) for source in sources]
        self._counts = [_NONE, *(_SOME + _LENGTHS[count] for count in range(1, len(sources) + 1))]

    def encode(
        self,
        heads: Sequence[Recommendation],
        items: Sequence[Sequence[str]],
        scores: Sequence[Sequence[float]],
        whys: Sequence[Sequence[str]],
        said: NDArray[np.floating[Any]],
    ) -> list[bytes]:
        """A message per head, which has no items itself.

        `items`, `scores` and `whys` are those of each list; `said` float[places, sources], over the places of
        all lists in turn, is what each source said, 0 where it named nothing.
        """
        named = said != 0.0
        counts = named.sum(axis=1).tolist()
        spoke = np.flatnonzero(named.any(axis=0)).tolist()
        cells = [_cells(self._keys[column], said[:, column], named[:, column]) for column in spoke]
        parts = zip(
            map(_text, chain.from_iterable(items)),
            _cells(b"", np.fromiter(chain.from_iterable(scores), np.float64), None),
            map(_text, chain.from_iterable(whys)),
            [self._counts[count] for count in counts],
            *cells,
            [_NONE if count else b"" for count in counts],
            strict=True,
        )
        places = map(b"".join, parts)
        messages = []
        for head, listed in zip(heads, items, strict=True):
            message = RECOMMENDATIONS.encode(head)
            if listed:
                rows = [next(places) for _ in listed]
                message = b"".join([message[:-1], _SOME, long_bytes(len(rows)), *rows, _NONE])
            messages.append(message)
        return messages


@lru_cache(maxsize=_KEPT_TEXTS)
def _text(text: str) -> bytes:
    data = text.encode()
    length = len(data)
    return (_LENGTHS[length] if length < len(_LENGTHS) else long_bytes(length)) + data


def _cells(before: bytes, values: NDArray[np.floating[Any]], named: NDArray[np.bool_] | None) -> list[bytes]:
    """By row `before` and the value as an Avro double; nothing where it is not named."""
    cell = np.empty(len(values), [("before", f"V{len(before)}"), ("value", "<f8")])
    cell["before"] = np.void(before)
    cell["value"] = values
    written: NDArray[np.object_] = cell.view(f"V{cell.itemsize}").astype(object)
    if named is not None:
        written[~named] = b""
    made: list[bytes] = written.tolist()
    return made
