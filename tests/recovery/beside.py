"""What the models of the stream and the detectors make of the events that a recovery test sends, in plain classes.

What is exact after a crash, and why: the events topic has one partition and the job one subtask, so both sides see
one order. Flink takes up its place in the topic and keyed state from the same checkpoint, so each example is learned
once and each batch heard once. A model is stored with the examples that came since. So it is the same, to the last
bits of its sums (its categories fade in another unit once they were stored) and, of the ADWIN windows in its
figures, to float32. A detector's state is stored with each batch. What no batch held yet at the checkpoint is lost,
so that batches are cut anew from there: `alerts` has to be told where that was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose

import msgspec

from jobs.settings import Settings
from operators.affinity import AffinityModel
from operators.item_facts import Catalogue, ItemFacts
from operators.model_example import ModelExample, example_of, is_sampled
from operators.model_records import ModelFigures
from operators.pool_batches import PoolBatches, decode_batch
from operators.pooled_drift import PooledDetector
from operators.prequential_loss import Judged
from operators.stream_drift import StreamDrift
from operators.stream_models import MODELS, StreamModel
from operators.stream_summary import Summariser, decode_summary, encode_summary
from operators.user_step import StepOutcome
from schemas.records import DriftAlert, Event
from schemas.state import UserState


@dataclass(frozen=True)
class _Heard:
    """What an event gives the detectors to hear."""

    event: Event
    facts: ItemFacts | None
    outcome: StepOutcome


class PlainBeside:
    """The models, which learn at once, and all that the detectors are to hear, message by message."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._label = AffinityModel(settings.affinity).label
        self._models = {name: StreamModel(name, settings.models) for name in MODELS}
        self._heard: list[_Heard | None] = []

    def example(self, user: UserState, event: Event) -> ModelExample | None:
        """What the models may learn from an event: to be asked before the event changes the user."""
        item = event.item_id
        if item is None or not is_sampled(event.event_id, self._settings.models.rate):
            return None
        if self._label(event.type, event.value) <= 0:
            return None
        return example_of(user, event, self._catalogue[item].category)

    def take(self, event: Event, outcome: StepOutcome, example: ModelExample | None) -> None:
        """Take in what came of the next message."""
        facts = None if event.item_id is None else self._catalogue.get(event.item_id)
        self._heard.append(_Heard(event, facts, outcome))
        if example is not None:
            for model in self._models.values():
                model.learn(example)

    def pass_over(self) -> None:
        """The next message is of a user who is kept out."""
        self._heard.append(None)

    @property
    def heard(self) -> int:
        """How many messages there were."""
        return len(self._heard)

    def wrong_models(self, told: Mapping[str, bytes | None]) -> list[str]:
        """Models whose figures, told as JSON, are not those of the plain ones."""
        return [name for name, model in self._models.items() if not _is_told(model.figures(), told[name])]

    def alerts(self, cut_at: int | None = None, begin_at: int = 0) -> list[DriftAlert]:
        """The alerts of all that was heard from message `begin_at` on.

        Before message `cut_at` what no batch held yet is lost.
        """
        settings = self._settings
        every = settings.stream_drift.batch_events
        summaries, pools = Summariser(every), PoolBatches()
        stream, detector = StreamDrift(settings.stream_drift), PooledDetector(settings.step.pooled)
        kept: dict[str, bytes | None] = {}
        alerts: list[DriftAlert] = []
        for place, heard in enumerate(self._heard[begin_at:], begin_at):
            if place == cut_at:
                summaries, pools = Summariser(every), PoolBatches()
                stream = StreamDrift.from_bytes(stream.to_bytes(), settings.stream_drift)
            if heard is None:
                continue
            outcome = heard.outcome
            full = summaries.add(heard.event, heard.facts, outcome.error, outcome.drift is not None)
            if full is not None:
                alerts += stream.take(decode_summary(encode_summary(full)))
            if outcome.pooled is not None and (batch := pools.add(outcome.pooled)) is not None:
                pool, errors = batch
                for error in decode_batch(errors):
                    kept[pool], alert = detector.feed(kept.get(pool), error)
                    if alert is not None:
                        alerts.append(alert)
        return alerts


def _is_told(figures: ModelFigures, told: bytes | None) -> bool:
    if told is None:
        return False
    found = msgspec.json.decode(told, type=ModelFigures)
    blank = {"stored_bytes": 0, "together": {}, "members": {}}
    if msgspec.structs.replace(found, **blank) != msgspec.structs.replace(figures, **blank):
        return False
    judged = [(found.together, figures.together)]
    judged += [(found.members[name], measures) for name, measures in figures.members.items()]
    return all(_agree(one, other) for one, other in judged)


def _agree(found: Mapping[str, Judged], plain: Mapping[str, Judged]) -> bool:
    return found.keys() == plain.keys() and all(
        isclose(found[name].fading, judged.fading, rel_tol=1e-9)
        and isclose(found[name].window, judged.window, rel_tol=1e-5)
        and found[name].length == judged.length
        for name, judged in plain.items()
    )
