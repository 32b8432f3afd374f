"""`headrace segments` on files: what it prints, and how it ends on bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import BAD_INPUT, build

GOOD = """
[segments.vip]
description = "Good customers"
when = 'count("purchase", within="30d") > 3'

[segments.lost_vip]
when = 'segment("vip") and since_last("any") > "14d"'
"""


def run(*arguments: str) -> Result:
    given = ["segments", *arguments]
    return CliRunner().invoke(build(given), given)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "segments.toml"
    path.write_text(GOOD, "utf-8")
    return path


def test_check_says_how_many_are_right_and_what_they_can_take(rules: Path) -> None:
    said = run("check", str(rules), "--json")
    assert (said.exit_code, json.loads(said.output)["segments"]) == (0, ["lost_vip", "vip"])
    assert f"{rules}: 2 segments are right" in run("check", str(rules)).output


def test_check_names_file_segment_place_and_way_out(rules: Path) -> None:
    rules.write_text(GOOD.replace("since_last", "since_lsat"), "utf-8")
    said = run("check", str(rules))
    assert said.exit_code == BAD_INPUT
    place = f'headrace: {rules}: segment "lost_vip", column 20: unknown function "since_lsat"'
    assert place in said.output + said.stderr


def test_list_shows_the_rules_that_ship() -> None:
    names = [each["name"] for each in json.loads(run("list", "--json").output)]
    assert {"high_value", "at_risk", "new", "cart_abandoners", "engaged_readers"} <= set(names)
    assert "high_value" in run("list").output


def test_explain_prints_bound_exactness_and_cost(rules: Path) -> None:
    said = run("explain", "vip", "--file", str(rules)).output
    for part in (
        "vip: Good customers",
        "after purchase",
        "exact up to 16",
        "bytes a user",
        "µs",
        "begin empty",
    ):
        assert part in said
    [told] = json.loads(run("explain", "vip", "--file", str(rules), "--json").output)
    assert told["most_bytes"] >= told["cells"][0]["most_bytes"] > 256
    assert "all together" in run("explain", str(rules)).output


def test_explain_of_an_unknown_segment_names_those_there_are(rules: Path) -> None:
    said = run("explain", "gold", "--file", str(rules))
    assert said.exit_code == BAD_INPUT
    assert 'has no segment "gold"; it has: lost_vip, vip' in said.output + said.stderr
