"""What the ranker may know of a candidate: one definition, for training and for the stream.

A feature says how the candidate compares with the user's other candidates, or how it fits the user. None is
an absolute figure that grows with the age of the stream (a count, a decayed sum): a model trained in spring
would meet other values in autumn. Whoever changes the meaning of a feature gives it another name, since a
bundle is refused by names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.affinity_columns import CategoryProbability
from operators.boosted_affinity import BoostedAffinity
from operators.candidates import SOURCES, Candidates
from operators.feature_columns import (
    fill_affinity,
    fill_anchor,
    fill_categories,
    fill_factors,
    fill_popularity,
    fill_price,
    fill_sources,
    fill_users,
)
from operators.place_columns import PLACE, fill_country, local_times
from operators.sequence_columns import fill_sequence
from operators.sequence_model import SequenceModel
from operators.shelf import Shelf
from operators.stream_columns import STREAM_FEATURES, fill_stream
from operators.user_batch import UserBatch

_FIRST = 6
"""The sources that there were at first. `sources` counts these alone, as for the bundles that were trained on it."""


def _said_by(sources: tuple[str, ...], count: str) -> tuple[str, ...]:
    return (*(f"{name}_score" for name in sources), *(f"{name}_rank" for name in sources), count)


_SOURCES = _said_by(SOURCES[:_FIRST], "sources")
_MORE_SOURCES = _said_by(SOURCES[_FIRST:], "more_sources")
_POPULARITY = ("popularity", "session_popularity")
_PRICE = ("price_gap", "price_distance")
_CATEGORIES = ("category_share", "recent_category_share", "same_category_as_last")
_AFFINITY = ("category_affinity",)
_PROBABILITY = ("category_probability",)
_FACTORS = ("factor_fit", "factor_fit_last")
_ANCHOR = ("anchor_nearness", "anchor_age", "anchor_bought")
_FORMER = ("user_events", "session_depth")
_MOMENT = ("idle_hours", "hour", "weekday", "device")
SEQUENCE_FEATURES = ("sequence_fit", "sequence_share")
"""What a sequence model says of a candidate; known only to bundles that hold one (docs/deep.md).

- `sequence_fit`: its score above the mean of the user's candidates, which is a difference of log odds;
  `sequence_share`: its softmax share among them. Both 0 for items that the model does not know.
"""
SEQUENCE_PROFILE = tuple(f"sequence_user_{k}" for k in range(8))
"""The user's vector itself, as a profile of what they lately took: its first numbers, which are those by which users
differ most (jobs/sequence_onnx.py turns the vectors so). All 0 for a user of whom the model knows no item."""

AUTOENCODER_FEATURES = ("autoencoder_fit", "autoencoder_share")
"""The same two as `SEQUENCE_FEATURES` of what an autoencoder says, which reads the last items in no order."""

BOOSTED_FEATURES = ("boosted_category",)
"""How likely the user's next engaging event is in the item's category, by the boosted model of a bundle that holds one
(operators/boosted_affinity.py)."""

DEEP_FEATURES = (*SEQUENCE_FEATURES, *SEQUENCE_PROFILE, *AUTOENCODER_FEATURES)
"""All that models beside the ranker say which are trained with torch."""

BESIDE_FEATURES = (*DEEP_FEATURES, *BOOSTED_FEATURES)
"""All that models beside the ranker say: known only to bundles that hold them."""

_NEVER = 9.0
"""`idle_hours` of a user without items: beyond log(1 + hours) of any time to live."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What features are computed from: see `FeaturePlan.rows`."""

    candidates: Candidates
    users: UserBatch
    shelf: Shelf
    factor_row: NDArray[np.int32]
    factors: NDArray[np.float32]
    sequence: SequenceModel | None
    probability: CategoryProbability
    autoencoder: SequenceModel | None = None
    boosted: BoostedAffinity | None = None

    @cached_property
    def sequence_users(self) -> NDArray[np.float32]:
        """float32[m, d]: the users' vectors by the sequence model, computed once for all its features."""
        assert self.sequence is not None, "asked for where there is a model"
        self.sequence.reach(len(self.factors))
        return self.sequence.users(self.users.recent, self.factor_row)


