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
from typing import Annotated, Any, Literal, NoReturn, Self, get_args, get_type_hints
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
    with_config,
)
from pydantic_core import PydanticCustomError

from infra.home import home
from jobs.settings_refusal import refusal
from jobs.settings_sources import Layers, SettingsError, add_file, add_options, add_variables, settings_file
from operators.affinity import AffinitySettings
from operators.backfill import BackfillSettings
from operators.context_rule import ContextRule
from operators.context_rules import ready_rules as ready_context_rules
from operators.context_rules import rules_of_file
from operators.drift import DriftSettings
from operators.experiment import Experiment
from operators.experiments import experiments_of_file
from operators.ingest_settings import IngestSettings
from operators.kafka_access import KafkaAccess
from operators.lake_row import LakeSettings
from operators.persona import PersonaSettings
from operators.rank_settings import RankSettings
from operators.refresh import RefreshSettings
from operators.retrain_policy import RetrainSettings
from operators.segments import SegmentRule
from operators.segments.rules_file import ready_rules, rules_of
from operators.shelf import ShelfBounds
from operators.slot_settings import SlotSettings, slots_of
from operators.statistics import StatisticsSettings
from operators.stream_drift import StreamDriftSettings
from operators.stream_models import ModelsSettings
from operators.traffic_settings import TrafficSettings
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
    TrafficSettings,
    PersonaSettings,
    BackfillSettings,
    ModelsSettings,
    StreamDriftSettings,
    RetrainSettings,
    LakeSettings,
    SlotSettings,
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
    kept_jobs: AtLeastOne = 3
    """On the minicluster, checkpoints of so many earlier jobs are kept; older ones go when a job starts."""
    state_ttl_days: AtLeastOne = 90
    """A user of whom nothing is heard for so long is forgotten."""
    web_port: Port | None = None
    """Port of Flink's web UI; none: 8081 if that is free, else a free one."""


class ModelSection(BaseModel):
    """Which trained model ranks."""

    model_config = STRICT

    bundle: Path | None = None
    """Folder of a model bundle; none: lists come from neighbours and trends, weighed by `rank.blend`. What
    `headrace model put` brings takes its place until it is removed; see [models.md](models.md)."""


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


class SegmentsSection(BaseModel):
    """Segments that are in force from the start; those of the control topic come beside them or in their place."""

    model_config = STRICT

    file: Path | None = None
    """A TOML file of rules; see [segments.md](segments.md)."""
    ready: bool = True
    """Whether the rules that ship are in force: high_value, at_risk, new and others."""

    def in_force(self) -> tuple[SegmentRule, ...]:
        """The rules; one in the file takes the place of one that ships.

        Raises `RulesFileRefused` or `SettingsError`.
        """
        rules = {rule.name: rule for rule in (ready_rules() if self.ready else [])}
        if self.file is not None:
            text = _text_of(self.file, "segments.file")
            rules |= {rule.name: rule for rule in rules_of(text, str(self.file))}
        return tuple(rules.values())


class ContextRulesSection(BaseModel):
    """Context rules that are in force from the start; those of the control topic come beside them or in their place."""

    model_config = STRICT

    file: Path | None = None
    """A TOML file of rules; see [slots.md](slots.md)."""
    ready: bool = True
    """Whether the rules that ship are in force: `short_and_visual_on_mobile`."""

    def in_force(self) -> tuple[ContextRule, ...]:
        """The rules; one in the file takes the place of one that ships. Raises `RuleRefused` or `SettingsError`."""
        rules = {rule.name: rule for rule in (ready_context_rules() if self.ready else ())}
        if self.file is not None:
            text = _text_of(self.file, "context_rules.file")
            rules |= {rule.name: rule for rule in rules_of_file(text, str(self.file))}
        return tuple(rules.values())


class ExperimentsSection(BaseModel):
    """Experiments that run from the start; those of the control topic come beside them or in their place."""

    model_config = STRICT

    file: Path | None = None
    """A TOML file of experiments; see [experiments.md](experiments.md)."""

    def in_force(self) -> tuple[Experiment, ...]:
        """The experiments of the file. Raises `ExperimentRefused` or `SettingsError`."""
        if self.file is None:
            return ()
        return experiments_of_file(_text_of(self.file, "experiments.file"), str(self.file))


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
    segments: SegmentsSection = SegmentsSection()
    traffic: TrafficSettings = TrafficSettings()
    personas: PersonaSettings = PersonaSettings()
    backfill: BackfillSettings = BackfillSettings()
    models: ModelsSettings = ModelsSettings()
    stream_drift: StreamDriftSettings = StreamDriftSettings()
    retrain: RetrainSettings = RetrainSettings()
    lake: LakeSettings = LakeSettings()
    slots: dict[str, SlotSettings] = {}
    """Further places that show a list, by name."""
    context_rules: ContextRulesSection = ContextRulesSection()
    experiments: ExperimentsSection = ExperimentsSection()

    @field_validator("slots")
    @classmethod
    def _slots_can_be_told_apart(cls, slots: dict[str, SlotSettings]) -> dict[str, SlotSettings]:
        slots_of(slots, RankSettings())
        return slots

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


def _text_of(file: Path, setting: str) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{setting}: {file} cannot be read ({error})") from None


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
