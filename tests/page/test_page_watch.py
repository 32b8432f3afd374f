"""Watching a user in Chromium: what is shown follows Redis without a reload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.redis import RedisServer
from jobs.page_server import PageSettings
from schemas.records import Item

USER = "17850"
HOSTILE = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>'
TITLES = "#watch-list .row .words > .title"


@pytest.fixture
def uid(shop: Any) -> str:
    """The pseudonym of a user whose list is the first goods of the shop."""
    uid: str = shop.pseudonym.of(USER)
    shop.publish(uid, [item.item_id for item in shop.items[:20]])
    return uid


def order(tab: Any) -> list[str]:
    """Item ids of the list on the page, best first."""
    ids: list[str] = tab.eval_on_selector_all("#watch-list .row", "rows => rows.map(row => row.dataset.item)")
    return ids


def find(tab: Any, user: str) -> None:
    tab.fill("#find-text", user)
    tab.click("#find button")


def test_a_typed_user_id_shows_that_users_list_and_profile(
    tab: Any, page_url: str, shop: Any, uid: str
) -> None:
    tab.goto(page_url)
    find(tab, f" {USER} ")
    tab.wait_for_selector("#watch-list .row")
    assert order(tab) == [item.item_id for item in shop.items[:20]]
    assert tab.text_content("#watch-profile .uid") == uid
    assert "LANTERN" in tab.text_content("#watch-profile")
    assert "91 %" in tab.text_content("#watch-profile")
    assert "£0.85" in tab.text_content("#watch-list .row")
    last = shop.items[19].title
    assert f"because they bought {last}" in tab.text_content("#watch-list")


def test_a_list_changes_while_one_looks(tab: Any, page_url: str, shop: Any, uid: str) -> None:
    tab.goto(f"{page_url}/#watch={uid}")
    tab.wait_for_selector("#watch-list .row")
    tab.evaluate("window.notReloaded = true")
    ids = [item.item_id for item in shop.items[:20]]
    stranger = shop.items[25].item_id
    changed = [ids[7], stranger, *ids[:7], *ids[8:19]]
    shop.publish(uid, changed)
    tab.wait_for_selector(f"#watch-list .row:first-child[data-item='{ids[7]}']")
    assert order(tab) == changed
    assert tab.text_content(f"[data-item='{ids[7]}'] .move") == "▲ 7"
    assert tab.text_content(f"[data-item='{stranger}'] .move") == "new"
    assert tab.text_content(f"[data-item='{ids[0]}'] .move") == "", "what only made room is not marked"
    assert tab.evaluate("window.notReloaded")
    assert "1 new, 1 moved" in tab.text_content("#spoken")


def test_surprise_me_shows_somebody(tab: Any, page_url: str, shop: Any, uid: str) -> None:
    tab.goto(page_url)
    tab.click("#surprise")
    tab.wait_for_selector("#watch-list .row")
    assert tab.text_content("#watch-profile .uid") == uid


def test_surprise_me_with_nobody_there_says_so(tab: Any, page_url: str) -> None:
    tab.goto(page_url)
    with tab.expect_response("**/users/surprise"):
        tab.click("#surprise")
    tab.wait_for_selector("#find-note:has-text('No user has a list yet')")
    tab.problems.clear()  # the browser itself logs the 404


def test_users_active_now_are_listed_and_can_be_picked(tab: Any, page_url: str, shop: Any, uid: str) -> None:
    other = shop.pseudonym.of("13047")
    shop.publish(other, shop.some_items(20, seed=2))
    tab.goto(f"{page_url}/#watch={uid}")
    tab.click(f"#recent [data-uid='{other}']")
    tab.wait_for_selector(f"#watch-profile .uid:has-text('{other}')")
    tab.wait_for_selector(f"#recent [data-uid='{other}'][aria-pressed='true']")


def test_a_user_without_a_list_gets_one_as_soon_as_it_is_there(tab: Any, page_url: str, shop: Any) -> None:
    tab.goto(page_url)
    find(tab, "nobody yet")
    tab.wait_for_selector("#find-note:has-text('No list of this user yet')")
    assert tab.is_visible("#watch-list .empty")
    shop.publish(shop.pseudonym.of("nobody yet"), shop.some_items(20, seed=1))
    tab.wait_for_selector("#watch-list .row")
    assert tab.is_hidden("#watch-list .empty")


def test_hostile_texts_are_shown_as_texts(tab: Any, page_url: str, shop: Any, uid: str) -> None:
    shop.put(Item(item_id=HOSTILE, title=HOSTILE, category=HOSTILE, price=1.0, currency=HOSTILE))
    shop.trend("all", [HOSTILE])
    shop.trend(f"category:{HOSTILE}", [HOSTILE])
    shop.publish(uid, [HOSTILE, *shop.some_items(19, seed=3)], recent=[HOSTILE])
    tab.goto(f"{page_url}/#watch={uid}")
    tab.wait_for_selector("#watch-list .row")
    assert tab.text_content(TITLES) == HOSTILE
    tab.click("#tab-visit")
    tab.wait_for_selector(".card .title")
    assert tab.text_content(".card .title") == HOSTILE
    assert tab.locator("main img, main script").count() == 0
    assert tab.evaluate("window.harmed") is None


def test_unreadable_values_show_as_absent(tab: Any, page_url: str, shop: Any, uid: str) -> None:
    shop.redis.set(shop.keys.item("odd"), b"[]")
    shop.publish(uid, ["odd", *shop.some_items(5, seed=1)])
    shop.redis.set(shop.keys.profile(uid), b"\xff not json")
    tab.goto(f"{page_url}/#watch={uid}")
    tab.wait_for_selector("#watch-list .row")
    assert tab.text_content(TITLES) == "odd", "an item without an entry shows its id"
    assert tab.is_visible("#watch-profile .empty")


def test_charts_follow_the_workers_figures(tab: Any, page_url: str, shop: Any) -> None:
    shop.report(0, [], [])
    tab.goto(page_url)
    for _ in range(40):
        shop.report(50, [30.0] * 40, [220.0] * 10)
        tab.wait_for_timeout(250)
        if tab.text_content(".chart:nth-child(3) strong") != "–":
            break
    lists, leading, trailing = (tab.text_content(f".chart:nth-child({place}) strong") for place in (2, 3, 4))
    # 200/s where nothing else keeps the machine busy.
    assert 5 < float(lists.removesuffix("/s")) <= 250
    assert 30 <= float(leading.partition(" ")[0]) <= 35
    assert 200 <= float(trailing.partition(" ")[0]) <= 225
    assert tab.get_attribute(".chart:nth-child(2) .line", "d").startswith("M")


@pytest.fixture
def mortal_redis(tmp_path: Any) -> Iterator[RedisServer]:
    """A Redis of the test's own, to be stopped and started; it keeps what was written."""
    with RedisServer(run=tmp_path, append_only=True) as server:
        yield server


