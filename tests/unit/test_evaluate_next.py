"""`headrace evaluate --train A --test B` as a command: what it prints and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import build
from jobs.recommenders import KNOWN

SCORE = {"name", "current", "hit_rate", "mrr", "ndcg"}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Nine sessions that go from a to b to c, and two to predict, one of them with an item of its own."""
    names = []
    for name, sessions in (
        ("train", [["a", "b", "c"]] * 9),
        ("test", [["a", "b", "c", "b"], ["a", "new", "b"]]),
    ):
        rows = [
            f"{name}{user}\t{item}\t{1_600_000_000 + 100_000 * (name == 'test') + 100 * user + step}"
            for user, items in enumerate(sessions)
            for step, item in enumerate(items)
        ]
        file = tmp_path / f"{name}.txt"
        file.write_text("\n".join(["SessionId\tItemId\tTime", *rows]) + "\n")
        names.append(str(file))
    return names[0], names[1]


def run(*words: str) -> str:
    said = CliRunner().invoke(build(["evaluate"]), ["evaluate", *words])
    assert said.exit_code == 0, said.output
    return said.stdout


def test_the_command_prints_one_json_object_for_machines(files: tuple[str, str]) -> None:
    train, test = files
    done = json.loads(run("--train", train, "--test", test, "--json"))
    assert (done["learned"], done["items"], done["sessions"], done["predictions"]) == (27, 3, 2, 4)
    assert (done["left_out"], done["unused_rows"], done["model"]) == (1, 0, None)
    assert [(score["name"], score["current"]) for score in done["scores"]] == [
        (name, "drop") for name in KNOWN
    ]
    assert all(set(score) == SCORE and score["hit_rate"] == 1.0 for score in done["scores"])


def test_both_ways_to_treat_the_current_item_stand_apart(files: tuple[str, str]) -> None:
    train, test = files
    said = run(
        "--train", train, "--test", test, "--only", "last-item", "--current", "keep", "--current", "drop"
    )  # fmt: skip
    keep, drop = (
        said.index("may hold the session's current item"),
        said.index("without the session's current"),
    )
    assert keep < drop
    assert said.count("last-item") == 2
    assert "4 predictions in 2 sessions, after 27 events of 3 items" in said
    assert "1 test events are of items that the train events do not show" in said


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--train", "TRAIN"], "give both files"),
        (["TRAIN", "--current", "keep"], "give both files"),
        (["TRAIN", "--train", "TRAIN", "--test", "TEST"], "leave out FILE"),
        (["--train", "TRAIN", "--test", "TEST", "--limit", "5"], "leave out FILE, --limit"),
        (["--train", "TRAIN", "--test", "TEST", "--only", "magic"], "no recommender is named 'magic'"),
        ([], "name a FILE of events, or --train and --test"),
    ],
)
def test_what_does_not_go_together_is_refused(files: tuple[str, str], words: list[str], wrong: str) -> None:
    named = [{"TRAIN": files[0], "TEST": files[1]}.get(word, word) for word in words]
    said = CliRunner().invoke(build(["evaluate"]), ["evaluate", *named])
    assert said.exit_code == 2
    assert wrong in said.output
