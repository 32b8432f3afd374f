"""Lists of further slots on a real Redis: written with the others of a user, erased with them, moved by rules."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.model_readings import read_models
from jobs.model_report import lines_of
from jobs.user import _table, read_slots
from operators.context_rules import RuleRecord, ready_rules
from operators.item_hash import add_item_hash
from operators.item_selector import ItemSelector
from operators.refresh_request import FORGET, LEADING, QUIET, RefreshRequest, encode_request
from operators.shelf_records import CoVisits, Items, Popularity
from operators.slot_settings import SlotSettings
from schemas.publication import PUBLISH_SCRIPT, Published, UserValues, publish_arguments
from schemas.records import Item
from schemas.redis_keys import RedisKeys, seq
from schemas.redis_values import ProfileValue, RecValue, SlotValue, profile_value, rec_value, slot_value
from schemas.state import RecentItem, Session, UserState, encode_state
from udfs.rank_worker import RankWorker
from udfs.rule_side import write_rule
from udfs.slot_follower import MOST_REFUSED
from udfs.worker_settings import WorkerSettings

NAMES = RedisKeys()
BORN = 1_700_000_000_000
SLOTS = {"cart": SlotSettings(), "cheap": SlotSettings(length=2, filters=ItemSelector(price_to=2.0))}
ITEMS = ["mug", "plate", "bowl", "spoon", "fork"]


@pytest.fixture
def client(client: Any) -> Any:
    client.set(NAMES.alive, "1")
    return client


@pytest.fixture
def worker(redis_server: Any, client: Any) -> Iterator[RankWorker]:
    """A worker with two further slots, whose shelf holds five items."""
    worker = RankWorker(WorkerSettings(redis_server.url, slots=SLOTS, rules=ready_rules()))
    worker.write_items([
        Items([Item(item_id=item, title=item, price=float(k)) for k, item in enumerate(ITEMS)]),
        Popularity(["all"] * 5, ITEMS, [5.0, 4.0, 3.0, 2.0, 1.0]),
        CoVisits(["mug", "mug"], ["fork", "bowl"], [2.0, 1.0]),
    ])  # fmt: skip
    worker._follower.fill()
    worker._tell_slots()
    yield worker
    worker._redis.close()


def request(n: int, edge: int, basket: tuple[str, ...] = (), device: str | None = None) -> bytes:
    """A request for a user of `n` events who looked at the plate."""
    user = UserState(
        "ann", born=BORN, n=n, last=BORN + n, session=Session(1, BORN, BORN + n, n), device=device
    )
    user.recent.append(RecentItem.of("plate", BORN + n, "view", "?"))
    user.touched = add_item_hash(b"", "plate", 64)
    user.basket = dict.fromkeys(basket, BORN)
    return encode_request(RefreshRequest(encode_state(user), asked=BORN + n, edge=edge))


def stored(client: Any, slot: str = "home") -> Any:
    value = client.get(NAMES.rec("ann", slot))
    return None if value is None else json.loads(value)


def test_every_slot_has_its_key_with_the_version_and_the_time_to_live_of_the_list(
    worker: RankWorker, client: Any
) -> None:
    [log] = worker.rank([request(3, LEADING, ("mug",))])
    assert log is not None
    home, cart, cheap = (stored(client, slot) for slot in ("home", "cart", "cheap"))
    assert list(home) == ["v", "seq", "id", "at", "model", "experiment", "items"]
    assert list(cart) == [*home, "slot", "item"]
    assert (cart["slot"], cart["item"], cheap["slot"], cheap["item"]) == ("cart", "mug", "cheap", None)
    assert cart["seq"] == cheap["seq"] == home["seq"] == f"{BORN}.0000000003"
    assert (cart["id"], cheap["id"]) == (home["id"] + "-cart", home["id"] + "-cheap")
    assert [item for item, _, _ in cart["items"]] == ["fork", "bowl"]
    assert [item for item, _, _ in cheap["items"]] == ["mug", "bowl"]
    ttl = client.ttl(NAMES.rec("ann"))
    assert client.ttl(NAMES.rec("ann", "cart")) == client.ttl(NAMES.rec("ann", "cheap")) == ttl > 0


def test_the_lists_of_a_user_are_shown_by_slot(worker: RankWorker, client: Any) -> None:
    assert read_slots(NAMES, "ann", client) == {}
    worker.rank([request(3, LEADING, ("mug",))])
    shown = read_slots(NAMES, "ann", client)["slots"]
    assert shown == {"cart": stored(client, "cart"), "cheap": stored(client, "cheap")}
    assert str(_table("cart", shown["cart"], {}).title).startswith("cart list, beside mug, of 2023-11-14")


def test_a_quiet_request_leaves_all_lists_and_an_emptied_cart_an_empty_one(
    worker: RankWorker, client: Any
) -> None:
    worker.rank([request(3, LEADING, ("mug",))])
    before = stored(client, "cart")
    worker.rank([request(4, QUIET)])
    assert stored(client, "cart") == before
    worker.rank([request(5, LEADING)])
    assert (stored(client, "cart")["items"], stored(client, "cart")["item"]) == ([], None)


def test_who_is_forgotten_loses_the_lists_of_all_slots_of_former_settings_too(
    worker: RankWorker, client: Any, redis_server: Any
) -> None:
    worker.rank([request(3, LEADING, ("mug",))])
    later = RankWorker(WorkerSettings(redis_server.url))
    try:
        later.rank([request(4, FORGET)])
    finally:
        later._redis.close()
    assert not client.exists(*NAMES.of_user("ann", SLOTS))


def test_a_rule_of_a_message_moves_items_until_it_is_taken_away(worker: RankWorker, client: Any) -> None:
    worker.rank([request(1, LEADING)])
    before = [item for item, _, _ in stored(client)["items"]]
    body = {"effect": "hide", "items": {"price_from": 3}}
    for record in (
        RuleRecord(name="cheap_only", version=1, rule=body),
        RuleRecord(name="cheap_only", version=2, rule={**body, "effect": "boost", "factor": 4}),
        RuleRecord(name="cheap_only", version=3),
    ):
        write_rule(worker._redis, NAMES, record, most_changes=100)
        write_rule(
            worker._redis, NAMES, RuleRecord(name="cheap_only", version=0, rule=body), most_changes=100
        )
        worker._follower._take_in(block=None)
        worker.rank([request(1 + record.version, LEADING)])
        items = [item for item, _, _ in stored(client)["items"]]
        whys = {item: why for item, _, why in stored(client)["items"]}
        if record.version == 1:
            assert items == [item for item in before if item not in ("spoon", "fork")]
        elif record.version == 2:
            assert sorted(items) == sorted(before)
            assert items.index("spoon") < before.index("spoon")
            assert {item for item, why in whys.items() if why.endswith(";rule:cheap_only")} == {
                "spoon",
                "fork",
            }
        else:
            assert items == before


def test_a_worker_that_starts_finds_the_rules_in_redis_and_one_that_is_no_rule_changes_nothing(
    worker: RankWorker, client: Any
) -> None:
    write_rule(
        worker._redis,
        NAMES,
        RuleRecord(name="r", version=1, rule={"effect": "sing", "items": {}}),
        most_changes=9,
    )
    hide = {"effect": "hide", "items": {"price_from": 3}}
    write_rule(worker._redis, NAMES, RuleRecord(name="s", version=1, rule=hide), most_changes=9)
    worker._follower.fill()
    worker.rank([request(1, LEADING)])
    assert [item for item, _, _ in stored(client)["items"]] == ["mug", "bowl"]
    assert [record.name for record in worker._slots.records()] == ["s"]


def test_a_rule_that_a_worker_refuses_is_told_beside_its_models_until_a_good_one_is_put(
    worker: RankWorker, client: Any
) -> None:
    def told() -> list[str]:
        worker.figures.tell_models(worker.models.reading(), worker._slots.refused())
        return lines_of(read_models(client, NAMES, time.time_ns() // 1_000_000))

    bad = RuleRecord(name="r", version=1, rule={"effect": "sing", "items": {}})
    write_rule(worker._redis, NAMES, bad, most_changes=9)
    worker._follower.fill()
    [line] = [line for line in told() if "refused rule r " in line]
    assert "effect" in line
    [refusal] = worker._slots.refused()
    worker._follower.fill()
    assert worker._slots.refused() == [refusal], "the shelf filled anew is no second refusal"
    good = RuleRecord(name="r", version=2, rule={"effect": "hide", "items": {"price_from": 3}})
    write_rule(worker._redis, NAMES, good, most_changes=9)
    worker._follower.fill()
    assert not [line for line in told() if "refused" in line]


def test_of_refused_rules_the_last_few_are_told(worker: RankWorker) -> None:
    for number in range(3 * MOST_REFUSED):
        worker._slots.offer(RuleRecord(name=f"r{number}", version=1, rule={"effect": "sing", "items": {}}))
    names = [refusal.name for refusal in worker._slots.refused()]
    assert names == [f"r{number}" for number in range(2 * MOST_REFUSED, 3 * MOST_REFUSED)]


def values(n: int, uid: str = "u") -> UserValues:
    version = seq(BORN, n)
    rec = RecValue(seq=version, id=f"r{n}", at=n, model="m")
    further = [
        slot_value(SlotValue(seq=version, id=f"r{n}-{slot}", at=n, model="m", slot=slot)) for slot in SLOTS
    ]
    profile = ProfileValue(seq=version, at=n, born=BORN, events=n)
    return UserValues(uid, rec_value(rec), profile_value(profile), ["vip"], further)


def publish(client: Any, *users: UserValues) -> Published:
    keys, args = publish_arguments(NAMES, users, 60, slots=list(SLOTS))
    return Published.of(client.register_script(PUBLISH_SCRIPT)(keys=keys, args=args))


def test_the_script_writes_the_slots_of_a_batch_and_no_older_version(client: Any) -> None:
    users = [values(5, f"u{k}") for k in range(20)]
    assert publish(client, *users) == Published(lists=20, profiles=20, segment_changes=20, marker=True)
    assert publish(client, values(4, "u3"), values(6, "u4")) == Published(1, 1, 0, True)
    for slot, place in (("cart", 0), ("cheap", 1)):
        assert client.get(NAMES.rec("u3", slot)) == users[3].slots[place]
        assert client.get(NAMES.rec("u4", slot)) == values(6).slots[place]
    assert publish(client, values(7, "u3")._replace(rec=b"", slots=())) == Published(0, 1, 0, True)
    assert client.get(NAMES.rec("u3", "cart")) == users[3].slots[0]


def test_lists_of_other_slots_than_are_published_are_refused() -> None:
    with pytest.raises(ValueError, match="2 lists of further slots for u; there are 0 slots"):
        publish_arguments(NAMES, [values(1)], 60)


def test_keys_of_slots_lie_with_the_others_of_the_user() -> None:
    assert NAMES.of_user("ab12", ["cart"])[3:] == ("hr:rec:{ab12}:cart",)
    assert NAMES.rec("ab12", "home") == NAMES.rec("ab12") == "hr:rec:{ab12}"