def test_redis_away_is_said_and_the_page_recovers(tab: Any, mortal_redis: RedisServer, kit: Any) -> None:
    shop = kit.Shop(mortal_redis.url)
    shop.stock()
    uid = shop.pseudonym.of(USER)
    shop.publish(uid, [item.item_id for item in shop.items[:20]])
    with kit.served(PageSettings(redis_url=mortal_redis.url, secret=kit.SECRET), None) as url:
        tab.goto(f"{url}/#watch={uid}")
        tab.wait_for_selector("#watch-list .row")
        mortal_redis.stop()
        tab.wait_for_selector("#banner:not([hidden])")
        assert "Redis is away" in tab.text_content("#banner")
        mortal_redis.start()
        tab.wait_for_selector("#banner", state="hidden")
        changed = [item.item_id for item in reversed(shop.items[:20])]
        shop.publish(uid, changed)
        tab.wait_for_selector(f"#watch-list .row:first-child[data-item='{changed[0]}']")
        tab.problems.clear()
    shop.redis.close()


@pytest.mark.parametrize("place", ["#watch", "#visit"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(tab: Any, page_url: str, uid: str, place: str, scheme: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.emulate_media(color_scheme=scheme)
    tab.goto(page_url + "/" + place)
    tab.wait_for_selector("#watch-list .row" if place == "#watch" else ".card")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


TEXTS = ["h2", ".why", ".price", ".meta", ".rank", ".uid", ".note", ".about"]
"""What a panel's texts are marked with."""


def test_texts_have_enough_contrast_in_light_and_dark(tab: Any, page_url: str, uid: str) -> None:
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        tab.goto(f"{page_url}/#watch={uid}")
        for selector in TEXTS:
            tab.wait_for_selector(f".panel {selector}", state="attached")
        ratios = tab.evaluate(
            """(selectors) => {
              const lightness = (colour) => {
                const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
                  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const ground = lightness(getComputedStyle(document.querySelector(".panel")).backgroundColor);
              return selectors.map((selector) => {
                const ink = lightness(getComputedStyle(document.querySelector(`.panel ${selector}`)).color);
                return [selector, (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)];
              });
            }""",
            TEXTS,
        )
        assert {selector: ratio for selector, ratio in ratios if ratio < 4.5} == {}, scheme


def test_a_user_with_lists_for_several_slots_has_tabs_that_follow_live(
    tab: Any, page_url: str, shop: Any, uid: str
) -> None:
    ids = [item.item_id for item in shop.items]
    tab.goto(f"{page_url}/#watch={uid}")
    tab.wait_for_selector("#watch-list .row")
    assert not tab.is_visible("#watch-list .slots"), "one slot needs no tabs"

    shop.publish(uid, ids[:20], slots={"own_corner": ids[30:33], "cart": [], "product": ids[20:24]})
    tab.wait_for_selector("#watch-list .slots")
    names = tab.eval_on_selector_all(
        "#watch-list .slots button", "tabs => tabs.map(each => each.textContent)"
    )
    assert names == ["home", "product", "cart", "own corner"]
    assert order(tab) == ids[:20]

    tab.click("#watch-list [data-slot='product']")
    assert order(tab) == ids[20:24]
    assert tab.get_attribute("#watch-list [data-slot='product']", "aria-pressed") == "true"
    assert f"beside {shop.items[20].title}" in tab.text_content("#watch-list .meta")
    shop.publish(uid, ids[:20], slots={"own_corner": [], "cart": [], "product": [ids[28], *ids[20:23]]})
    tab.wait_for_selector(f"#watch-list .row:first-child[data-item='{ids[28]}']")
    assert order(tab) == [ids[28], *ids[20:23]]

    tab.click("#watch-list [data-slot='cart']")
    assert order(tab) == []
    assert "Nothing in the cart" in tab.text_content("#watch-list .empty")


def test_a_list_of_a_slot_that_is_published_no_more_is_not_shown(
    tab: Any, page_url: str, shop: Any, uid: str
) -> None:
    ids = [item.item_id for item in shop.items]
    shop.publish(uid, ids[:20], slots={"cart": ids[20:24]})
    tab.goto(f"{page_url}/#watch={uid}")
    tab.click("#watch-list [data-slot='cart']")
    shop.publish(uid, ids[1:20])
    tab.wait_for_selector("#watch-list .slots", state="hidden")
    assert order(tab) == ids[1:20]


def test_on_a_phone_the_tabs_fit(tab: Any, page_url: str, shop: Any, uid: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    ids = [item.item_id for item in shop.items]
    shop.publish(uid, ids[:20], slots={f"own_corner_{k}": ids[20:24] for k in range(8)})
    tab.goto(f"{page_url}/#watch={uid}")
    tab.wait_for_selector("#watch-list .slots")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.click("#watch-list [data-slot='own_corner_7']")
    assert order(tab) == ids[20:24]
