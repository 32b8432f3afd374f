"""Waiting for a Redis that is away: on purpose the stream is held back, nothing is skipped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,
    ReadOnlyError,
    TimeoutError,
)

T = TypeVar("T")

logger = logging.getLogger(__name__)

PATIENCE_S = 600.0
"""How long a call is tried again before the job fails and restarts from its checkpoint."""

_AWAY = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError)
_LOCKED = (AuthenticationError, AuthorizationError)
"""The client counts these among the lost connections, but no waiting makes a password right."""


def patiently(call: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The answer of `call`, tried again with growing pauses (50 ms to 2 s) while Redis is away.

    Raises the last error when Redis is still away after `patience_s` seconds, and any other at once, also
    that of a password that Redis refuses. `call` must be idempotent.
    """
    began = time.monotonic()
    pause = 0.05
    while True:
        try:
            answer = call()
        except _LOCKED:
            raise
        except _AWAY as error:
            waited = time.monotonic() - began
            if waited > patience_s:
                raise
            if pause == 0.05:
                logger.warning("Redis is away (%s); the stream waits for it", type(error).__name__)
            time.sleep(pause)
            pause = min(pause * 2, 2.0)
        else:
            if pause > 0.05:
                logger.warning("Redis is back after %.1f s", time.monotonic() - began)
            return answer
