"""Personas in the stream: which trained cluster a user's record is nearest to, asked at fixed event numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import msgspec

from operators.persona_arithmetic import PersonaArithmetic
from operators.persona_vector import PersonaVector
from schemas.state import UserState


@dataclass(frozen=True)
class PersonaSettings:
    """At which of a user's accepted events their persona is asked for: at `first`, at its doubles, then every `every`.

    >>> settings = PersonaSettings()
    >>> [n for n in range(130) if settings.is_due(n)]
    [8, 16, 32, 64, 96, 128]
    """

    first: int = 8
    every: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.every <= 10_000:
            raise ValueError(
                f"first is {self.first} and every {self.every}; they must be from 1 to 10000, first not above every"
            )

    def is_due(self, n: int) -> bool:
        """Whether the `n`-th accepted event of a user asks for their persona."""
        if n >= self.every:
            return n % self.every == 0
        times, rest = divmod(n, self.first)
        return rest == 0 and times > 0 and times & (times - 1) == 0


class Persona(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster of users.

    `id` and `name` stay with it from one training to the next; `traits` say what sets it apart from the
    average user, the strongest first. `users` were trained on, a `share` of all. `means` holds the mean of each
    dimension over them, in the dimension's own unit; a dimension that none of them shows is left out.
    """

    id: str
    name: str
    traits: tuple[str, ...]
    users: int
    share: float
    means: dict[str, float]


class PersonaModel:
    """The personas of one bundle, and whose a vector is, in plain Python: some microseconds a vector.

    Sums go from the first dimension to the last in float64, so a record has the same persona in a replay.
    `name` is that of the bundle, NAME/VERSION. `margin`, from 0 to 1, says how far beyond the border between two
    personas somebody must be who held the one to be given the other: 0 is the border, 1 the other's centroid.
    """

    def __init__(
        self, name: str, personas: Sequence[Persona], arithmetic: PersonaArithmetic, margin: float = 0.0
    ) -> None:
        self.name = name
        self.personas = tuple(personas)
        self.margin = margin
        self._ids = [persona.id for persona in personas]
        self._numbers = {id: number for number, id in enumerate(self._ids)}
        weights, offsets = arithmetic.folded()
        self._scale = list(zip(arithmetic.mean.tolist(), arithmetic.scale.tolist(), strict=True))
        self._limit = arithmetic.limit
        self._weights = list(zip(offsets.tolist(), weights.tolist(), strict=True))
        self._leads = (margin * arithmetic.between()).tolist()
        # Scores under the metric cosine grow with the length of the projection.
        self._components = None
        if arithmetic.metric == "cosine":
            shift = -arithmetic.centre @ arithmetic.components
            self._components = list(zip(shift.tolist(), arithmetic.components.T.tolist(), strict=True))

    def nearest(self, vector: Sequence[float]) -> int:
        """The number of the nearest persona, of equally near ones the first; NaN stands for an unknown."""
        scores = _products(self._weights, self._standardised(vector))
        return scores.index(max(scores))

    def following(self, vector: Sequence[float], held: int) -> int:
        """The number of the persona of somebody who held number `held`: the nearest, where it leads by the margin."""
        standardised = self._standardised(vector)
        scores = _products(self._weights, standardised)
        nearest = scores.index(max(scores))
        least = self._leads[held][nearest]
        if self._components is not None and nearest != held:
            least *= hypot(*_products(self._components, standardised))
        return nearest if scores[nearest] - scores[held] > least else held

    def assign(self, vector: Sequence[float], held: str | None = None) -> str:
        """The id of the persona of somebody who held the id `held`; of the nearest where these personas lack it."""
        number = None if held is None else self._numbers.get(held)
        return self._ids[self.nearest(vector) if number is None else self.following(vector, number)]

    def _standardised(self, vector: Sequence[float]) -> list[float]:
        limit = self._limit
        standardised = []
        for value, (mean, scale) in zip(vector, self._scale, strict=True):
            x = (value - mean) / scale
            # NaN fails every comparison, and an unknown counts as the mean.
            standardised.append(
                x if -limit <= x <= limit else limit if x > limit else -limit if x < 0.0 else 0.0
            )
        return standardised


def _products(rows: Sequence[tuple[float, Sequence[float]]], vector: Sequence[float]) -> list[float]:
    """Of each row its offset plus its weights times `vector`."""
    products = []
    for total, weights in rows:
        for weight, x in zip(weights, vector, strict=True):
            total += weight * x
        products.append(total)
    return products


@dataclass(frozen=True)
class PersonaChange:
    """A user's persona became `after`; `before` is None for their first. `at` is the event time in ms."""

    before: str | None
    after: str
    at: int


class PersonaStep:
    """Keeps `user.persona`: a function of the user's record, the persona in it among the rest, and of those in force.

    Without personas nothing is assigned, and what was assigned stays. New personas count from a user's next due
    event on; until then the user keeps the id they had.
    """

    def __init__(self, settings: PersonaSettings, vector: PersonaVector) -> None:
        self._settings = settings
        self._vector = vector
        self._model: PersonaModel | None = None

    @property
    def model(self) -> PersonaModel | None:
        """The personas in force."""
        return self._model

    def use(self, model: PersonaModel | None) -> None:
        """Put other personas in force, or none."""
        self._model = model

    def update(self, user: UserState) -> PersonaChange | None:
        """Assign `user` anew where their latest accepted event is a due one; tells of a change.

        To be called once after every accepted event, when the rest of the record is brought up to it.
        """
        if self._model is None or not self._settings.is_due(user.n):
            return None
        before = user.persona
        after = self._model.assign(self._vector.of(user), before)
        if before == after:
            return None
        user.persona = after
        return PersonaChange(before, after, at=user.last)
