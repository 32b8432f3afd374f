"""The settings of Kafka: where it is, how one signs in, and the names of its topics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NoReturn, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from jobs.settings_fields import STRICT, AtLeastOne, Port, check_url
from operators.kafka_access import KafkaAccess


def _refuse_access(name: str, protocol: str, fitting: str, *, given: bool) -> NoReturn:
    """Refuse a setting that does not go with the protocol, be it given or missing."""
    if given:
        text = "{name} is of no use with security_protocol {protocol}: set that to {fitting}, or leave {name} out"
    else:
        text = "security_protocol {protocol} needs {name}"
    raise PydanticCustomError("access", text, {"name": name, "protocol": protocol, "fitting": fitting})


class KafkaSection(BaseModel):
    """Kafka: where it is, and the names of its topics."""

    model_config = STRICT

    brokers: str = "127.0.0.1:9092"
    """Bootstrap servers: `host:port`, several joined by commas."""
    port: Port | None = None
    """Port of the broker that `up` starts; none: 9092 if that is free, else a free one."""
    partitions: AtLeastOne = 2
    """Partitions of the topics that `up` creates."""
    retention_mib: AtLeastOne = 1024
    """What a partition of a local topic keeps at most."""
    future_hours: AtLeastOne = 24
    """Records further ahead of the broker's clock are refused by the local events topic."""
    gather_ms: Annotated[int, Field(ge=0, le=500)] = 20
    """How long, in ms, a broker gathers events before it answers the job; 0: it answers with each."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the brokers are spoken to: encrypted with SSL, with a user name and password with SASL."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """How one signs in with SASL."""
    sasl_username: str | None = None
    """Who signs in with SASL."""
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    """PEM file of the authorities whose certificates brokers may have; none: those of the system and of Java."""
    ssl_certfile: Path | None = None
    """PEM file of our own certificate and its key, where brokers ask for one."""
    registry: str | None = None
    """URL of a schema registry; set, messages in Confluent's framing are taken too."""
    events: str = "headrace.events"
    catalog: str = "headrace.catalog"
    control: str = "headrace.control"
    control_status: str = "headrace.control-status"
    recommendations: str = "headrace.recommendations"
    segment_changes: str = "headrace.segment-changes"
    drift: str = "headrace.drift"
    dead_letters: str = "headrace.dead-letters"

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        protocol = self.security_protocol
        sasl = {name: getattr(self, name) for name in ("sasl_mechanism", "sasl_username", "sasl_password")}
        with_sasl = protocol.startswith("SASL_")
        for name, value in sasl.items():
            if (value is not None) != with_sasl:
                _refuse_access(name, protocol, "SASL_SSL or SASL_PLAINTEXT", given=value is not None)
        for name in ("ssl_cafile", "ssl_certfile"):
            file = getattr(self, name)
            if file is not None and not protocol.endswith("SSL"):
                _refuse_access(name, protocol, "SSL or SASL_SSL", given=True)
            if file is not None and not file.is_file():
                raise PydanticCustomError(
                    "file", "{name} {file} is no file", {"name": name, "file": str(file)}
                )
        return self

    def access(self) -> KafkaAccess:
        """How clients reach Kafka: not to be printed, it holds the password."""
        password = self.sasl_password
        return KafkaAccess(
            brokers=self.brokers,
            protocol=self.security_protocol,
            mechanism=self.sasl_mechanism,
            username=self.sasl_username,
            password=None if password is None else password.get_secret_value(),
            ca_file=None if self.ssl_cafile is None else str(self.ssl_cafile.resolve()),
            certificate_file=None if self.ssl_certfile is None else str(self.ssl_certfile.resolve()),
        )

    @field_validator("registry")
    @classmethod
    def _fit_to_be_quoted(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if "@" in url:  # dead letters quote the address
            raise PydanticCustomError(
                "password_in_url", "give the registry's address without user and password"
            )
        check_url(url, ("http", "https"))
        return url