class Block(NamedTuple):
    """Features that are computed together: `fill(scene, out)` writes float32[n, len(names)]."""

    names: tuple[str, ...]
    fill: Callable[[Scene, NDArray[np.float32]], None]


def _sources(at: Scene, out: NDArray[np.float32]) -> None:
    fill_sources(at.candidates.scores, 0, _FIRST, at.candidates.start, out)


def _more_sources(at: Scene, out: NDArray[np.float32]) -> None:
    fill_sources(at.candidates.scores, _FIRST, len(SOURCES), at.candidates.start, out)


def _popularity(at: Scene, out: NDArray[np.float32]) -> None:
    found, shelf = at.candidates, at.shelf
    fill_popularity(found.item, found.start, shelf.popularity, shelf.sessions.arrays.log_count, out)


def _price(at: Scene, out: NDArray[np.float32]) -> None:
    found = at.candidates
    fill_price(found.item, found.start, at.users.recent, at.shelf.catalogue.arrays.price, out)


def _categories(at: Scene, out: NDArray[np.float32]) -> None:
    found, users, held = at.candidates, at.users, at.shelf.catalogue.arrays
    fill_categories(
        found.item, found.start, users.recent, users.favourite, users.favourite_share,
        held.category, held.scope, out,
    )  # fmt: skip


def _affinity(at: Scene, out: NDArray[np.float32]) -> None:
    found, catalogue = at.candidates, at.shelf.catalogue
    fill_affinity(
        found.item, found.start, at.users.affinity, catalogue.arrays.category, catalogue.sketches, out
    )


def _probability(at: Scene, out: NDArray[np.float32]) -> None:
    at.probability.fill(at.candidates, at.users, at.shelf, out)


def _factors(at: Scene, out: NDArray[np.float32]) -> None:
    found = at.candidates
    fill_factors(found.item, found.start, at.users.recent, at.factor_row, at.factors, out)


def _anchor(at: Scene, out: NDArray[np.float32]) -> None:
    found, users = at.candidates, at.users
    fill_anchor(found.start, found.anchor, users.age_hours, users.purchased, out)


def _former(at: Scene, out: NDArray[np.float32]) -> None:
    users = at.users
    fill_users(at.candidates.start, np.stack([np.log1p(users.events), np.log1p(users.depth)], axis=1), out)


def _moment(at: Scene, out: NDArray[np.float32]) -> None:
    users = at.users
    own = np.empty((len(users), len(_MOMENT)), np.float32)
    own[:, 0] = np.where(users.recent[:, 0] >= 0, np.log1p(np.maximum(users.age_hours[:, 0], 0.0)), _NEVER)
    own[:, 1] = np.floor(users.hour)
    own[:, 2] = users.weekday
    own[:, 3] = users.device
    fill_users(at.candidates.start, own, out)


def _sequence(at: Scene, out: NDArray[np.float32]) -> None:
    found, model = at.candidates, at.sequence
    if model is None:
        out[:] = 0.0
        return
    users = at.sequence_users  # makes the numbers reach as far as the factors do
    fill_sequence(found.item, found.start, at.factor_row, model.numbers, model.vectors, users, out)


def _sequence_profile(at: Scene, out: NDArray[np.float32]) -> None:
    if at.sequence is None:
        out[:] = 0.0
        return
    own = np.zeros((len(at.users), len(SEQUENCE_PROFILE)), np.float32)
    width = min(own.shape[1], at.sequence_users.shape[1])
    own[:, :width] = at.sequence_users[:, :width]
    fill_users(at.candidates.start, own, out)


def _autoencoder(at: Scene, out: NDArray[np.float32]) -> None:
    found, model = at.candidates, at.autoencoder
    if model is None:
        out[:] = 0.0
        return
    model.reach(len(at.factors))
    users = model.users(at.users.recent, at.factor_row)
    fill_sequence(found.item, found.start, at.factor_row, model.numbers, model.vectors, users, out)


