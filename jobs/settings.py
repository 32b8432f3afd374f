"""All settings, with defaults that work on a laptop.

One TOML file, then `HEADRACE_SECTION__KEY` variables, then a command's options. To add a section, write a
frozen dataclass with defaults beside the logic that it configures, and one line in `Settings`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, with_config
from pydantic_core import PydanticCustomError

from infra.home import home
from jobs.settings_refusal import refusal
from jobs.settings_sources import Layers, SettingsError, add_file, add_options, add_variables, settings_file
from operators.affinity import AffinitySettings
from operators.drift import DriftSettings
from operators.ingest_settings import IngestSettings
from operators.ranker import RankSettings
from operators.refresh import RefreshSettings
from operators.shelf import ShelfBounds
from operators.statistics import StatisticsSettings
from operators.user_step import StepSettings
from udfs.worker_settings import PublishSettings

__all__ = ["FlinkSection", "KafkaSection", "PageSection", "RedisSection", "Settings", "SettingsError", "load"]

Port = Annotated[int, Field(ge=1, le=65535)]
AtLeastOne = Annotated[int, Field(ge=1)]

STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def strict(kind: Any) -> None:
    """Have pydantic refuse unknown keys of a dataclass, and of the dataclasses inside it."""
    if is_dataclass(kind) and isinstance(kind, type):
        with_config(ConfigDict(extra="forbid"))(kind)
        for inner in get_type_hints(kind).values():
            strict(inner)
    for inner in get_args(kind):
        strict(inner)


for _section in (
    IngestSettings,
    StepSettings,
    RefreshSettings,
    StatisticsSettings,
    RankSettings,
    ShelfBounds,
    PublishSettings,
):
    strict(_section)


def _check_url(url: str, schemes: tuple[str, ...]) -> None:
    """Refuse what is no URL of these schemes, or has a port that is none."""
    begins = " or ".join(f"{scheme}://" for scheme in schemes)
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise PydanticCustomError("scheme", "give a URL that begins with {begins}", {"begins": begins})
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise PydanticCustomError("port", "{error}", {"error": str(error)}) from None


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

    @field_validator("registry")
    @classmethod
    def _fit_to_be_quoted(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if "@" in url:  # dead letters quote the address
            raise PydanticCustomError(
                "password_in_url", "give the registry's address without user and password"
            )
        _check_url(url, ("http", "https"))
        return url


class RedisSection(BaseModel):
    """Redis: where lists, segments and profiles are published."""

    model_config = STRICT

    url: str = "redis://127.0.0.1:6379/0"
    """Without a password: that is a setting of its own, so that it is never printed."""
    password: SecretStr | None = None
    port: Port | None = None
    """Port of the server that `up` starts; none: 6379 if that is free, else a free one."""
    prefix: str = "hr"
    """First part of every key."""

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        if "@" in url or "password=" in url:
            raise PydanticCustomError("password_in_url", "leave the password out and set redis.password")
        _check_url(url, ("redis", "rediss", "unix"))
        return url


class FlinkSection(BaseModel):
    """Flink: how the job runs."""

    model_config = STRICT

    parallelism: AtLeastOne = 1
    """On the embedded minicluster 1 is fastest: its slots share one Python interpreter lock."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 30.0
    checkpoint_dir: Path | None = None
    """None: `data/checkpoints` under HEADRACE_HOME."""
    state_ttl_days: AtLeastOne = 90
    """A user of whom nothing is heard for so long is forgotten."""
    web_port: Port | None = None
    """Port of Flink's web UI; none: 8081 if that is free, else a free one."""


class ModelSection(BaseModel):
    """Which trained model ranks."""

    model_config = STRICT

    bundle: Path | None = None
    """Folder of a model bundle; none: lists come from neighbours and trends, weighed by `rank.blend`."""


class PrivacySection(BaseModel):
    """How user ids are hidden."""

    model_config = STRICT

    secret: SecretStr | None = None
    """Keys the pseudonyms in Redis; none: one made at the first start and kept in HEADRACE_HOME/secret."""


class PageSection(BaseModel):
    """The demo page."""

    model_config = STRICT

    host: str = "127.0.0.1"
    port: Port | None = None
    """None: 8080 if that is free, else a free one."""


class Settings(BaseModel):
    """Everything that can be set.

    >>> Settings().kafka.events
    'headrace.events'
    """

    model_config = STRICT

    kafka: KafkaSection = KafkaSection()
    redis: RedisSection = RedisSection()
    flink: FlinkSection = FlinkSection()
    privacy: PrivacySection = PrivacySection()
    page: PageSection = PageSection()
    model: ModelSection = ModelSection()
    ingest: IngestSettings = IngestSettings()
    step: StepSettings = StepSettings()
    refresh: RefreshSettings = RefreshSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    rank: RankSettings = RankSettings()
    shelf: ShelfBounds = ShelfBounds()
    publish: PublishSettings = PublishSettings()

    @property
    def affinity(self) -> AffinitySettings:
        """How affinities are learned; the rank workers read them by the same settings as the user step."""
        return self.step.affinity

    @property
    def drift(self) -> DriftSettings:
        """How drift is noticed."""
        return self.step.drift

    def secret(self) -> bytes:
        """The secret of the pseudonyms: the set one, else that of HEADRACE_HOME, made when missing."""
        if self.privacy.secret is not None:
            return self.privacy.secret.get_secret_value().encode()
        return _kept_secret(home() / "secret")

    def redis_url(self) -> str:
        """The URL for a client, with the password where one is set: not to be printed."""
        if self.redis.password is None:
            return self.redis.url
        from urllib.parse import quote

        scheme, _, place = self.redis.url.partition("://")
        return f"{scheme}://:{quote(self.redis.password.get_secret_value(), safe='')}@{place}"


def load(
    config: Path | None = None,
    options: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of a command: file, then variables, then its options by dotted name, `{"redis.url": …}`.

    Raises `SettingsError` naming the file or variable, the key, and the known keys.
    """
    environment = os.environ if variables is None else variables
    layers = Layers()
    file = settings_file(config, environment)
    if file is not None:
        add_file(layers, file)
    add_variables(layers, environment)
    add_options(layers, options or {})
    try:
        return Settings.model_validate(layers.values)
    except ValidationError as error:
        raise refusal(error, Settings, layers) from None  # pydantic's own text would show a secret


def _kept_secret(path: Path) -> bytes:
    """The secret in that file, made and written with mode 0600 when it is missing."""
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=path.parent)  # for the owner alone
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        # A link, unlike a rename, never replaces the secret that another process made meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    kept = path.read_bytes().strip()
    if not kept:
        raise SettingsError(f"{path} is empty: put the secret back, or delete the file for a new one")
    return kept
