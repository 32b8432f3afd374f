"""Several files of events as one, in order of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from jobs.bad_row import BadRow
from schemas.records import Event


def merged(sources: Sequence[Iterable[Event | BadRow]]) -> Iterator[Event | BadRow]:
    """The events of all sources by time, at equal times in the order of the sources.

    A source's own order is kept: where it is not in order of time, an event comes when it and all before it
    are due. A bad row comes right behind the event before it. One record of each source is in memory.
    """
    if len(sources) == 1:
        return iter(sources[0])
    return map(itemgetter(1), heapq.merge(*map(_timed, sources), key=itemgetter(0)))


def _timed(source: Iterable[Event | BadRow]) -> Iterator[tuple[int, Event | BadRow]]:
    latest = 0
    for record in source:
        if isinstance(record, Event):
            latest = max(latest, record.time)
        yield latest, record
