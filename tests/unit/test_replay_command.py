"""`headrace replay` and `headrace user why` on the files of a run: what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from typer.testing import CliRunner, Result

from jobs.avro_files import write_avro
from jobs.cli import build
from jobs.send_progress import recorded_time
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import CoVisits, Items, Popularity
from schemas.codec import RECOMMENDATIONS
from schemas.pseudonym import Pseudonym
from schemas.records import Item, Recommendation
from schemas.redis_keys import RedisKeys
from schemas.redis_values import item_value
from schemas.state import RecentItem, UserState
from tests.unit.test_list_replay import NOW, logged_lists

SECRET = "the secret of these tests"
IDS = [f"item-{k}" for k in range(30)]
ANN = Pseudonym(SECRET.encode()).of("ann")
EARLIER = NOW - 60_000


def lists() -> list[Recommendation]:
    """Two lists of ann and one of somebody else; ann's first without inputs."""
    shelf = Shelf(ShelfBounds(items=2_000, sessions=10))
    shelf.apply(Items([Item(item_id=item) for item in IDS]))
    shelf.apply(Popularity(["all"] * 25, IDS[:25], [0.1 * k for k in range(25)]))
    shelf.apply(CoVisits(["item-1"], ["item-20"], [2.0]))
    states = [UserState(uid, born=NOW - 90_000, n=3, last=NOW) for uid in (ANN, "b" * 24)]
    states[0].recent = [RecentItem.of("item-1", NOW - 3, "view", "?")]
    second, other = logged_lists(shelf, states)
    states[0].n, states[0].last = 2, EARLIER
    [first, _] = logged_lists(shelf, states)
    return [
        msgspec.structs.replace(first, rec_id="first", inputs=None),
        msgspec.structs.replace(other, rec_id="other"),
        msgspec.structs.replace(second, rec_id="second"),
    ]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder of a run."""
    write(tmp_path, lists())
    return tmp_path


def write(folder: Path, logged: list[Recommendation]) -> None:
    write_avro(folder / "headrace.recommendations.avro", RECOMMENDATIONS, iter(logged))


@pytest.fixture
def headrace(redis_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs a command with settings of its own."""
    monkeypatch.setenv("HEADRACE_PRIVACY__SECRET", SECRET)
    monkeypatch.setenv("HEADRACE_REDIS__URL", redis_server.url)
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "home"))

    def run(*words: str) -> Result:
        return CliRunner().invoke(build(list(words)), list(words))

    return run


def test_lists_of_a_run_are_made_again(headrace: Any, out: Path) -> None:
    said = headrace("replay", str(out), "--json")
    assert said.exit_code == 0, said.output
    summary = json.loads(said.stdout)
    assert (summary["read"], summary["with_inputs"], summary["equal"], summary["differ"]) == (3, 2, 2, 0)
    assert json.loads(headrace("replay", str(out), "--user", "ann", "--json").stdout)["equal"] == 1
    assert json.loads(headrace("replay", str(out), "--list", "other", "--json").stdout)["equal"] == 1


def test_an_altered_score_and_an_altered_input_are_named_and_the_command_fails(
    headrace: Any, out: Path
) -> None:
    first, other, second = lists()
    score = msgspec.structs.replace(other.items[1], score=0.5)
    other = msgspec.structs.replace(other, items=(other.items[0], score, *other.items[2:]))
    inputs = bytearray(second.inputs or b"")
    inputs[-40] ^= 1
    second = msgspec.structs.replace(second, inputs=bytes(inputs))
    write(out, [first, other, second])
    said = headrace("replay", str(out))
    assert said.exit_code == 1
    assert f"other: score of {score.item_id} at place 2: the log says 0.5" in said.stdout
    assert "second: checksum of the inputs' " in said.stdout


def test_without_any_inputs_it_says_how_to_get_them(headrace: Any, out: Path) -> None:
    write(out, lists()[:1])
    said = headrace("replay", str(out))
    assert said.exit_code == 2
    assert "publish.inputs_share" in said.output


