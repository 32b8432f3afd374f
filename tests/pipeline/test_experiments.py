"""An experiment put while the job runs: its variants get other lists, say so, and go on as before when it ends."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from operators.assignment import variant_for
from schemas.codec import RECOMMENDATIONS
from schemas.records import Event, Recommendation
from tests.pipeline.conftest import LiveJob
from tests.pipeline.story import BEGIN, HOUR

USERS = [f"tried-{k}" for k in range(12)]
FILE = """
[experiments.quiet]
description = "Do trends help?"

[experiments.quiet.variants.as_is]

[experiments.quiet.variants.without]
off = ["trending", "category_trending"]
"""
TRENDS = {"trending", "category_trending"}


@dataclass
class Shop:
    """The live job, and a dozen users who look at things."""

    live: LiveJob
    turns: Iterator[int] = field(default_factory=itertools.count)

    def uid(self, user: str) -> str:
        return self.live.pseudonym.of(user)

    def expected(self, user: str) -> str:
        """The variant that anybody can work out who knows the experiment's name and the user's pseudonym."""
        return variant_for("quiet", {"as_is": 1.0, "without": 1.0}, self.uid(user))

    def until_lists_say(self, experiment: Mapping[str, Mapping[str, str]], what: str) -> None:
        """Have all users look at things, and others at more, until the newest list of each names these variants."""

        def named() -> bool:
            turn = next(self.turns)
            seen = [(user, turn % 3) for user in USERS]
            seen += [(f"crowd-{turn % 7}", turn % 3), (f"crowd-{turn % 7}", 10 + turn % 30)]
            for place, (user, thing) in enumerate(seen):
                self.live.send(
                    Event(
                        event_id=f"{user}-{turn}-{thing}", user_id=user, type="view", item_id=f"thing-{thing}",
                        time=BEGIN + HOUR + turn * 30_000 + place,
                    )
                )  # fmt: skip
            lists = [self.live.rec(user) for user in USERS]
            return all(
                made is not None and made["experiment"] == experiment[user]
                for user, made in zip(USERS, lists, strict=True)
            )

        self.live.until(named, what)

    def logged(self) -> list[Recommendation]:
        """The lists of these users that were logged so far."""
        uids = {self.uid(user) for user in USERS}
        made = map(RECOMMENDATIONS.decode, self.live.read(self.live.topics.recommendations))
        return [each for each in made if each.uid in uids]

    def experiments(self, *words: str) -> tuple[int, str, str]:
        said = self.live.headrace("experiments", *words)
        return said.returncode, said.stdout, said.stderr


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("experiments") / "experiments.toml"
    path.write_text(FILE, "utf-8")
    return path


@pytest.fixture(scope="module")
def shop(live_job: LiveJob, file: Path) -> Iterator[Shop]:
    """The shop with lists from before, and with the experiment put and taken up."""
    shop = Shop(live_job)
    shop.until_lists_say({user: {} for user in USERS}, "lists before the experiment")
    code, said, error = shop.experiments("put", str(file), "--json")
    assert (code, json.loads(said)["answer"]) == (0, "taken"), error
    shop.until_lists_say(
        {user: {"quiet": shop.expected(user)} for user in USERS}, "lists that name the variant"
    )
    yield shop
    shop.experiments("remove", "quiet")


def by_variant(lists: list[Recommendation]) -> dict[str | None, list[set[str]]]:
    """By variant, of each list the sources that spoke for some item."""
    found: dict[str | None, list[set[str]]] = {}
    for made in lists:
        spoke = {source for item in made.items for source in item.sources}
        found.setdefault(made.experiment.get("quiet"), []).append(spoke)
    return found


def test_users_of_the_variant_get_lists_without_the_source_and_the_others_keep_it(shop: Shop) -> None:
    assert {shop.expected(user) for user in USERS} == {"as_is", "without"}
    shop.until_lists_say({user: {"quiet": shop.expected(user)} for user in USERS}, "one list more for each")
    found = by_variant(shop.logged())
    assert all(not spoke & TRENDS for spoke in found["without"])
    assert any(spoke for spoke in found["without"])
    assert all("trending" in spoke for spoke in found["as_is"][-6:])
    assert any("trending" in spoke for spoke in found[None])


def test_why_names_the_variant(shop: Shop) -> None:
    for user in (next(u for u in USERS if shop.expected(u) == name) for name in ("as_is", "without")):
        said = shop.live.headrace("user", "why", user)
        assert said.returncode == 0, said.stderr
        assert f"experiment quiet: variant {shop.expected(user)}" in said.stdout


def test_it_is_shown_with_the_variant_of_a_user(shop: Shop) -> None:
    code, said, error = shop.experiments("list", "--json")
    assert code == 0, error
    [listed] = [each for each in json.loads(said) if each["name"] == "quiet"]
    assert listed["variants"]["without"]["off"] == ["trending", "category_trending"]
    code, said, error = shop.experiments("show", "quiet", "--user", USERS[0], "--json")
    shown: Any = json.loads(said)
    assert (code, shown["variant"], shown["uid"]) == (0, shop.expected(USERS[0]), shop.uid(USERS[0])), error


def test_one_that_changes_the_same_is_refused_with_the_reason_and_the_first_stays(
    shop: Shop, tmp_path: Path
) -> None:
    rival = tmp_path / "rival.toml"
    rival.write_text(FILE.replace("experiments.quiet", "experiments.rival"), "utf-8")
    code, said, error = shop.experiments("put", str(rival))
    assert (code, said) == (2, "")
    assert 'the job refused rival: "quiet" and "rival" change the source category_trending' in error
    shop.until_lists_say({user: {"quiet": shop.expected(user)} for user in USERS}, "the first experiment")
    assert shop.experiments("remove", "rival")[0] == 0


def test_when_it_ends_all_have_the_same_again(shop: Shop) -> None:
    code, said, error = shop.experiments("remove", "quiet", "--json")
    assert (code, json.loads(said)["answer"]) == (0, "taken"), error
    shop.until_lists_say({user: {} for user in USERS}, "lists without an experiment")
    newest = {made.uid: made for made in shop.logged() if not made.experiment}
    assert all(any("trending" in item.sources for item in made.items) for made in newest.values())
