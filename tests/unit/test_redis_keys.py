"""Names, versions and exact bytes of what applications read from Redis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Item, Market
from schemas.redis_keys import RedisKeys, category_scope, country_scope, seq
from schemas.redis_values import (
    DriftValue,
    ProfileValue,
    RecValue,
    SessionValue,
    SimilarValue,
    TrendingValue,
    item_value,
    profile_value,
    rec_value,
    seq_of,
    similar_value,
    trending_value,
)

VERSIONS = st.tuples(st.integers(0, 10**13 - 1), st.integers(0, 10**10 - 1))
VERSION = "1322000000000.0000000042"


@given(VERSIONS, VERSIONS)
def test_versions_order_as_text_as_they_do_as_numbers(a: tuple[int, int], b: tuple[int, int]) -> None:
    assert (seq(*a) < seq(*b)) == (a < b)
    assert len(seq(*a)) == 24


@pytest.mark.parametrize(("born", "n"), [(-1, 0), (0, -1), (10**13, 0), (0, 10**10)])
def test_a_version_that_does_not_fit_its_width_is_refused(born: int, n: int) -> None:
    with pytest.raises(ValueError, match="version"):
        seq(born, n)


def test_every_key_has_its_documented_name() -> None:
    names = RedisKeys()
    assert names.of_user("ab12") == ("hr:rec:{ab12}", "hr:profile:{ab12}", "hr:seg:{ab12}")
    assert [names.item("85123A"), names.similar("85123A"), names.co("85123A")] == [
        "hr:item:85123A", "hr:similar:85123A", "hr:co:85123A",
    ]  # fmt: skip
    assert names.trending() == "hr:trending:all"
    assert names.trending(category_scope("BAG/LUNCH")) == "hr:trending:category:BAG"
    assert names.trending(country_scope("GB")) == "hr:trending:country:GB"
    assert [names.shelf, names.sessions, names.changes, names.alive, names.stats("w1"), names.pop()] == [
        "hr:shelf", "hr:sessions", "hr:changes", "hr:alive", "hr:stats:w1", "hr:pop:all",
    ]  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "a b", "{hr}"])
def test_a_prefix_that_would_break_keys_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        RedisKeys(prefix)


def test_golden_bytes_of_a_list() -> None:
    value = RecValue(
        seq=VERSION, id="r1", at=1_323_435_000_000, model="retail-1", experiment={"home": "b"},
        items=[("22423", 0.8731, "because_viewed:85123A"), ("Täßchen", 0.5, "trending:country:GB")],
    )  # fmt: skip
    golden = (
        '{"v":1,"seq":"1322000000000.0000000042","id":"r1","at":1323435000000,"model":"retail-1",'
        '"experiment":{"home":"b"},"items":[["22423",0.8731,"because_viewed:85123A"],'
        '["Täßchen",0.5,"trending:country:GB"]]}'
    )
    assert rec_value(value) == golden.encode()


def test_golden_bytes_of_a_profile() -> None:
    value = ProfileValue(
        seq=VERSION, at=5, born=4, events=42, country="GB", device="mobile",
        session=SessionValue(number=3, start=1, last=5, depth=2),
        types={"view": 1.23456789}, categories={"MUG": 2.0}, affinities=[("MUG", 2 / 3)],
        recent=[("22423", 5, "view", "MUG")], segments=["vip"],
        drift=DriftValue(drifts=1, at=2, labelled=30), learning={"model": "river.x"},
    )  # fmt: skip
    golden = (
        b'{"v":1,"seq":"1322000000000.0000000042","at":5,"born":4,"events":42,"country":"GB","device":"mobile",'
        b'"session":{"number":3,"start":1,"last":5,"depth":2},"types":{"view":1.234568},"categories":{"MUG":2.0},'
        b'"affinities":[["MUG",0.666667]],"recent":[["22423",5,"view","MUG"]],"segments":["vip"],"persona":null,'
        b'"drift":{"drifts":1,"at":2,"labelled":30},"learning":{"model":"river.x"},"features":{},"attributes":{},'
        b'"traffic":[]}'
    )
    assert profile_value(value) == golden


def test_golden_bytes_of_the_item_side() -> None:
    assert (
        similar_value(SimilarValue(at=7, items=[("B", 1 / 3)])) == b'{"v":1,"at":7,"items":[["B",0.333333]]}'
    )
    assert (
        trending_value(TrendingValue(at=7, scope="country:GB", items=[("B", 2.0)]))
        == b'{"v":1,"at":7,"scope":"country:GB","items":[["B",2.0]]}'
    )
    full = Item(
        item_id="A", title="Mug", category="MUG", price=2.5, currency="GBP", tags=("red",), in_stock=False,
        markets={"GB": Market(price=2.0)}, deleted=True,
    )  # fmt: skip
    assert item_value(full) == (
        b'{"v":1,"item_id":"A","title":"Mug","category":"MUG","price":2.5,"currency":"GBP","in_stock":false,'
        b'"tags":["red"],"markets":{"GB":{"price":2.0,"currency":null,"in_stock":true}},"deleted":true}'
    )


@given(VERSIONS)
def test_a_value_tells_its_version_at_a_fixed_place(version: tuple[int, int]) -> None:
    text = seq(*version)
    rec = rec_value(RecValue(seq=text, id="r", at=0, model="m"))
    profile = profile_value(ProfileValue(seq=text, at=0, born=0, events=0))
    assert seq_of(rec) == seq_of(profile) == text
    assert rec[14:38] == profile[14:38] == text.encode()


def test_a_value_of_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"redis_keys\.seq"):
        rec_value(RecValue(seq="1.2", id="r", at=0, model="m"))
    with pytest.raises(ValueError, match="not a versioned value"):
        seq_of(b'{"items":[]}')
