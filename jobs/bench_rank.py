"""A rank worker whose stages are timed, with Redis left out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from operators.ranked_list import RankedList
from operators.slot_ranker import SlotList
from schemas.publication import UserValues
from schemas.state import UserState
from udfs.figures import Figures
from udfs.rank_worker import RankWorker
from udfs.worker_settings import WorkerSettings

NOWHERE = "redis://127.0.0.1:1/0"
"""Nothing listens there, and nothing is sent there."""

RANK, VALUES, LOG = "decode record, rank", "render list, profile", "encode log"


class _NoFigures(Figures):
    def write(self, now: int) -> None:
        """Nobody reads the figures of a measurement."""
        self._written = now


class TimedWorker(RankWorker):
    """Ranks as the job's worker does and writes nothing. `spent` are the seconds per stage."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__(settings)
        self.figures = _NoFigures(self._redis, self._names, "bench")
        self.spent = dict.fromkeys((RANK, VALUES, LOG), 0.0)
        self.lists = 0
        self._in_values = 0.0
        self._ranked_at = 0.0

    def rank(self, requests: Sequence[bytes]) -> list[bytes | None]:
        """As `RankWorker.rank`, with the clock running."""
        began = time.perf_counter()
        self._in_values = 0.0
        log = super().rank(requests)
        ended = time.perf_counter()
        self.spent[VALUES] += self._in_values
        self.spent[RANK] += self._ranked_at - began - self._in_values
        self.spent[LOG] += ended - self._ranked_at
        self.lists += sum(message is not None for message in log)
        return log

    def _values(
        self, user: UserState, at: int, ranked: RankedList, slots: Mapping[str, SlotList]
    ) -> UserValues:
        began = time.perf_counter()
        values = super()._values(user, at, ranked, slots)
        self._in_values += time.perf_counter() - began
        return values

    def _write(self, values: Sequence[UserValues]) -> None:
        self._ranked_at = time.perf_counter()
