"""Which requests for a retraining led to a verdict: a file beside the bundles, which a restart reads."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from operators.retrain_policy import RetrainRequest

logger = logging.getLogger(__name__)

FILE = ".requests.json"
"""In the folder of a bundle's versions, which are its folders with a number for a name."""

MOST = 100
"""So many requests are remembered, those that were handled last."""


class _Handled(msgspec.Struct, frozen=True):
    id: str
    at: int


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    v: int = 1
    handled: tuple[_Handled, ...] = ()


class HandledRequests:
    """The requests that were handled for the bundle whose versions lie in `models`.

    >>> import tempfile
    >>> asked = RetrainRequest(at=5, scope="stream", signal="unknown_items", detector="ADWIN", reason="", id="ab")
    >>> with tempfile.TemporaryDirectory() as models:
    ...     HandledRequests(Path(models)).add(asked)
    ...     again = HandledRequests(Path(models))
    ...     asked in again, again.latest_at
    (True, 5)
    """

    def __init__(self, models: Path) -> None:
        self._file = models / FILE
        self._kept = _read(self._file)

    def __contains__(self, request: RetrainRequest) -> bool:
        """Whether this request, or the same one sent again, was handled."""
        return any(each.id == request.id for each in self._kept.handled)

    @property
    def latest_at(self) -> int | None:
        """The event time (ms) of the latest request; None where there was none."""
        return max((each.at for each in self._kept.handled), default=None)

    def add(self, request: RetrainRequest) -> None:
        """Remember a request, on disk before this returns; a disk that takes nothing costs no bundle, and is logged."""
        others = tuple(each for each in self._kept.handled if each.id != request.id)
        self._kept = _Kept(handled=(*others, _Handled(request.id, request.at))[-MOST:])
        written = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            written.write_bytes(msgspec.json.encode(self._kept))
            written.replace(self._file)
        except OSError as error:
            logger.warning(
                "%s cannot be written, so that the same request counts again: %s", self._file, error
            )


def _read(file: Path) -> _Kept:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return _Kept()
    except msgspec.MsgspecError as error:
        logger.warning("%s is unreadable, and counts as empty: %s", file, error)
        return _Kept()