def _boosted(at: Scene, out: NDArray[np.float32]) -> None:
    if at.boosted is None:
        out[:] = 0.0
        return
    at.boosted.fill(at.candidates, at.users, at.shelf, at.probability, out)


def _stream(at: Scene, out: NDArray[np.float32]) -> None:
    fill_stream(at.candidates, at.users, at.shelf, out)


def _place(at: Scene, out: NDArray[np.float32]) -> None:
    found, users, shelf = at.candidates, at.users, at.shelf
    fill_users(found.start, local_times(users.states, users.now), out)
    fill_country(found.item, found.start, users.country, shelf.trending.arrays, shelf.popularity, out[:, 2:3])


BLOCKS = (
    Block(_SOURCES, _sources),
    Block(_POPULARITY, _popularity),
    Block(_PRICE, _price),
    Block(_CATEGORIES, _categories),
    Block(_AFFINITY, _affinity),
    Block(_PROBABILITY, _probability),
    Block(_FACTORS, _factors),
    Block(_ANCHOR, _anchor),
    Block(_FORMER, _former),
    Block(_MOMENT, _moment),
    Block(SEQUENCE_FEATURES, _sequence),
    Block(SEQUENCE_PROFILE, _sequence_profile),
    Block(AUTOENCODER_FEATURES, _autoencoder),
    Block(PLACE, _place),
    Block(_MORE_SOURCES, _more_sources),
    Block(STREAM_FEATURES, _stream),
    Block(BOOSTED_FEATURES, _boosted),
)
"""All features but those that read the profile (operators/profile_columns.py)."""


PROFILE = "profile."
"""`profile.NAME` is the profile feature NAME (operators/profile_features.py) of the candidate's user."""

FEATURES: tuple[str, ...] = (
    *(
        name
        for block in BLOCKS
        if block.names not in (_FORMER, _AFFINITY, PLACE, STREAM_FEATURES, _MORE_SOURCES)
        and block.names[0] not in BESIDE_FEATURES
        for name in block.names
    ),
    PROFILE + "events",
    PROFILE + "session.depth",
)
"""The features that a bundle is trained on where nothing else is asked for, in their order.

- `{source}_score`: the source's score, 0 (does not name the item) to 1 (its best item for this user);
  `{source}_rank`: 1 for the source's best, falling evenly to 0, with scores told apart to 1/255; `sources`:
  how many of the first six sources name it. Of the sources that came later the same is to be had by name, and
  `more_sources` counts those; no standard feature reads them.
- `popularity`, `session_popularity`: log of decayed popularity, and of the number of sessions that hold the
  item, below that of the user's most popular candidate (0; at least -12).
- `price_gap`: log price less the decayed mean log price of the user's recent items, within ±4;
  `price_distance`: its absolute value. Both 0 where a price is not known.
- `category_share`: share of the item's top-level category in the user's decayed counts, 0 outside their
  favourites; `recent_category_share`: share of the recent items with the very same category;
  `same_category_as_last`: 1 for the last item's category, 0.5 for the same top level.
- `category_probability`: how likely the user's next engaging event is in the item's category, as rules and the
  profile read it (operators/calibrated_affinity.py). Earlier bundles know `category_affinity`: what the linear
  part of the user's model says alone, not calibrated, 0.5 where nothing is learned.
- `factor_fit`: cosine of the item's factors with the user folded in, which is the mean of the recent items'
  factors weighted by `FOLD_IN_DECAY` to the power of their place; `factor_fit_last`: with the last item's
  factors.
- `anchor_nearness`: 1 / (1 + place) of the recent item that this goes with best, 0 for none; `anchor_age`:
  log(1 + hours) since it; `anchor_bought`: whether it was bought.
- `idle_hours`: log(1 + hours) since the last item; `hour` and `weekday` (Monday is 0) in UTC; `device`: the
  shelf's code, -1 for none.
- `profile.events`, `profile.session.depth`: log(1 + events) of the user and of the session. Bundles of the first
  release call them `user_events` and `session_depth`.
"""
