"""How Kafka is reached, by its Python client and by Flink's: where it is, and how one signs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_SHADED = "org.apache.flink.kafka.shaded.org.apache.kafka.common.security"
"""Where Flink's SQL connector keeps Kafka's classes."""

_LOGIN_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "PLAIN": f"{_SHADED}.plain.PlainLoginModule",
        "SCRAM-SHA-256": f"{_SHADED}.scram.ScramLoginModule",
        "SCRAM-SHA-512": f"{_SHADED}.scram.ScramLoginModule",
    }
)


@dataclass(frozen=True)
class KafkaAccess:
    """Brokers (`host:port`, joined by commas) and what they ask for. The password is never shown.

    `protocol` is Kafka's name for it. With SASL there are `mechanism`, `username` and `password`; with SSL
    there may be `ca_file`, the authorities that are trusted, and `certificate_file`, our own certificate and
    its key, both PEM.

    >>> KafkaAccess("kafka:9092").client()
    {'bootstrap_servers': ['kafka:9092']}
    >>> KafkaAccess("kafka:9092", "SASL_SSL", "PLAIN", "ann", "secret")
    KafkaAccess(brokers='kafka:9092', protocol='SASL_SSL', mechanism='PLAIN', ca_file=None, certificate_file=None)
    """

    brokers: str
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None

    def client(self) -> dict[str, Any]:
        """The options of any of kafka-python's clients."""
        options: dict[str, Any] = {"bootstrap_servers": [each.strip() for each in self.brokers.split(",")]}
        if self.protocol != "PLAINTEXT":
            options["security_protocol"] = self.protocol
        if self.mechanism is not None:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        if self.ca_file is not None:
            options["ssl_cafile"] = self.ca_file
        if self.certificate_file is not None:
            options["ssl_certfile"] = self.certificate_file
        return options

    def properties(self) -> dict[str, str]:
        """The properties of Kafka's Java client as Flink's SQL connector carries it."""
        properties = {"bootstrap.servers": self.brokers}
        if self.protocol != "PLAINTEXT":
            properties["security.protocol"] = self.protocol
        if self.mechanism is not None:
            properties["sasl.mechanism"] = self.mechanism
            properties["sasl.jaas.config"] = (
                f"{_LOGIN_MODULES[self.mechanism]} required"
                f" username={_quoted(self.username or '')} password={_quoted(self.password or '')};"
            )
        for kind, file in (("truststore", self.ca_file), ("keystore", self.certificate_file)):
            if file is not None:
                properties[f"ssl.{kind}.type"] = "PEM"
                properties[f"ssl.{kind}.location"] = file
        return properties


def _quoted(text: str) -> str:
    """A value of a JAAS configuration.

    >>> print(_quoted('a"b'))
    "a\\"b"
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
