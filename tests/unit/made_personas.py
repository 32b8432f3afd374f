"""Users of three kinds, bundles trained on them, and arithmetic drawn at random."""

from __future__ import annotations

from math import nan
from pathlib import Path

import numpy as np

from jobs.personas_clusters import ClusterSettings
from jobs.personas_report import PersonasReport
from jobs.personas_training import PersonaTraining, PersonaTrainingSettings
from jobs.personas_vectors import PersonaVectors
from jobs.training_events import TrainingEvents
from operators.persona import Persona, PersonaModel
from operators.persona_arithmetic import PersonaArithmetic
from operators.persona_bundle import read_persona_manifest
from operators.persona_vector import DIMENSIONS
from schemas.records import Event

D = len(DIMENSIONS)
PLACE = {dimension.name: place for place, dimension in enumerate(DIMENSIONS)}
TASTES = (
    {"evening": 1.0, "price_level": 1.0},
    {"weekend": 1.0, "order_value": 6.0},
    {"sessions_per_week": 3.0},
)


def vectors(seed: int, users: int = 240, moved: float = 0.0) -> PersonaVectors:
    """Users of three kinds, in turn, who differ in two dimensions or one; some values are unknown."""
    drawn = np.random.default_rng(seed)
    rows = drawn.normal(0.0, 0.15, (users, D))
    for user in range(users):
        for name, value in TASTES[user % 3].items():
            rows[user, PLACE[name]] += value + moved
    rows[:, PLACE["dwell"]] = nan
    rows[::7, PLACE["price_level"]] = nan
    everyone = np.arange(users)
    return PersonaVectors(rows, everyone, everyone, rows)


def learned(folder: Path, given: PersonaVectors, previous: Path | None = None) -> PersonasReport:
    clusters = ClusterSettings(algorithms=("kmeans", "agglomerative"), fewest=3, most=4, halvings=1)
    event = Event(event_id="e", user_id="ann", type="view", time=1_000)
    before = None if previous is None else read_persona_manifest(previous)
    training = PersonaTraining(PersonaTrainingSettings(clusters=clusters))
    return training.learn(TrainingEvents([event], [], 0), given, folder, before)


def arithmetic(metric: str, seed: int, clusters: int = 4) -> PersonaArithmetic:
    drawn = np.random.default_rng(seed)
    centroids = drawn.normal(size=(clusters, 5))
    if metric == "cosine":
        centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    return PersonaArithmetic(
        mean=drawn.normal(size=D),
        scale=drawn.uniform(0.2, 3.0, D),
        limit=3.0,
        centre=drawn.normal(0.0, 0.1, D),
        components=np.linalg.qr(drawn.normal(size=(D, 5)))[0],
        centroids=centroids,
        metric=metric,  # type: ignore[arg-type]
    )


def model_of(made: PersonaArithmetic, margin: float = 0.0) -> PersonaModel:
    personas = [
        Persona(id=f"p{k}", name=f"persona {k}", traits=(), users=1, share=0.1, means={})
        for k in range(len(made.centroids))
    ]
    return PersonaModel("shop/1", personas, made, margin)
