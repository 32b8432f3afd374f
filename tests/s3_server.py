"""A real server of the S3 protocol on this machine: S3Proxy, which checks signatures and keeps objects in memory."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from pyarrow.fs import S3FileSystem

from infra import jars, java
from infra.ports import HOST, free_port
from infra.service import Service

PINS = Path(__file__).with_name("s3_server.toml")
"""S3Proxy and what it loads to keep objects by itself; sums are written anew by `infra.jars.pin(PINS)`."""

KEY, SECRET, REGION = "the-key-of-the-tests", "the-secret-of-the-tests", "us-east-1"


class S3Server:
    """One server; its objects end with it.

    >>> with S3Server(Path("run")) as server:  # doctest: +SKIP
    ...     server.new_bucket("lake")
    """

    def __init__(self, run: Path) -> None:
        """Raises `InfraError` where its archives cannot be had."""
        self._jars = jars.classpath("s3proxy", pins=PINS)
        self._run = run
        self.port = free_port()
        self._service = Service("S3Proxy", run / "s3proxy.log")

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{HOST}:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What leads every tool for S3 here, and signs its requests."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        files = S3FileSystem(
            access_key=KEY, secret_key=SECRET, endpoint_override=self.url, region=REGION,
            allow_bucket_creation=True,
        )  # fmt: skip
        files.create_dir(name)

    def start(self) -> S3Server:
        """Start and wait until it answers."""
        settings = self._run / "s3proxy.conf"
        settings.write_text(
            f"s3proxy.endpoint={self.url}\ns3proxy.authorization=aws-v2-or-v4\ns3proxy.identity={KEY}\n"
            f"s3proxy.credential={SECRET}\njclouds.provider=transient\n"
        )
        environment = java.environment(java.BROKER_VERSIONS)
        program = Path(environment["JAVA_HOME"]) / "bin" / "java"
        classpath = ":".join(map(str, self._jars))
        options = (*java.QUICK_START, "-XX:+UseSerialGC", "-Xmx256m")
        self._service.start(
            [program, *options, "-cp", classpath, "org.gaul.s3proxy.Main", "--properties", settings],
            env=environment,
        )
        try:
            self._service.wait_until(self._answers, seconds=60)
        except BaseException:
            self._service.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server."""
        self._service.stop()

    def __enter__(self) -> S3Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=5).close()
        except urllib.error.HTTPError as refused:  # unsigned requests are
            with refused:
                return refused.code == 403
        except OSError:
            return False
        return True
