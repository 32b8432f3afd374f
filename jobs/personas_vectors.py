"""Persona vectors out of a replay: of each user, at every event where the stream would have asked for their persona."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.plain_stream import PlainStream
from operators.persona import PersonaSettings
from operators.persona_arithmetic import Floats
from operators.persona_vector import DIMENSIONS, PersonaVector
from operators.profile_features import profile_features
from operators.user_step import StepSettings
from schemas.records import Event, Item


@dataclass(frozen=True, eq=False)
class PersonaVectors:
    """Vectors [m, d] in the order in which they came; row k is of user `user[k]`, whose last row `latest` names.

    So `vectors[latest]` are those by which the stream looked at each user last. `whole` [u, d] are the same users'
    vectors as of their last event.
    """

    vectors: Floats
    user: np.ndarray[tuple[int], np.dtype[np.int64]]
    latest: np.ndarray[tuple[int], np.dtype[np.int64]]
    whole: Floats


def replay_vectors(
    events: Sequence[Event],
    items: Iterable[Item],
    step: StepSettings,
    personas: PersonaSettings,
    progress: Callable[[int], None] = lambda done: None,
) -> PersonaVectors:
    """Replay `events`, in order of time, through the user step, and take the vectors that are due."""
    stream = PlainStream(items, step)
    vector = PersonaVector(profile_features(step))
    rows: list[list[float]] = []
    users: list[int] = []
    numbers: dict[str, int] = {}
    latest: dict[int, int] = {}
    for place, event in enumerate(events):
        if stream.learn(event).refused is None:
            user = stream.states[event.user_id]
            if personas.is_due(user.n):
                number = numbers.setdefault(event.user_id, len(numbers))
                latest[number] = len(rows)
                users.append(number)
                rows.append(vector.of(user))
        if place % 10_000 == 0:
            progress(place)
    return PersonaVectors(
        _table(rows),
        np.array(users, np.int64),
        np.array([latest[number] for number in range(len(numbers))], np.int64),
        _table(vector.of(stream.states[user_id]) for user_id in numbers),
    )


def _table(rows: Iterable[list[float]]) -> Floats:
    held = list(rows)
    return np.array(held, np.float64).reshape(len(held), len(DIMENSIONS))