def test_why_explains_the_latest_list_and_the_one_that_held_then(headrace: Any, out: Path) -> None:
    why = json.loads(headrace("user", "why", "ann", "--source", str(out), "--json").stdout)
    assert (why["rec_id"], why["with_inputs"], why["model"], why["items"][0]["item_id"]) == (
        "second", True, "blend", "item-20",
    )  # fmt: skip
    told = {share["source"]: share for share in why["items"][0]["sources"]}
    assert told["covisit"]["contribution"] == pytest.approx(0.75)
    earlier = headrace("user", "why", "ann", "--source", str(out), "--at", str(NOW - 1), "--json")
    then = json.loads(earlier.stdout)
    assert (then["rec_id"], then["with_inputs"]) == ("first", False)
    assert "Weights are those of the settings now; they give the logged scores." in then["unknown"]


def test_why_tells_people_of_one_item_listed_or_not(headrace: Any, out: Path, redis_server: Any) -> None:
    listed = headrace("user", "why", "ann", "--source", str(out), "--item", "item-20")
    assert "item-20: at place 1, because_viewed:item-1" in listed.stdout
    assert "covisit said 1.000 × 0.75 = +0.7500" in listed.stdout
    with redis.Redis.from_url(redis_server.url) as client:
        client.set(RedisKeys().item("item-29"), item_value(Item(item_id="item-29", in_stock=False)))
    missing = headrace("user", "why", "ann", "--source", str(out), "--item", "item-29")
    assert "item-29: not in the list" in missing.stdout
    assert "as the catalogue has it now: out of stock" in missing.stdout
    assert headrace("user", "why", "ann", "--source", str(out)).stdout.count("trending") >= 15


def test_why_of_a_list_without_inputs_says_that_rules_moved_scores(headrace: Any, out: Path) -> None:
    first = lists()[0]
    moved = msgspec.structs.replace(first.items[0], score=0.9, why=f"{first.items[0].why};rule:calm")
    write(out, [msgspec.structs.replace(first, items=(moved, *first.items[1:]))])
    why = json.loads(headrace("user", "why", "ann", "--source", str(out), "--json").stdout)
    assert any(each.startswith("Context rules moved scores, as the reasons say") for each in why["unknown"])


def test_why_of_a_user_without_a_list_is_one_line(headrace: Any, out: Path) -> None:
    said = headrace("user", "why", "nobody", "--source", str(out))
    assert said.exit_code == 2
    assert "holds no list of this user" in said.output


def test_why_at_a_time_before_all_lists_says_when_the_first_is_of(headrace: Any, out: Path) -> None:
    said = headrace("user", "why", "ann", "--source", str(out), "--at", str(EARLIER - 1))
    assert said.exit_code == 2
    assert f"holds no list of this user of then; the first is of {recorded_time(EARLIER)} UTC" in said.output


def test_lists_of_others_do_not_count_where_a_users_are_made_again(headrace: Any, out: Path) -> None:
    said = headrace("replay", str(out), "--user", "ann")
    assert "1 of 2 logged lists have their inputs" in said.stdout
    nobody = headrace("replay", str(out), "--user", "nobody")
    assert nobody.exit_code == 2
    assert "the log holds 3 records, and no list of those that were asked for" in nobody.output


def test_a_user_of_whom_nothing_is_known_is_asked_for_with_a_question(
    headrace: Any, redis_server: Any
) -> None:
    said = headrace("user", "log", "ann", "--minutes", "1")
    assert said.stdout.startswith("lists of ann are logged with their inputs for 1 minute\n")
    assert "Redis knows nothing of ann yet" in said.stdout
    with redis.Redis.from_url(redis_server.url) as client:
        client.set(RedisKeys().profile(ANN), b"{}")
    told = json.loads(headrace("user", "log", "ann", "--json").stdout)
    assert (told["uid"], told["known"], told["until"] > 0) == (ANN, True, True)
    assert json.loads(headrace("user", "log", "ann", "--stop", "--json").stdout)["until"] is None


def test_a_user_is_asked_for_until_a_time_or_no_more(headrace: Any, redis_server: Any) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        key = RedisKeys().asked
        client.zadd(key, {"gone": 5.0})
        assert headrace("user", "log", "ann", "--minutes", "5").exit_code == 0
        assert client.zrange(key, 0, -1) == [ANN.encode()]
        assert headrace("user", "log", "ann", "--stop").exit_code == 0
        assert not client.exists(key)
