"""Context rules through the running job: taken or refused on the control topic, and told to the rank workers."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from jobs.cli import BAD_INPUT
from jobs.control_topic import publish_and_hear
from operators.context_rule import MOST_RULES
from operators.context_rules import RuleRecord
from operators.control import ControlStatus
from schemas.codec import CONTROLS
from schemas.records import Control
from tests.pipeline.conftest import LiveJob
from udfs.rule_side import stored_rules

NOTHING_OF_THE_KIND = {"attributes": {"only in this test": ["*"]}}
"""The live job is shared: a rule on items that there are not changes no list."""


def put(live: LiveJob, version: int, *, deleted: bool = False, **body: object) -> ControlStatus:
    told = Control(kind="rule", name="tried", version=version, body=json.dumps(body), deleted=deleted)
    status = publish_and_hear(told, live.topics, 60)
    assert status is not None
    return status


def test_a_rule_comes_to_the_workers_and_goes_and_a_bad_one_is_refused(live_job: LiveJob) -> None:
    live = live_job

    def held() -> list[RuleRecord]:
        return list(stored_rules(live.redis, live.names))

    assert put(live, 1, effect="hide", items=NOTHING_OF_THE_KIND).applied
    live.until(
        lambda: [(each.version, each.rule is None) for each in held()] == [(1, False)], "the rule in Redis"
    )
    refused = put(live, 2, effect="hide", items={})
    assert (refused.applied, "say which items are meant" in refused.reason) == (False, True)
    assert put(live, 3, deleted=True).applied
    live.until(lambda: [(each.version, each.rule is None) for each in held()] == [(3, True)], "the rule gone")


def test_a_rule_of_a_file_is_put_listed_and_removed_by_command(live_job: LiveJob, tmp_path: Path) -> None:
    live, rules = live_job, tmp_path / "rules.toml"
    rules.write_text(
        '[rules.by_command]\neffect = "hide"\nitems = { attributes = { "only in this test" = ["*"] } }\n',
        "utf-8",
    )

    def listed() -> list[str]:
        return [each["name"] for each in json.loads(live.headrace("rules", "list", "--json").stdout)]

    put = live.headrace("rules", "put", str(rules))
    assert (put.returncode, put.stderr) == (0, "")
    assert re.fullmatch(r"by_command, version \d+: in force\n", put.stdout)
    live.until(lambda: "by_command" in listed(), "the rule among those of the job")
    removed = live.headrace("rules", "remove", "by_command")
    assert re.fullmatch(r"by_command, version \d+: removed\n", removed.stdout)
    live.until(lambda: "by_command" not in listed(), "the rule gone")


def test_the_job_refuses_one_rule_too_many_and_the_command_says_so(live_job: LiveJob, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        "".join(
            f'[rules.many_{k}]\neffect = "hide"\nitems = {{ attributes = {{ "only in this test {k}" = ["*"] }} }}\n'
            for k in range(MOST_RULES)
        ),
        "utf-8",
    )
    live, names = live_job, [f"many_{k}" for k in range(MOST_RULES - 1)]
    try:
        put = live.headrace("rules", "put", str(rules))
        assert put.returncode == BAD_INPUT
        assert "the job refused many_15: 17 rules are in force with this one; 16 are possible" in put.stderr
    finally:
        for name in names:
            gone = Control(kind="rule", name=name, version=int(time.time()) + 1, deleted=True)
            live.producer.send(live.topics.control, CONTROLS.encode(gone), f"rule/{name}".encode())

    def in_force() -> set[str]:
        return {each.name for each in stored_rules(live.redis, live.names) if each.rule is not None}

    live.until(lambda: not in_force() & set(names), "all of them gone again")
