"""What a job lacks is told before it starts, in one line with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.ports import free_port
from infra.redis import RedisServer
from jobs.run import NotReady, check_bundle, check_redis, command
from jobs.settings import Settings, load
from operators.bundle import BundleRefused

PASSWORD = "open sesame"


def settings(**options: Any) -> Settings:
    return load(options={name.replace("__", "."): value for name, value in options.items()}, variables={})


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Redis that wants a password."""
    with RedisServer(run=tmp_path_factory.mktemp("locked"), password=PASSWORD) as server:
        yield server


def not_ready(told: Settings) -> str:
    with pytest.raises(NotReady) as refused:
        check_redis(told)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_a_redis_that_answers_passes(locked: RedisServer) -> None:
    check_redis(settings(redis__url=locked.url, redis__password=PASSWORD))


@pytest.mark.parametrize("given", [{}, {"redis__password": "mellon"}], ids=["none", "another"])
def test_a_password_that_redis_refuses_is_told_without_it(locked: RedisServer, given: dict[str, str]) -> None:
    message = not_ready(settings(redis__url=locked.url, **given))
    assert message.startswith(f"Redis at {locked.url} refuses the password (")
    assert message.endswith("set HEADRACE_REDIS__PASSWORD")
    assert "mellon" not in message


def test_a_redis_that_is_not_there_is_named() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    message = not_ready(settings(redis__url=url, redis__password=PASSWORD))
    assert message.startswith(f"Redis at {url} does not answer (")
    assert "--redis" in message
    assert PASSWORD not in message


def test_a_bad_bundle_is_refused_and_none_is_well(tmp_path: Path) -> None:
    check_bundle(settings())
    with pytest.raises(BundleRefused, match="no manifest"):
        check_bundle(settings(model__bundle=str(tmp_path)))


def test_a_file_is_not_sent_to_a_cluster(headrace_home: Path) -> None:
    with pytest.raises(NotReady, match="leave out --cluster"):
        command(source=Path("events.csv"), cluster="127.0.0.1:8081")
