"""What the user step is told when the job starts."""

from __future__ import annotations

from dataclasses import dataclass

from operators.backfill import BackfillSettings
from operators.context_rule import ContextRule
from operators.experiment import Experiment
from operators.following import FollowingSettings
from operators.ingest_settings import IngestSettings
from operators.lake_row import LakeSettings
from operators.preload import Preload
from operators.pressure import PressureGauge
from operators.refresh import RefreshSettings
from operators.segments import SegmentRule
from operators.stream_drift import StreamDriftSettings
from operators.stream_models import ModelsSettings


@dataclass(frozen=True)
class StepFunctionSettings:
    """All that the user step is told when the job starts; it travels in the job graph."""

    secret: bytes
    events_topic: str
    dead_letters_topic: str
    drift_topic: str
    control_status_topic: str
    catalog_topic: str
    segment_changes_topic: str
    ingest: IngestSettings = IngestSettings()
    following: FollowingSettings = FollowingSettings()
    segments: tuple[SegmentRule, ...] = ()
    context_rules: tuple[ContextRule, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    backfill: BackfillSettings = BackfillSettings()
    models: ModelsSettings = ModelsSettings()
    stream_drift: StreamDriftSettings = StreamDriftSettings()
    lake: LakeSettings = LakeSettings()
    refresh: RefreshSettings = RefreshSettings()
    state_ttl_days: int = 90
    refresh_at_end: bool = False
    pressure: PressureGauge | None = None
    preload: Preload = Preload()

    def __repr__(self) -> str:
        return f"StepFunctionSettings(events_topic={self.events_topic!r}, secret hidden)"
