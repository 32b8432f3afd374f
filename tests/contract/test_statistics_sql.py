"""The item statistics in Flink SQL and the plain class are one arithmetic, told twice: held together here."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from operators.item_step import ItemStep, Purchase, areas_of
from operators.purchase_sums import PurchaseKind
from operators.statistics import DAY, ItemStatistics, StatisticsSettings

Scores = dict[tuple[str, str], float]

SETTINGS = StatisticsSettings(covisit_half_life=30.0, popularity_half_life=3.0, purchase_half_life=15.0)
EPOCH_OF_BOTH = int(2 * 256 * 30 * DAY)
"""Here an epoch of co-visitation begins; its half-life is a multiple of the others': one of popularity and of purchases
too."""


def steps(count: int) -> Iterator[ItemStep]:
    """Steps of a few days around the beginning of an epoch, out of order."""
    rng = random.Random(11)
    items = [f"item-{number}" for number in range(30)]
    for number in range(count):
        item, *prev = rng.sample(items, rng.randrange(1, 5))
        yield ItemStep(
            item=item,
            prev=tuple(prev),
            apart=tuple(rng.randrange(int(DAY)) for _ in prev) if number % 3 else (),
            scopes=("all", f"category:{rng.randrange(4)}", "country:GB")[: rng.randrange(1, 4)],
            weight=rng.choice((1.0, 2.0, 3.0, 5.0)),
            session=number % 50,
            time=EPOCH_OF_BOTH + rng.randrange(int(-4 * DAY), int(4 * DAY)),
            purchase=bought(rng, item, prev) if rng.random() < 0.3 else None,
        )


def bought(rng: random.Random, item: str, prev: Sequence[str]) -> Purchase:
    return Purchase(
        mates=tuple(prev[:2]),
        viewed=tuple(prev[2:]),
        days=rng.choice((0, 0, 3, 30)),
        areas=areas_of(item, rng.choice((None, "category:1"))),
    )


def run_queries(folder: Path) -> None:
    """Run the job's own queries over `steps.json` and `purchases.json`, and write each key's last value to files."""
    from infra import jars, java
    from infra.ports import free_port
    from jobs.engine import environment, job_options, minicluster_options
    from jobs.topology import ITEM_SIDE, co_visits, popularity, purchase_sums

    java.use()
    options = job_options(10.0, 90, folder / "checkpoints")
    options |= minicluster_options(jars.classpath("connector"), free_port(), slots=1)
    options |= ITEM_SIDE | {"table.exec.mini-batch.size": "500"}
    _, tables = environment(options, parallelism=1)
    tables.execute_sql(
        "create temporary table steps (item string, earlier array<string>, apart array<bigint>,"
        " scopes array<string>, weight double, ts bigint) with ('connector' = 'filesystem',"
        f" 'path' = '{(folder / 'steps.json').as_uri()}', 'format' = 'json')"
    )
    tables.execute_sql(
        "create temporary table purchases (item string, earlier array<string>, mates int, areas array<string>,"
        " weight double, apart bigint, ts bigint) with ('connector' = 'filesystem',"
        f" 'path' = '{(folder / 'purchases.json').as_uri()}', 'format' = 'json')"
    )
    for name, query in (
        ("co", co_visits(SETTINGS)), ("pop", popularity(SETTINGS)), ("buy", purchase_sums(SETTINGS))
    ):  # fmt: skip
        scores: dict[tuple[str, str], float] = {}
        with tables.execute_sql(query).collect() as rows:
            for *kind, key, member, score in rows:
                pair = "/".join((*kind, key)), member
                # Absolute values of which the greater supersedes, as ZADD GT has it.
                scores[pair] = max(score, scores.get(pair, score))
        (folder / name).write_text(json.dumps([[*pair, score] for pair, score in scores.items()]))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[ItemStatistics, dict[str, Scores]]:
    """The plain statistics, and what the queries say, by query."""
    folder = tmp_path_factory.mktemp("sql")
    plain = ItemStatistics(SETTINGS)
    with (folder / "steps.json").open("w") as file, (folder / "purchases.json").open("w") as purchases:
        for step in steps(3_000):
            plain.update(step)
            if (said := step.purchase) is not None:
                row = {
                    "item": step.item, "earlier": (*said.mates, *said.viewed), "mates": len(said.mates),
                    "areas": said.areas, "weight": step.weight, "apart": said.days, "ts": step.time,
                }  # fmt: skip
                purchases.write(json.dumps(row) + "\n")
            row = {
                "item": step.item, "earlier": step.prev, "apart": step.apart, "scopes": step.scopes,
                "weight": step.weight, "ts": step.time,
            }  # fmt: skip
            file.write(json.dumps(row) + "\n")
    # In a process of its own, which takes the JVM with it when it ends.
    ran = subprocess.run(
        [sys.executable, __file__, str(folder)], capture_output=True, text=True, timeout=280, check=False
    )
    assert ran.returncode == 0, ran.stderr
    answers = {name: json.loads((folder / name).read_text()) for name in ("co", "pop", "buy")}
    return plain, {name: {(a, b): score for a, b, score in rows} for name, rows in answers.items()}


def agree(found: Scores, plain: Scores) -> None:
    assert found.keys() == plain.keys()
    # A score is the logarithm of a sum, so its absolute difference is the sum's relative one.
    assert max(abs(found[pair] - plain[pair]) for pair in plain) <= 1e-9


def test_co_visitation_in_sql_is_the_plain_class(told: tuple[ItemStatistics, dict[str, Scores]]) -> None:
    plain, answers = told
    items = {a for a, _ in answers["co"]}
    assert len(items) == 30
    agree(answers["co"], {(a, b): s for a in items for b, s in plain.neighbours(a)})


def test_popularity_in_sql_is_the_plain_class(told: tuple[ItemStatistics, dict[str, Scores]]) -> None:
    plain, answers = told
    scopes = {scope for scope, _ in answers["pop"]}
    assert scopes == {"all", "country:GB", *(f"category:{n}" for n in range(4))}
    agree(answers["pop"], {(scope, b): s for scope in scopes for b, s in plain.popular(scope)})


def test_what_purchases_say_in_sql_is_the_plain_class(
    told: tuple[ItemStatistics, dict[str, Scores]],
) -> None:
    plain, answers = told
    rows = {tuple(row.split("/", 1)) for row, _ in answers["buy"]}
    assert {kind for kind, _ in rows} == set(PurchaseKind)
    agree(
        answers["buy"],
        {(f"{k}/{row}", b): s for k, row in rows for b, s in plain.purchases(PurchaseKind(k), row)},
    )


if __name__ == "__main__":
    run_queries(Path(sys.argv[1]))
