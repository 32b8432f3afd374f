"""What asks for a training, one thing at a time: requests of drift as they come, and a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread

from jobs.training_schedule import TrainingSchedule
from operators.retrain_policy import RetrainRequest

LONGEST_WAIT_S = 60.0
"""So often the schedule is looked at anew: a bundle may have come from elsewhere, or the clock been set."""


def awaited(
    requests: Iterable[RetrainRequest], schedule: TrainingSchedule | None
) -> Iterator[RetrainRequest]:
    """The requests as they come; where none waits and the schedule is due, its own. For ever, or to the end of both.

    Requests are waited for by a thread of their own, and taken by the caller, so that one training follows the
    other. What waits is answered first: a bundle that it led to is newer, and puts the schedule off. The caller tells
    the schedule what came of each (`judged`, `failed`). Raises what `requests` does.
    """
    if schedule is None:
        yield from requests
        return
    waiting: SimpleQueue[RetrainRequest | BaseException | None] = SimpleQueue()

    def listen() -> None:
        try:
            for request in requests:
                waiting.put(request)
        except BaseException as error:  # it is the caller's to hear
            waiting.put(error)
        else:
            waiting.put(None)

    Thread(target=listen, name="retrain-requests", daemon=True).start()
    while True:
        left = schedule.wait_s()
        try:
            asked = waiting.get(timeout=min(left, LONGEST_WAIT_S)) if left > 0 else waiting.get_nowait()
        except Empty:
            if schedule.wait_s() == 0:
                yield schedule.request()
            continue
        if asked is None:
            return
        if isinstance(asked, BaseException):
            raise asked
        yield asked
