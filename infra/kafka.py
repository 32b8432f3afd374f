"""A real Kafka broker on this machine: one process, KRaft mode, from the pinned jars."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from infra import jars, java
from infra.errors import InfraError
from infra.home import new_run
from infra.ports import HOST, claim, free_port, is_free
from infra.service import Service

USUAL_PORT = 9092
MIB = 1024 * 1024


NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})

COMPACTED: Mapping[str, str] = {"cleanup.policy": "compact"}
"""Configuration of a topic that keeps the last record of each key."""

LOGGING = """
status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c: %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""


def kept(retention_bytes: int = 1024 * MIB, future_ms: int | None = None) -> dict[str, str]:
    """Configuration of a topic whose records are kept by bytes per partition, however old they are.

    Replayed history bears its own times, which any retention by time would delete at once.
    `future_ms` has the broker refuse records that are further ahead of its clock than that.
    """
    configuration = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": str(retention_bytes),
        "segment.bytes": str(64 * MIB),
    }
    if future_ms is not None:
        configuration["message.timestamp.after.max.ms"] = str(future_ms)
    return configuration


class KafkaBroker:
    """One broker: it keeps its port and its log from one `start` to the next.

    >>> with KafkaBroker() as broker:  # doctest: +SKIP
    ...     broker.create_topics({"headrace.events": kept()}, partitions=2)
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        usual_port: int | None = None,
        data: Path | None = None,
        run: Path | None = None,
        java_options: Sequence[str] = (),
        user: tuple[str, str] | None = None,
    ) -> None:
        """`port` must be free; without it `usual_port` is tried, then any.

        With `user`, a name and a password of letters and digits, clients have to sign in by SASL/PLAIN.
        """
        self._user = user
        self._java_options = java_options
        self.port = claim("Kafka", port, usual=usual_port, option="--kafka-port or HEADRACE_KAFKA__PORT")
        self._controller_port = free_port()
        self._run = run or new_run("kafka")
        self._data = data or self._run / "kafka"
        self.service = Service("Kafka", self._run / "kafka.log")

    @property
    def brokers(self) -> str:
        """What clients call bootstrap servers: `host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def client(self) -> dict[str, Any]:
        """The options with which kafka-python's clients reach this broker."""
        options: dict[str, Any] = {"bootstrap_servers": self.brokers}
        if self._user is not None:
            name, password = self._user
            options |= {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "sasl_plain_username": name,
                "sasl_plain_password": password,
            }
        return options

    def start(self) -> KafkaBroker:
        """Start, formatting an empty data folder first, and wait until the broker serves clients."""
        if not is_free(self._controller_port):
            self._controller_port = free_port()
        self._data.mkdir(parents=True, exist_ok=True)
        self._run.mkdir(parents=True, exist_ok=True)
        properties = self._run / "kafka.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        logging = self._run / "kafka-log4j2.properties"
        logging.write_text(LOGGING)
        environment = java.environment(java.BROKER_VERSIONS)
        archives = os.pathsep.join(str(path) for path in jars.classpath("broker"))
        command = [
            f"{environment['JAVA_HOME']}/bin/java",
            "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto", *java.QUICK_START,
            f"-Dlog4j2.configurationFile={logging}",
            *self._java_options,
            "-cp", archives,
        ]  # fmt: skip
        if not (self._data / "meta.properties").exists():
            self._format([*command, "kafka.tools.StorageTool"], properties)
        self.service.start([*command, "kafka.Kafka", properties], env=environment, grace=15.0)
        try:
            self.service.wait_until(self._serves, seconds=180)
        except InfraError:
            self.service.stop()
            raise
        return self

    def create_topics(
        self, topics: Mapping[str, Mapping[str, str]], *, partitions: int | Mapping[str, int] = 1
    ) -> None:
        """Create those topics, by name and configuration, that are not there yet; see `create_topics`."""
        create_topics(self.brokers, topics, partitions=partitions, client=self.client)

    def stop(self) -> None:
        """End the broker; its log is there at the next `start`."""
        self.service.stop()

    def __enter__(self) -> KafkaBroker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _properties(self) -> dict[str, str | int]:
        protocol = "PLAINTEXT" if self._user is None else "SASL_PLAINTEXT"
        properties: dict[str, str | int] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{protocol}://{HOST}:{self.port},CONTROLLER://{HOST}:{self._controller_port}",
            "advertised.listeners": f"{protocol}://{HOST}:{self.port}",
            "listener.security.protocol.map": f"{protocol}:{protocol},CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": protocol,
            "log.dirs": str(self._data),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        }
        if self._user is not None:
            name, password = self._user
            properties |= {
                "sasl.enabled.mechanisms": "PLAIN",
                "sasl.mechanism.inter.broker.protocol": "PLAIN",
                "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
                    "org.apache.kafka.common.security.plain.PlainLoginModule required"
                    f' username="{name}" password="{password}" user_{name}="{password}";'
                ),
            }
        return properties

    def _format(self, tool: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if cluster.startswith("-"):
            cluster = "h" + cluster[1:]  # Kafka takes a leading dash for an option
        said = subprocess.run(
            [*tool, "format", "-t", cluster, "-c", str(properties)],
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode:
            raise InfraError(f"Kafka could not format {self._data}: {(said.stdout + said.stderr).strip()}")

    def _serves(self) -> bool:
        if is_free(self.port):
            return False
        try:
            admin = KafkaAdminClient(**self.client, request_timeout_ms=5000)
        except KafkaError:
            return False
        try:
            admin.list_topics()
        except KafkaError:
            return False
        finally:
            admin.close()
        return True


def _partitions_of(name: str, partitions: int | Mapping[str, int]) -> int:
    return partitions if isinstance(partitions, int) else partitions.get(name, 1)


def create_topics(
    brokers: str,
    topics: Mapping[str, Mapping[str, str]],
    *,
    partitions: int | Mapping[str, int] = 1,
    client: Mapping[str, Any] = NO_OPTIONS,
) -> None:
    """Create those topics on any broker, by name and configuration, that are not there yet.

    Returns when clients can see them.

    `partitions` is one count for all, or counts by name (1 where a name is missing); `client` are more options
    of kafka-python's clients.
    """
    admin = _admin(brokers, client)
    try:
        known = set(admin.list_topics())
        wanted = [
            NewTopic(name, _partitions_of(name, partitions), 1, topic_configs=dict(configuration))
            for name, configuration in topics.items()
            if name not in known
        ]
        if wanted:
            with contextlib.suppress(TopicAlreadyExistsError):  # another process was faster
                admin.create_topics(wanted)
        deadline = time.monotonic() + 30
        while not set(topics) <= set(admin.list_topics()):
            if time.monotonic() > deadline:
                raise InfraError(f"Kafka at {brokers} did not create {', '.join(topics)} within 30 s")
            time.sleep(0.05)
    finally:
        admin.close()


def topic_names(brokers: str, client: Mapping[str, Any] = NO_OPTIONS) -> list[str]:
    """The topics that a broker has. Raises `InfraError` when it does not answer.

    `client` are more options of kafka-python's clients.
    """
    admin = _admin(brokers, client)
    try:
        return sorted(admin.list_topics())
    finally:
        admin.close()


def _admin(brokers: str, client: Mapping[str, Any]) -> KafkaAdminClient:
    try:
        return KafkaAdminClient(**{**client, "bootstrap_servers": brokers})
    except KafkaError as error:
        raise InfraError(f"Kafka at {brokers} does not answer ({error}); is it running there?") from error
