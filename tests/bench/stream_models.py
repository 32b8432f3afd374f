"""Figures of the stream's models and of per-user learners on recorded events. A command, not a test.

    python tests/bench/stream_models.py FILE [--limit 60000] [--rate 0.2]

Prints tables in Markdown: prequential figures of each member (each example is predicted before it is learned
from), and how well each learner of a user's own weights orders categories: the share of made-up contrasts and
of other users' categories that it ranks above the one engaged with.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from jobs.bench_models import LEARNERS
from jobs.plain_stream import PlainStream
from jobs.settings import Settings
from jobs.training_events import TrainingEvents, read_training_events
from operators.affinity import AffinityModel
from operators.item_facts import facts_of
from operators.learner import Learner
from operators.model_example import example_of, is_sampled
from operators.prequential_loss import MEASURES
from operators.sketch import sketch
from operators.stream_models import BUYS, ENGAGES, ModelsSettings, StreamModel
from schemas.state import Affinity

OTHERS = 20


def stream_models(data: TrainingEvents, rate: float) -> None:
    """Print the members' figures after the whole stream."""
    settings = Settings()
    categories = {item.item_id: item.category for item in data.items}
    stream = PlainStream(data.items, settings.step)
    label = AffinityModel(settings.affinity).label
    models = [StreamModel(name, ModelsSettings(rate=rate)) for name in (ENGAGES, BUYS)]
    for event in data.events:
        user = stream.states.get(event.user_id)
        if (
            user is not None
            and event.item_id in categories
            and label(event.type, event.value) > 0.0
            and is_sampled(event.event_id, rate)
        ):
            example = example_of(user, event, categories[event.item_id])
            for model in models:
                model.learn(example)
        stream.learn(event)
    print(f"| model, member | {' | '.join(MEASURES)} | window |\n|---|---|---|---|---|")
    for model in models:
        stored = len(model.snapshot())
        found = model.figures()
        for name, measures in {"together": found.together, **found.members}.items():
            cells = " | ".join(f"{measures[each].fading:.3f}" for each in MEASURES)
            print(f"| {model.name}, {name} | {cells} | {measures['log loss'].length:,} |")
        print(
            f"\n{model.name}: {found.examples:,} predictions, chosen {found.chosen},"
            f" {found.switches} switches, {stored:,} bytes stored\n"
        )


def learners(data: TrainingEvents) -> None:
    """Print how well each learner orders categories for its user."""
    facts = {item.item_id: facts_of(item) for item in data.items}
    names = sorted({fact.category for fact in facts.values()})
    print("| learner | ranked above, all | events 5 to 20 of a user | bytes |\n|---|---|---|---|")
    for name, settings in LEARNERS.items():
        model, learner, rng = AffinityModel(settings), settings.learner(), random.Random(1)
        users: dict[str, Affinity] = {}
        above, early = [], []
        for event in data.events:
            fact = facts.get(event.item_id or "")
            if fact is None or model.label(event.type, event.value) <= 0.0:
                continue
            user = users.setdefault(event.user_id, Affinity())
            if user.labelled >= 5:
                rank = _above(learner, user, fact.category, rng.sample(names, min(OTHERS, len(names))))
                above.append(rank)
                if user.labelled < 20:
                    early.append(rank)
            model.learn(user, fact.category, fact.price, event.type, event.value, event.event_id)
            user.errors.clear()
        print(
            f"| {name} | {sum(above) / len(above):.4f} | {sum(early) / len(early):.4f} | {learner.size} |",
            flush=True,
        )


def _above(learner: Learner, user: Affinity, category: str, others: list[str]) -> float:
    cells = learner.unpack(user.weights)
    own = learner.raw(cells, sketch(category))
    return sum(
        1.0 if raw > own else 0.5 if raw == own else 0.0
        for other in others
        if other != category
        for raw in [learner.raw(cells, sketch(other))]
    ) / len(others)


def main() -> None:
    """Run both on a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit", type=int, default=60_000)
    parser.add_argument("--rate", type=float, default=0.2)
    told = parser.parse_args()
    data = read_training_events(told.file, None, Settings().ingest.with_limits())
    data = TrainingEvents(data.events[: told.limit], data.items, data.unused)
    stream_models(data, told.rate)
    learners(data)


if __name__ == "__main__":
    main()
