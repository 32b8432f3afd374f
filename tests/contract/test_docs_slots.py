"""docs/slots.md: its settings and rules can be used as they stand, and its program finds what belongs on a page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from infra.redis import RedisServer
from jobs.settings import load
from operators.context_rules import ready_rules
from operators.slot_settings import slots_of
from schemas.redis_keys import RedisKeys, seq
from schemas.redis_values import (
    ProfileValue,
    SimilarValue,
    SlotValue,
    profile_value,
    similar_value,
    slot_value,
)

PAGE = (Path(__file__).parents[2] / "docs" / "slots.md").read_text("utf-8")
NAMES = RedisKeys()


def block(kind: str, marker: str) -> str:
    [found] = [one for one in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) if marker in one]
    return str(found)


def test_the_slots_and_rules_of_the_page_can_be_used(tmp_path: Path) -> None:
    file, rules = tmp_path / "headrace.toml", tmp_path / "rules.toml"
    file.write_text(block("toml", "[slots.cart]"), "utf-8")
    rules.write_text(block("toml", "[rules.quiet_nights]"), "utf-8")
    told = load(file, {"context_rules.file": str(rules)}, {"HEADRACE_SLOTS__PRODUCT__LENGTH": "5"})
    made = {
        slot.name: (slot.about, slot.length, slot.most_per_category)
        for slot in slots_of(told.slots, told.rank)
    }
    assert made == {
        "home": ("session", 20, 0),
        "cart": ("basket", 8, 0),
        "product": ("item", 5, 0),
        "email": ("history", 12, 2),
        "garden_under_20": ("session", 10, 0),
    }
    assert told.slots["garden_under_20"].filters.price_to == 20.0
    assert {rule.name for rule in told.context_rules.in_force()} == {
        "quiet_nights",
        "no_spirits",
        ready_rules()[0].name,
    }


def test_the_answer_of_the_page_is_the_jobs() -> None:
    status = json.loads(block("json", '"applied"'))
    assert (status["kind"], status["applied"]) == ("rule", False)
    assert status["reason"] == 'rule "sale": factor 9 of a boost is not within 1 and 4'


def test_the_program_shows_the_personal_list_of_that_item_or_what_is_similar(
    redis_server: RedisServer,
) -> None:
    port = redis.Redis.from_url(redis_server.url).connection_pool.connection_kwargs["port"]
    program: dict[str, Any] = {}
    source = block("python", "def beside").replace("redis.Redis()", f"redis.Redis(port={port})")
    exec(source, program)
    beside: Callable[[str, str], list[str]] = program["beside"]
    try:
        assert beside("u", "mug") == []
        client, version = program["client"], seq(1, 1)
        client.set(
            NAMES.similar("mug"), similar_value(SimilarValue(at=1, items=[("plate", 1.0), ("bowl", 0.5)]))
        )
        profile = ProfileValue(seq=version, at=1, born=1, events=1, recent=[("plate", 1, "view", "?")])
        client.set(NAMES.profile("u"), profile_value(profile))
        assert beside("u", "mug") == ["bowl"]
        made = SlotValue(
            seq=version, id="r", at=1, model="m", slot="product", item="mug", items=[("fork", 1.0, "for_you")]
        )
        client.set(NAMES.rec("u", "product"), slot_value(made))
        assert beside("u", "mug") == ["fork"]
        assert beside("u", "pan") == []
    finally:
        program["client"].close()
