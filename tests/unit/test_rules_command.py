"""`headrace rules`: what it prints of files and of the running job, and how it ends on bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner, Result

from infra.redis import RedisServer
from jobs.cli import BAD_INPUT, build
from jobs.rules_in_force import body_of, toml_of
from operators.context_rule import MOST_RULES, ContextRule, Moment, rule_of
from operators.context_rules import RuleRecord, ready_rules, rules_of_file
from operators.item_selector import ItemSelector
from schemas.redis_keys import RedisKeys
from udfs.rule_side import write_rule

SHIPPED = ready_rules()[0].name
GOOD = """
[rules.quiet_nights]
effect = "bury"
when = { hours = [22, 6], countries = ["GB"] }
items = { tags = ["loud"] }

[rules.no_spirits]
effect = "hide"
items = { categories = ["Drinks/Spirits"] }
slots = ["home"]
"""


def run(*arguments: str) -> Result:
    given = ["rules", *arguments]
    return CliRunner().invoke(build(given), given)


def error_of(said: Result) -> str:
    assert said.exit_code == BAD_INPUT
    return said.output + said.stderr


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD, "utf-8")
    return path


@pytest.fixture
def job(redis_server: RedisServer) -> str:
    """The Redis of a job that two messages brought rules to, one of which was taken back."""
    names = RedisKeys()
    with redis.Redis.from_url(redis_server.url) as client:
        for record in (
            RuleRecord(name="sale", version=7, rule={"effect": "boost", "items": {"tags": ["sale"]}}),
            RuleRecord(name="gone", version=8, rule=None),
        ):
            write_rule(client, names, record, most_changes=10)
    return redis_server.url


def test_check_says_how_many_are_right(rules: Path) -> None:
    assert json.loads(run("check", str(rules), "--json").output) == {"rules": ["quiet_nights", "no_spirits"]}
    assert run("check", str(rules)).output == f"{rules}: 2 rules are right\n"
    assert "ready: 1 rule is right" in run("check", "ready").output


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("tags", "tag", 'rule "quiet_nights": items has no "tag"; it may have:'),
        ("22, 6", "22, 22", 'rule "quiet_nights": hours [22, 22]'),
        ('"bury"', '"hidden"', 'rule "quiet_nights": Invalid enum value'),
        ("[rules.no_spirits]", "[rule.no_spirits]", '"rule" is not known here'),
    ],
)
def test_check_names_the_file_the_rule_and_what_is_wrong(
    rules: Path, before: str, after: str, why: str
) -> None:
    rules.write_text(GOOD.replace(before, after), "utf-8")
    assert f"headrace: {rules}: {why}" in error_of(run("check", str(rules)))


def test_a_file_of_more_rules_than_can_be_in_force_is_refused(rules: Path) -> None:
    many = [f'[rules.r{k}]\neffect = "hide"\nitems = {{ tags = ["t{k}"] }}\n' for k in range(MOST_RULES + 1)]
    rules.write_text("".join(many), "utf-8")
    assert f"{rules}: 17 rules are in force with this one; 16 are possible" in error_of(
        run("check", str(rules))
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert f"headrace: {tmp_path / 'none.toml'}: No such file" in error_of(
        run("check", str(tmp_path / "none.toml"))
    )


def test_list_tells_the_rules_of_settings_and_of_messages_apart(job: str) -> None:
    told = json.loads(run("list", "--redis", job, "--json").output)
    assert [(each["name"], each["from"]) for each in told] == [
        ("sale", "message, version 7"), (SHIPPED, "settings"),
    ]  # fmt: skip
    shown = run("list", "--redis", job).output
    assert "sale" in shown
    assert "boost × 1.5" in shown


def test_list_of_a_file_asks_nobody(rules: Path) -> None:
    told = json.loads(run("list", str(rules), "--json").output)
    assert [each["name"] for each in told] == ["quiet_nights", "no_spirits"]


def test_show_prints_a_rule_as_a_file_has_it(rules: Path, job: str) -> None:
    shown = run("show", "quiet_nights", "--file", str(rules)).output
    [again] = rules_of_file(shown, "shown")
    assert again == rules_of_file(GOOD, "good")[0]
    assert "# from message, version 7" in run("show", "sale", "--redis", job).output
    told = json.loads(run("show", "sale", "--redis", job, "--json").output)
    assert told["rule"] == {"effect": "boost", "items": {"tags": ["sale"]}}


def test_show_of_an_unknown_rule_names_those_there_are(rules: Path, job: str) -> None:
    said = error_of(run("show", "loud", "--file", str(rules)))
    assert f'{rules} has no rule "loud"; it has: quiet_nights, no_spirits' in said
    assert f'the running job has no rule "gone"; it has: sale, {SHIPPED}' in error_of(
        run("show", "gone", "--redis", job)
    )


def test_put_of_a_rule_that_the_file_does_not_have_sends_nothing(rules: Path) -> None:
    said = error_of(run("put", str(rules), "loud", "--brokers", "127.0.0.1:1"))
    assert f'{rules} has no rule "loud"; it has: quiet_nights, no_spirits' in said


def test_remove_says_what_can_be_removed_and_how_a_rule_of_the_settings_is_switched_off(job: str) -> None:
    assert 'no rule "gone" was put; put were: sale' in error_of(run("remove", "gone", "--redis", job))
    said = error_of(run("remove", SHIPPED, "--redis", job))
    assert f'rule "{SHIPPED}" is of the settings; to switch it off, put it with enabled = false' in said


def test_without_redis_or_kafka_the_option_that_is_missing_is_named(rules: Path) -> None:
    assert "give --redis" in error_of(run("list", "--redis", "redis://127.0.0.1:1/0"))
    assert "give --brokers" in error_of(run("put", str(rules), "--brokers", "127.0.0.1:1"))


def test_every_part_of_a_rule_survives_being_shown() -> None:
    rule = ContextRule(
        "a.b", "boost",
        ItemSelector(
            categories=("Home",), not_categories=("Home/Mugs",), tags=('say "so"', "back\\slash", "grün"),
            not_tags=("old",), price_from=1.0, price_to=2.5, title_at_most=40, has_image=True, in_stock=False,
            sold_in=("GB",), languages=("en",), media=("video",), attributes={"a colour": ("*",), "size": ("S", "M")},
        ),
        Moment(("mobile",), ("GB",), (22, 6), ("mon",), ("at_risk",)), 2.0, ("home", "cart"), False, "two\nlines\x7f",
    )  # fmt: skip
    assert rules_of_file(toml_of(rule), "shown") == (rule,)
    assert rule_of("a.b", json.loads(json.dumps(body_of(rule)))) == rule
