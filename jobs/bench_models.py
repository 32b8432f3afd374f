"""What the online learners cost: µs an update of a user's weights, and of the stream's models."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import msgspec

from operators.affinity import AffinityModel, AffinitySettings
from operators.learner import linear_bytes
from operators.model_example import ModelExample
from operators.model_members import MEMBERS
from operators.stream_models import MODELS, ModelsSettings, StreamModel
from schemas.state import Affinity

LEARNERS = {
    "SGD, log loss": AffinitySettings(),
    "AdaGrad, log loss": AffinitySettings(optimiser="adagrad", learning_rate=0.3),
    "Adam, log loss": AffinitySettings(optimiser="adam", learning_rate=0.05),
    "SGD, hinge loss": AffinitySettings(loss="hinge"),
    "SGD, squared loss": AffinitySettings(loss="squared", learning_rate=0.05),
    "factorised, 2 factors": AffinitySettings(factors=2),
}
"""Learners of a user's weights, with a learning rate that suits them."""

_SHELVES = [f"Department {d}/Shelf {s}" for d in range(8) for s in range(6)]


class ModelCost(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time in µs, sizes in bytes.

    `users` is an update of a user's record by learner, `user_bytes` the stored weights. `update` is one example
    of a stream model, judging included, by members; `predict` a prediction, `row` a row of the table,
    `store_ms` writing the model, `model_bytes` what is written.
    """

    users: dict[str, float]
    user_bytes: dict[str, int]
    update: dict[str, float]
    predict: float
    row: float
    store_ms: float
    model_bytes: int


def measure_models(examples: int = 3_000) -> ModelCost:
    """Measure all learners on generated shoppers; the first half of `examples` warms up and is not counted."""
    made = generated(examples)
    costs = {}
    for name, members in {**{each: (each,) for each in MEMBERS}, "all": tuple(MEMBERS)}.items():
        for model_name in MODELS if name == "all" else MODELS[:1]:
            model = StreamModel(model_name, ModelsSettings(members=members))
            for example in made[: examples // 2]:
                model.learn(example)
            before = model.examples
            spent = _seconds(lambda model=model: [model.learn(each) for each in made[examples // 2 :]])  # type: ignore[misc]
            costs[f"{model_name}, {name}"] = spent / max(model.examples - before, 1) * 1e6
            if name == "all" and model_name == MODELS[0]:
                whole = model
    asked = made[:500]
    predict = _seconds(lambda: [whole.predict(each, each.category) for each in asked]) / len(asked) * 1e6
    row = _seconds(lambda: [whole.next_row() for _ in range(20)]) / 20 * 1e6
    store = _seconds(lambda: [whole.snapshot() for _ in range(3)]) / 3 * 1e3
    users = {name: _user_cost(settings) for name, settings in LEARNERS.items()}
    return ModelCost(
        users=users,
        user_bytes={name: settings.learner().size for name, settings in LEARNERS.items()},
        update=costs,
        predict=predict,
        row=row,
        store_ms=store,
        model_bytes=len(whole.snapshot()),
    )


def generated(examples: int, seed: int = 1) -> list[ModelExample]:
    """Examples of users with tastes of their own, who buy in their favourite category more often."""
    rng = random.Random(seed)
    learner = AffinityModel(AffinitySettings())
    users = [(rng.sample(_SHELVES, 3), Affinity(), [], {}) for _ in range(60)]  # type: ignore[var-annotated]
    made = []
    for k in range(examples):
        tastes, affinity, last, counts = rng.choice(users)
        category = rng.choice(_SHELVES) if rng.random() < 0.2 else rng.choices(tastes, (5, 3, 2))[0]
        type = "purchase" if rng.random() < (0.3 if category == tastes[0] else 0.05) else "view"
        total = sum(counts.values())
        best = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:8]
        made.append(
            ModelExample(
                draw=rng.getrandbits(32),
                time=1_700_000_000_000 + k * 60_000,
                type=type,
                category=category,
                events=int(total),
                depth=len(last),
                idle=rng.randrange(3_600_000),
                device=rng.choice(("mobile", "desktop")),
                country=rng.choice(("GB", "IE", "DE")),
                shares={name: count / total for name, count in best},
                last=last[:5],
                weights=linear_bytes(affinity.weights) if affinity.weights else b"",
            )
        )
        learner.learn(affinity, category, 10.0, type, None, f"event-{k}")
        last.insert(0, category)
        del last[5:]
        counts[category] = counts.get(category, 0.0) + 1.0
    return made


def _user_cost(settings: AffinitySettings, updates: int = 2_000) -> float:
    model, user = AffinityModel(settings), Affinity()
    for k in range(200):
        model.learn(user, _SHELVES[k % 7], 9.0, "click", None, f"warm-{k}")

    def learn() -> None:
        for k in range(updates):
            model.learn(user, _SHELVES[k % 7], 9.0 + k % 5, "click", None, f"event-{k}")
            user.errors.clear()

    return _seconds(learn) / updates * 1e6


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
