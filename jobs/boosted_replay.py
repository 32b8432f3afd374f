"""A boosted model of the next category, trained and judged on the way of the replay that makes lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jobs.boosted_settings import BoostedSettings
from jobs.boosted_training import TrainedBoosted, fit_boosted, judge_boosted
from jobs.category_examples import CategorySampler
from jobs.plain_stream import PlainStream
from jobs.ranker_cost import BATCH_USERS
from operators.boosted_affinity import BoostedAffinity
from operators.rank_settings import RankSettings
from schemas.records import Event


class BoostedReplay:
    """What a replay of so many `events` on `stream` teaches: examples before the first of the `cuts` (places in the
    events) train the model, those after the second judge it."""

    def __init__(
        self,
        stream: PlainStream,
        rank: RankSettings,
        settings: BoostedSettings,
        cuts: tuple[int, int],
        events: int,
    ) -> None:
        first, second = cuts
        self._stream, self._settings = stream, settings
        self._sampler = CategorySampler(stream, rank)
        parts = (round(settings.unused * first), first, settings.events), (second, events, settings.judged)
        self._sampled = drawn_places(events, parts, settings.seed)

    def sample(self, place: int, event: Event) -> None:
        """Take the event as an example where its place was drawn, before it is learned."""
        if self._sampled[place] and self._sampler.counts(event):
            self._sampler.sample(event)

    def fitted(self) -> BoostedAffinity:
        """The model of all examples so far: to be called at the first cut. Raises as `fit_boosted`."""
        self._learned = self._sampler.take()
        self._exported = fit_boosted(self._learned, self._settings)
        return self._exported.model()

    def judged(self) -> TrainedBoosted:
        """The model with its figures on the examples since, at the end of the replay."""
        model, later = self._exported.model(), self._sampler.take()
        states = list(self._stream.states.values())[-BATCH_USERS:]
        judged = judge_boosted(model, later, self._learned, self._settings) if len(later.came) else {}
        return TrainedBoosted(self._exported, self._sampler.microseconds(model, states), judged)


def drawn_places(events: int, parts: Sequence[tuple[int, int, int]], seed: int) -> npt.NDArray[np.bool_]:
    """bool[events]: of the places from each `low` up to each `high`, at most so many drawn ones.

    >>> drawn_places(6, [(0, 2, 9), (4, 6, 1)], seed=7)[:4].tolist()
    [True, True, False, False]
    """
    sampled = np.zeros(events, np.bool_)
    drawn = np.random.default_rng(seed)
    for low, high, most in parts:
        sampled[low + drawn.choice(high - low, min(most, high - low), replace=False)] = True
    return sampled
