"""The stream's models in a replay of events: what the job learns in a step of its own, in one loop."""

from __future__ import annotations

from operators.affinity import AffinityModel, AffinitySettings
from operators.item_facts import Catalogue
from operators.model_example import ModelExample, sampled_example
from operators.model_records import MODELS, CategoryAffinities
from operators.stream_models import ModelsSettings, StreamModel
from schemas.records import Event
from schemas.state import UserState


class StreamLearning:
    """All models of the stream. Ask for the `example` of an event before its user follows it, and then `learn` it.

    So a row of a table tells of earlier events alone.
    """

    def __init__(self, settings: ModelsSettings, affinity: AffinitySettings, catalogue: Catalogue) -> None:
        self._settings = settings
        self._label = AffinityModel(affinity).label
        self._catalogue = catalogue
        self._models = [StreamModel(name, settings) for name in MODELS]
        self._learned = 0

    def example(self, user: UserState, event: Event) -> ModelExample | None:
        """What the models may learn from an event: an engaging one of the sample."""
        return sampled_example(user, event, self._catalogue, self._settings.rate, self._label)

    def learn(self, example: ModelExample) -> list[CategoryAffinities]:
        """Have all models learn an example; the rows of their tables that are due then."""
        for model in self._models:
            model.learn(example)
        self._learned += 1
        if self._learned % self._settings.row_every:
            return []
        rows = [model.next_row() for model in self._models]
        return [row for row in rows if row is not None]
