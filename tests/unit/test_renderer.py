"""The public item lists, rendered from the sorted sets of a real Redis."""

from __future__ import annotations

import json
import math
from typing import Any

from operators.shelf import Shelf
from operators.shelf_records import CoVisits, Items, Popularity, PurchaseScores
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from udfs.item_side import ItemSide
from udfs.renderer import Renderer
from udfs.worker_settings import PublishSettings

NAMES = RedisKeys()


def renderer(client: Any, shelf: Shelf, settings: PublishSettings) -> tuple[ItemSide, Renderer]:
    side = ItemSide(client, NAMES, settings)
    return side, Renderer(client, NAMES, shelf, settings)


def shown(client: Any, key: str) -> list[list[Any]]:
    return list(json.loads(client.get(key))["items"])


def test_what_changed_is_rendered_once(client: Any) -> None:
    side, rendering = renderer(client, Shelf(), PublishSettings())
    side.write([CoVisits(["mug", "mug"], ["plate", "bowl"], [2.0, 1.0]), Popularity(["all"], ["mug"], [5.0])])
    assert rendering.render() == 2
    assert rendering.render() == 0
    assert shown(client, NAMES.similar("mug")) == [["plate", 1.0], ["bowl", round(math.exp(-1.0), 6)]]
    assert shown(client, NAMES.trending("all")) == [["mug", 1.0]]
    assert 0 < client.ttl(NAMES.similar("mug")) <= PublishSettings().item_ttl


def test_items_that_cannot_be_had_are_not_shown_and_unknown_ones_are(client: Any) -> None:
    shelf = Shelf()
    shelf.apply(
        Items([Item(item_id="gone", deleted=True), Item(item_id="out", in_stock=False), Item(item_id="here")])
    )
    side, rendering = renderer(client, shelf, PublishSettings())
    items = ["gone", "out", "here", "unknown"]
    side.write([Popularity(["all"] * 4, items, [4.0, 3.0, 2.0, 1.0])])
    rendering.render()
    assert [item for item, _ in shown(client, NAMES.trending("all"))] == ["here", "unknown"]


def test_a_list_is_as_long_as_asked_for(client: Any) -> None:
    side, rendering = renderer(client, Shelf(), PublishSettings(shown=3))
    side.write([Popularity(["all"] * 10, [f"i{n}" for n in range(10)], [float(n) for n in range(10)])])
    rendering.render()
    assert [item for item, _ in shown(client, NAMES.trending("all"))] == ["i9", "i8", "i7"]


def test_what_is_still_to_be_rendered_survives_its_renderer(client: Any) -> None:
    side, _ = renderer(client, Shelf(), PublishSettings())
    side.write([Popularity(["all"], ["mug"], [5.0])])
    _, another = renderer(client, Shelf(), PublishSettings())
    assert another.render() == 1


def test_what_is_bought_with_and_after_an_item_has_lists_of_its_own(client: Any) -> None:
    side, rendering = renderer(client, Shelf(), PublishSettings())
    side.write([PurchaseScores("together", ["mug"], ["plate"], [2.0])])
    side.write([PurchaseScores("then_bought", ["mug"], ["bowl"], [2.0])])
    side.write([PurchaseScores("again", ["item:mug"], ["bought"], [2.0])])
    assert rendering.render() == 2
    assert shown(client, NAMES.together("mug")) == [["plate", 1.0]]
    assert shown(client, NAMES.then_bought("mug")) == [["bowl", 1.0]]
