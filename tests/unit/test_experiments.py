"""Experiments as data: what is refused and why, who is in one, and which of them cannot run together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from operators.backfill import Backfill
from operators.control import Configuration, ControlStatus, kept_of_kind
from operators.experiment import EXPERIMENT, Experiment, Variant, experiment_of
from operators.experiment_record import (
    ExperimentRecord,
    ExperimentRefused,
    decode_experiment,
    encode_experiment,
)
from operators.experiments import (
    MOST_EXPERIMENTS,
    ExperimentsInForce,
    experiments_of_file,
    record_of_experiment,
)
from operators.following import Following, FollowingSettings
from operators.following_control import FollowingControl
from operators.idle_clock import IdleClock
from operators.rank_settings import RankSettings
from operators.shelf_records import decode_records, encode_records
from operators.traffic_settings import TrafficSettings
from schemas.codec import CONTROLS
from schemas.records import Control
from schemas.schema_book import SchemaBook

UID = "dc7d1902d9f5ad47b6084357"
OFF = {"as_is": {}, "without": {"off": ["trending"]}}
BLEND = {"as_is": {}, "other": {"blend": {"covisit": 2}}}
DAY = 86_400_000


def made(name: str = "x", **fields: Any) -> Experiment:
    return experiment_of(name, {"variants": OFF, **fields})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"variants": {"a": {}}}, "1 variants; there are 2 to 8"),
        ({"variants": {f"v{k}": {"off": ["again"]} for k in range(9)}}, "9 variants; there are 2 to 8"),
        ({"variants": {"a": {}, "b": {}}}, "no variant changes anything"),
        ({"variants": ["a", "b"]}, "it is a table with variants"),
        ({"variants": {"a": {}, "b": 3}}, 'variant "b": it is a table, be it empty'),
        ({"variants": {"a": {}, "b": {"of": []}}}, 'variant "b": it has no "of"; it may have: blend, candidates'),
        ({"variants": {"a": {}, "b": {"off": ["trends"]}}}, "off: unknown source 'trends'; known: session_knn"),
        ({"variants": {"a": {}, "b": {"blend": {"trends": 1}}}}, "blend: unknown source 'trends'"),
        ({"variants": {"a": {}, "b": {"blend": {"again": -1}}}}, "blend: again weighs -1; it is 0 or more"),
        ({"variants": {"a": {}, "b": {"candidates": {"again": 201}}}}, "201 of again; possible are 0 to 200"),
        ({"variants": {"a": {}, "b": {"off": ["again"], "candidates": {"again": 1}}}}, "again is in off and in"),
        ({"variants": {"a": {}, "b": {"explore": {"shares": 0.1}}}}, 'explore has no "shares"'),
        ({"variants": {"a": {}, "b": {"explore": {"share": 0.9}}}}, "0.9 is not within 0 and 0.25"),
        ({"variants": {"a": {}, "b": {"explore": {"few_sessions": 1.5}}}}, "explore: Expected `int`"),
        ({"variants": {"a": {"weight": 0}, "b": {"weight": 0, "off": ["again"]}}}, "all variants weigh 0"),
        ({"variants": {"a": {"weight": -1}, "b": {"off": ["again"]}}}, 'variant "a": weight -1; it is 0 or more'),
        ({"variants": {"a b": {}, "b": {"off": ["again"]}}}, "variant 'a b': it is of letters"),
        ({"salt": "a:b"}, "salt 'a:b': it is of letters"),
        ({"layer": "a:b"}, "layer 'a:b': it is of letters"),
        ({"share": 0}, "share 0 from 0 on; a share is above 0"),
        ({"share": 0.6, "share_from": 0.5}, "share 0.6 from 0.5 on"),
        ({"from": "soon"}, "from: 'soon' is no time, such as 2026-03-01T00:00:00Z"),
        ({"from": True}, "from: True is no time"),
        ({"from": "2026-03-02", "until": "2026-03-01"}, "until is not after from"),
        ({"colour": "red"}, 'it has no "colour"; it may have: description, enabled, from'),
        ({"segment": 3}, "Expected `str | null`"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_its_name_and_why(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ExperimentRefused, match=r'^experiment "x": ') as refusal:
        made(**fields)
    assert why in str(refusal.value)


def test_a_name_that_could_not_stand_in_a_key_is_refused() -> None:
    with pytest.raises(ExperimentRefused, match="name 'a b': it is of letters"):
        made("a b")


def test_a_body_that_is_not_json_is_refused() -> None:
    with pytest.raises(ExperimentRefused, match='experiment "x": its body is not JSON'):
        record_of_experiment(Control(kind=EXPERIMENT, name="x", version=1, body="{"))


def test_who_is_in_it_depends_on_the_share_the_segment_and_the_time() -> None:
    everybody = made()
    assert everybody.variant_of(UID, 0, []) in OFF
    assert made(layer="checkout", share=0.4).variant_of(UID, 0, []) is None
    assert made(layer="checkout", share=0.5).variant_of(UID, 0, []) == everybody.variant_of(UID, 0, [])
    vips = made(segment="vip")
    assert vips.variant_of(UID, 0, ["new"]) is None
    assert vips.variant_of(UID, 0, ["new", "vip"]) == everybody.variant_of(UID, 0, [])
    march = made(**{"from": "2026-03-01", "until": "2026-03-01T00:00:10Z"})
    begins = 1_772_323_200_000
    assert [march.variant_of(UID, at, []) is None for at in (begins - 1, begins, begins + 9_999, begins + 10_000)] == [
        True, False, False, True,
    ]  # fmt: skip


def test_the_salt_draws_the_variant_and_a_new_name_with_it_keeps_everybody_where_they_are() -> None:
    uids = [f"{k:024x}" for k in range(300)]
    assert [made("second", salt="x").variant_of(uid, 0, []) for uid in uids] == [
        made().variant_of(uid, 0, []) for uid in uids
    ]
    assert [made("second").variant_of(uid, 0, []) for uid in uids] != [
        made().variant_of(uid, 0, []) for uid in uids
    ]


def test_a_variant_changes_the_settings_that_it_names_and_no_others() -> None:
    usual = RankSettings(length=7)
    other = Variant(
        off=("similar",),
        candidates={"again": 9},
        blend={"covisit": 3.0},
        explore={"share": 0.1, "few_sessions": 3},
    ).applied(usual)
    assert (other.candidates.similar, other.candidates.again) == (0, 9)
    assert other.candidates.session_knn == usual.candidates.session_knn
    assert other.blend == {**usual.blend, "covisit": 3.0}
    assert (other.explore.share, other.explore.first_places, other.length) == (0.1, 8, 7)
    assert other.explore.few_sessions == 3
    assert (
        made(variants={"a": {}, "b": {"explore": {"first_places": 5}}})
        .variants["b"]
        .applied(usual)
        .explore.first_places
        == 5
    )
    assert Variant().applied(usual) == usual


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ({}, {}, False),
        ({}, {"variants": BLEND}, True),
        ({"share": 0.5}, {"share": 0.5}, False),  # of layers of their own: half of each is in both
        ({"share": 0.5, "layer": "l"}, {"share": 0.5, "share_from": 0.5, "layer": "l"}, True),
        ({"share": 0.5, "layer": "l"}, {"share": 0.5, "share_from": 0.49, "layer": "l"}, False),
        ({"until": "2026-03-01"}, {"from": "2026-03-01"}, True),
        ({"until": "2026-03-02"}, {"from": "2026-03-01"}, False),
        ({"segment": "vip"}, {"segment": "new"}, False),  # a user may be in both segments
        ({"enabled": False}, {}, True),
    ],
)
def test_experiments_that_change_the_same_for_the_same_users_do_not_run_together(
    one: dict[str, Any], other: dict[str, Any], together: bool
) -> None:
    for first, second in ((one, other), (other, one)):
        running = ExperimentsInForce([made("first", **first)])
        record = ExperimentRecord(name="second", version=1, experiment={"variants": OFF, **second})
        if together:
            assert running.offer(record)
        else:
            with pytest.raises(ExperimentRefused, match="change the source trending for the same users"):
                running.offer(record)
            assert [each.name for each in running.all()] == ["first"]


def test_no_more_run_than_are_possible() -> None:
    def nth(k: int) -> ExperimentRecord:
        times = {"from": k * DAY, "until": (k + 1) * DAY}
        return ExperimentRecord(name=f"e{k}", version=1, experiment={"variants": OFF, **times})

    running = ExperimentsInForce([])
    assert not running.offer_all([nth(k) for k in range(MOST_EXPERIMENTS)])
    [why] = running.offer_all([nth(MOST_EXPERIMENTS)])
    assert "17 experiments are in force with this one; 16 are possible" in str(why)


def test_records_find_their_order_where_one_makes_room_for_another() -> None:
    running = ExperimentsInForce([made("old")])
    new = ExperimentRecord(name="new", version=1, experiment={"variants": OFF})
    ended = ExperimentRecord(name="old", version=1, experiment={"variants": OFF, "enabled": False})
    assert running.offer_all([new, ended]) == []
    assert [each.name for each in running.all()] == ["new"]


def test_a_later_version_holds_and_a_deletion_gives_the_settings_back() -> None:
    running = ExperimentsInForce([made("x", share=0.25)])
    assert running.offer(ExperimentRecord(name="x", version=2, experiment={"variants": OFF, "share": 0.5}))
    assert not running.offer(ExperimentRecord(name="x", version=1, experiment={"variants": OFF}))
    assert [(each.share, each.version) for each in running.all()] == [(0.5, 2)]
    assert running.offer(ExperimentRecord(name="x", version=3))
    assert [each.share for each in running.all()] == [0.25]


def test_a_record_reads_back_alone_and_among_those_of_the_shelf() -> None:
    record = ExperimentRecord(name="x", version=3, experiment={"variants": OFF})
    assert decode_experiment(encode_experiment(record)) == record
    assert decode_records(encode_records([record])) == [record]
    with pytest.raises(ExperimentRefused, match="has version 2; this release reads 1"):
        decode_experiment(b'{"type":"experiment","v":2,"name":"x","version":1}')
    with pytest.raises(ExperimentRefused, match="an experiment in Redis is unreadable"):
        decode_experiment(b"{}")


def test_a_file_is_read_whole_and_names_itself_where_it_is_wrong() -> None:
    text = '[experiments.x.variants.a]\n[experiments.x.variants.b]\noff = ["again"]\n'
    [found] = experiments_of_file(text, "e.toml")
    assert (found.name, list(found.variants), found.variants["b"].off) == ("x", ["a", "b"], ("again",))
    second = text.replace("experiments.x", "experiments.y")
    with pytest.raises(ExperimentRefused, match=r'e.toml: "x" and "y" change the source again'):
        experiments_of_file(text + second, "e.toml")
    with pytest.raises(ExperimentRefused, match=r"e\.toml: not TOML"):
        experiments_of_file("[", "e.toml")


def configuration(experiments: list[Experiment]) -> Configuration:
    following = Following(FollowingSettings(), {})
    control = FollowingControl(
        following, [], TrafficSettings(), Backfill(), IdleClock(now=0), experiments=experiments
    )  # fmt: skip
    told = Configuration(SchemaBook())
    told.give(control.takers())
    return told


def put(
    told: Configuration, version: int, name: str = "x", *, deleted: bool = False, **body: Any
) -> ControlStatus:
    text = json.dumps({"variants": OFF, **body})
    message = CONTROLS.encode(
        Control(kind=EXPERIMENT, name=name, version=version, body=text, deleted=deleted)
    )
    applied = told.apply_control(message)
    assert applied.status is not None
    return ControlStatus(**json.loads(applied.status))


def test_the_job_refuses_a_bad_experiment_with_the_reason_and_the_last_good_one_stays() -> None:
    told = configuration([])
    assert put(told, 1).applied
    bad = put(told, 2, share=7)
    assert (bad.applied, bad.reason) == (
        False, 'experiment "x": share 7 from 0 on; a share is above 0 and ends at 1',
    )  # fmt: skip
    rival = put(told, 3, "y")
    assert (rival.applied, rival.reason) == (
        False, '"x" and "y" change the source trending for the same users',
    )  # fmt: skip
    assert put(told, 4, deleted=True).applied
    assert put(told, 5, "y").applied


def test_what_the_job_keeps_is_in_force_after_a_restart() -> None:
    before = configuration([])
    kept = {}
    for name, share_from in (("x", 0.0), ("y", 0.5)):
        body = json.dumps({"variants": OFF, "layer": "l", "share": 0.5, "share_from": share_from})
        applied = before.apply_control(
            CONTROLS.encode(Control(kind=EXPERIMENT, name=name, version=1, body=body))
        )
        assert applied.entry is not None
        kept[applied.entry[0]] = applied.entry[1]
    after = configuration([])
    assert after.restore(kept) == []
    assert len(kept_of_kind(kept, EXPERIMENT)) == 2
    assert "change the source trending" in put(after, 1, "z").reason


def test_the_experiments_of_the_settings_count_too() -> None:
    told = configuration([made("mine")])
    assert "change the source trending" in put(told, 1, "theirs").reason
    assert put(told, 1, "theirs", variants=BLEND).applied
