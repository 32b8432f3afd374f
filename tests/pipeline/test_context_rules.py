"""Context rules through the running job: taken or refused on the control topic, and told to the rank workers."""

from __future__ import annotations

import json

from jobs.control_topic import publish_and_hear
from operators.context_rules import RuleRecord
from operators.control import ControlStatus
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
