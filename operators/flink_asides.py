"""What leaves the user step beside lists: segments told, drift, and what models and detectors hear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyflink.common import Row

from operators.attribute_refusals import AttributeRefusals
from operators.attributes import BadAttributes
from operators.backfill import Backfill
from operators.flink_counts import StepCounts
from operators.flink_rows import EXAMPLES, STREAM, UNTOLD, WATCH, beside, message, segment_row
from operators.flink_settings import StepFunctionSettings
from operators.following import Followed, Following
from operators.item_facts import Catalogue
from operators.model_example import encode_example, sampled_example
from operators.pool_batches import PoolBatches
from operators.segments import Transition
from operators.stream_models import MODELS
from operators.stream_summary import Summariser, encode_summary
from schemas.codec import DRIFT_ALERTS, SEGMENT_CHANGES
from schemas.records import DriftAlert, Event, SegmentChange
from schemas.state import UserState


class Asides:
    """Makes the rows of one subtask. History is told nowhere, it only counts."""

    def __init__(
        self,
        settings: StepFunctionSettings,
        following: Following,
        catalogue: Catalogue,
        backfill: Backfill,
        counts: StepCounts,
        summaries: Summariser,
    ) -> None:
        self._settings = settings
        self._following = following
        self._catalogue = catalogue
        self._backfill = backfill
        self._counts = counts
        self._summaries = summaries
        self._pools = PoolBatches()
        self.refusals = AttributeRefusals()

    def segments(self, uid: str, transitions: Sequence[Transition]) -> Iterator[Row]:
        """Segments entered and left."""
        for transition in transitions:
            self._counts.segment_changes.inc()
            change = SegmentChange(
                uid=uid,
                segment=transition.segment,
                change="entered" if transition.entered else "left",
                at=transition.at,
                version=transition.version,
                evidence=transition.evidence,
            )
            told = not self._backfill.is_history(transition.at)
            topic = self._settings.segment_changes_topic if told else UNTOLD
            yield segment_row(topic, transition, SEGMENT_CHANGES.encode(change) if told else b"")

    def drift(self, alert: DriftAlert) -> Iterator[Row]:
        """Drift of one user's taste."""
        self._counts.drifts.inc()
        if not self._backfill.is_history(alert.at):
            yield message(self._settings.drift_topic, DRIFT_ALERTS.encode(alert))

    def example(self, user: UserState, event: Event) -> bytes | None:
        """What the models of the stream may learn from an event: an engaging one of the sample.

        To be asked before the user's record follows the event.
        """
        rate, label = self._settings.models.rate, self._following.model.label
        example = sampled_example(user, event, self._catalogue, rate, label)
        return None if example is None else encode_example(example)

    def heard(self, event: Event, followed: Followed, example: bytes | None) -> Iterator[Row]:
        """What models and detectors are to hear of an event: of a bot's, nothing."""
        if followed.verdict.tagged:
            return
        if example is not None:
            for model in MODELS:
                yield beside(model, EXAMPLES, example)
        outcome = followed.outcome
        facts = self._catalogue.get(event.item_id) if event.item_id is not None else None
        full = self._summaries.add(event, facts, outcome.error, outcome.drift is not None)
        if full is not None:
            yield beside(STREAM, WATCH, encode_summary(full))
        if outcome.pooled is not None and (full_pool := self._pools.add(outcome.pooled)) is not None:
            pool, batch = full_pool
            yield beside(pool, WATCH, batch)

    def bad_attributes(self, bad: BadAttributes, now: int) -> Iterator[Row]:
        """A word to everybody on a record of attributes that cannot be believed."""
        status = self.refusals.take(bad, now)
        if status is not None:
            yield message(self._settings.control_status_topic, status)

    def told_late(self, now: int) -> Iterator[Row]:
        """How many more such records there were, where it is time to say so."""
        for status in self.refusals.take_due(now):
            yield message(self._settings.control_status_topic, status)
