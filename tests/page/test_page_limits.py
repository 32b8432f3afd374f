"""What the page's server lets in and sends out, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

VISITOR = "visitor-" + "0" * 32
CLICK = {"visitor": VISITOR, "click": "c1", "type": "view", "item_id": "22000"}


@pytest.fixture
def client(page_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page_url, timeout=10) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/static/page.css", "/search?q=mug", "/nowhere"])
def test_every_answer_carries_a_policy_without_inline_scripts(client: httpx.Client, path: str) -> None:
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_the_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    html = client.get("/").text
    assert "http://" not in html
    assert "https://" not in html
    assert "<script>" not in html
    assert "style=" not in html


def test_another_host_name_is_refused(client: httpx.Client) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"visitor": "17850"}, "visitor"),
        ({"type": "forget"}, "type"),
        ({"item_id": ""}, "item_id"),
        ({"item_id": "x" * 201}, "item_id"),
        ({"item_id": 5}, "item_id"),
        ({"position": -1}, "position"),
        ({"country": "gb<"}, "country"),
        ({"user_id": "17850"}, "user_id"),
    ],
)
def test_a_click_of_another_shape_is_refused_with_the_field(
    client: httpx.Client, change: dict[str, Any], named: str
) -> None:
    answer = client.post("/events", json={**CLICK, **change})
    assert answer.status_code == 400
    assert named in answer.json()["error"]


def test_without_kafka_a_click_is_refused_with_a_sentence(client: httpx.Client) -> None:
    answer = client.post("/events", json=CLICK)
    assert (answer.status_code, "without Kafka" in answer.json()["error"]) == (503, True)


def test_bodies_are_bounded_and_are_json(client: httpx.Client) -> None:
    assert client.post("/events", json={**CLICK, "item_id": "x" * 5_000}).status_code == 413
    assert client.post("/events", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    for body in (b"", b"{", b"[]", b"\xff\xfe"):
        assert (
            client.post("/events", content=body, headers={"content-type": "application/json"}).status_code
            == 400
        )


def test_another_site_cannot_send_clicks(client: httpx.Client) -> None:
    assert client.post("/events", json=CLICK, headers={"origin": "http://evil.example"}).status_code == 403


def test_a_raw_user_id_becomes_a_pseudonym_on_the_server(client: httpx.Client, shop: Any) -> None:
    uid = shop.pseudonym.of("17850")
    assert client.post("/users", json={"user": "17850"}).json() == {"uid": uid, "found": False}
    shop.publish(uid, shop.some_items(20, seed=1))
    assert client.post("/users", json={"user": "17850"}).json() == {"uid": uid, "found": True}
    assert client.post("/users", json={"user": uid}).json() == {"uid": uid, "found": True}
    assert client.post("/users", json={"user": "  "}).status_code == 400
    assert client.post("/users", json={"user": "x" * 300}).status_code == 400


def test_search_finds_every_word_in_title_and_category(client: httpx.Client, shop: Any, kit: Any) -> None:
    kit.until(
        lambda: client.get("/search?q=bag").json()["known"] == len(shop.items), "the catalogue was not read"
    )
    found = [item["title"] for item in client.get("/search", params={"q": "lunch Spaceboy"}).json()["items"]]
    assert found == ["SPACEBOY LUNCH BAG"]
    assert client.get("/search?q=").json()["items"] == []


def test_trending_tells_its_scopes_and_an_unknown_one_is_empty(
    client: httpx.Client, shop: Any, kit: Any
) -> None:
    kit.until(lambda: "country:GB" in client.get("/trending").json()["scopes"], "the scopes were not read")
    assert client.get("/trending").json()["items"][0]["id"] == shop.items[0].item_id
    assert (
        client.get("/trending", params={"scope": "country:GB"}).json()["items"][0]["id"]
        == shop.items[10].item_id
    )
    assert client.get("/trending?scope=nowhere").json()["items"] == []


def test_a_stream_takes_uids_only(client: httpx.Client) -> None:
    assert client.get("/live", params={"uid": "*}x"}).status_code == 400


def test_more_open_pages_than_the_bound_are_refused(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.page_feed.MOST_PAGES", 1)
    with client.stream("GET", "/live") as first:
        lines = first.iter_lines()  # kept, because an iterator that is dropped ends the stream
        next(lines)
        assert client.get("/live").status_code == 503
