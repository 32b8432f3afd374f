"""How the rank stage is doing, as the user step reads it from a real Redis: never at the stream's cost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from infra.ports import free_port
from operators.pressure import Pressure, PressureGauge
from operators.refresh_request import LEADING
from schemas.redis_keys import RedisKeys
from udfs.figures import Figures


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_cost_and_delay_are_those_since_the_last_reading(client: Any, redis_server: Any) -> None:
    figures = Figures(client, RedisKeys(), "rank-1")
    pressure = Pressure(PressureGauge(redis_server.url))
    figures.count(10, rank_s=0.010, redis_s=0.010)
    figures.write(now_ms())
    assert pressure.read(now_ms()) == (0.0, 0.0)  # the worker is found
    assert pressure.read(now_ms()) == (0.0, 0.0)  # nothing to compare with yet
    figures.count(100, rank_s=0.008, redis_s=0.002)
    for _ in range(100):
        figures.late(LEADING, 30)
    figures.write(now_ms())
    cost, delay = pressure.read(now_ms())
    assert cost == pytest.approx(100.0)
    assert 20 <= delay <= 45
    assert pressure.read(now_ms()) == (0.0, 0.0)


def test_a_worker_that_went_silent_counts_no_more(client: Any, redis_server: Any) -> None:
    figures = Figures(client, RedisKeys(), "rank-1")
    pressure = Pressure(PressureGauge(redis_server.url))
    figures.write(now_ms())
    pressure.read(now_ms())
    pressure.read(now_ms())
    figures.count(100, rank_s=1.0, redis_s=0.0)
    figures.write(now_ms())
    assert pressure.read(now_ms() + 60_000) == (0.0, 0.0)


def test_a_redis_that_is_away_costs_a_fraction_of_a_second_and_nothing_else() -> None:
    pressure = Pressure(PressureGauge(f"redis://127.0.0.1:{free_port()}/0"))
    assert pressure.read(1_000) == (0.0, 0.0)
    assert not pressure.is_due(1_999)
    assert pressure.is_due(2_000)


def test_an_address_with_a_password_is_not_shown() -> None:
    assert "secret" not in repr(PressureGauge("redis://:secret@127.0.0.1:6379/0"))
