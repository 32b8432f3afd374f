"""A Redis that is away is waited for; what is wrong otherwise is told at once."""

from __future__ import annotations

import logging

import pytest
from redis.exceptions import AuthenticationError, ConnectionError, ResponseError

from udfs.patience import patiently


class Away:
    """Fails so often, then answers."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error, self.calls = times, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "here"


def test_it_waits_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    call = Away(3, ConnectionError("refused"))
    with caplog.at_level(logging.WARNING):
        assert patiently(call) == "here"
    assert call.calls == 4
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("Redis is away (ConnectionError)")
    assert said[1].startswith("Redis is back after")


def test_after_all_patience_the_last_error_is_told() -> None:
    call = Away(1_000, ConnectionError("refused"))
    with pytest.raises(ConnectionError, match="refused"):
        patiently(call, patience_s=0.2)
    assert call.calls < 10


@pytest.mark.parametrize("error", [ResponseError("WRONGTYPE"), AuthenticationError("WRONGPASS")])
def test_an_error_that_waiting_cannot_heal_is_told_at_once(error: Exception) -> None:
    call = Away(1, error)
    with pytest.raises(type(error)):
        patiently(call)
    assert call.calls == 1
