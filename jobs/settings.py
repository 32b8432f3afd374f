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

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    with_config,
)
from pydantic_core import PydanticCustomError

from infra.home import home
from jobs.settings_fields import STRICT, AtLeastOne, Port, check_url
from jobs.settings_kafka import KafkaSection
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
        check_url(url, ("redis", "rediss", "unix"))
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
