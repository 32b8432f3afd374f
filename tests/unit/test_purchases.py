"""What a purchase says: with what it came, what was looked at before, and when the user bought it last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operators.bought_items import bought_days, buy
from operators.item_hash import hashes_of, item_hash
from operators.item_step import Purchase
from operators.purchase_sums import PurchaseKind
from operators.statistics import ItemStatistics
from operators.user_step import StepSettings, UserStep
from schemas.records import Event
from schemas.state import UserState, decode_state, encode_state

DAY = 86_400_000
START = 19_000 * DAY


class Shopper:
    """One user, and what the step said of each purchase."""

    def __init__(self, settings: StepSettings = StepSettings()) -> None:
        self.step = UserStep(settings, {})
        self.state = UserState("u", born=START)
        self.events = 0

    def do(self, kind: str, item: str, at: int = START, order: str | None = None) -> Purchase | None:
        self.events += 1
        event = Event(
            event_id=f"e{self.events}", user_id="u", type=kind, time=at, item_id=item, order_id=order
        )  # fmt: skip
        # Through the stored bytes, as in the job.
        self.state = decode_state(encode_state(self.state))
        said = self.step.update(self.state, event, None).step
        return None if said is None else said.purchase

    def buys(self, item: str, at: int = START, order: str | None = None) -> Purchase:
        said = self.do("purchase", item, at, order)
        assert said is not None
        return said


def test_the_lines_of_one_order_go_together_and_those_of_another_do_not() -> None:
    shopper = Shopper()
    assert shopper.buys("cup", order="A").mates == ()
    assert shopper.buys("mug", START + 1, "A").mates == ("cup",)
    assert shopper.buys("plate", START + 2, "A").mates == ("mug", "cup")
    assert shopper.buys("robot", START + 3, "B").mates == ()
    assert shopper.buys("doll", START + 4, "B").mates == ("robot",)
    assert shopper.buys("spoon", START + 5).mates == ()
    assert shopper.buys("fork", START + 6).mates == ()


def test_a_line_that_comes_twice_makes_the_order_no_longer() -> None:
    shopper = Shopper()
    shopper.buys("old", order="A")
    shopper.buys("cup", START + 1, "B")
    shopper.buys("cup", START + 2, "B")
    assert shopper.buys("mug", START + 3, "B").mates == ("cup",)


def test_what_was_looked_at_before_counts_and_what_was_bought_does_not() -> None:
    shopper = Shopper()
    shopper.do("view", "stale", START - 2 * DAY)
    shopper.do("view", "cup")
    shopper.do("view", "mug", START + 1)
    shopper.buys("mug", START + 2)
    assert shopper.buys("plate", START + 3).viewed == ("cup",)
    assert shopper.do("view", "plate", START + 4) is None


def test_baskets_and_looks_are_bounded_and_can_be_switched_off() -> None:
    shopper, off = Shopper(), Shopper(StepSettings(order_items=0, viewed_items=0))
    for number in range(12):
        for each in (shopper, off):
            each.do("view", f"v{number}", START + 2 * number)
            said = each.buys(f"i{number}", START + 2 * number + 1, "A")
    assert (len(said.mates), len(said.viewed)) == (0, 0)
    said = shopper.buys("last", START + 90, "A")
    assert (said.mates, said.viewed) == (("i11", "i10", "i9", "i8", "i7"), ("v11", "v10", "v9"))


def test_days_since_the_last_purchase_are_told_across_the_stored_record() -> None:
    shopper = Shopper()
    assert shopper.buys("soap").days == 0
    assert shopper.buys("soap", START + DAY // 2).days == 0
    assert shopper.buys("soap", START + 30 * DAY).days == 30
    assert shopper.buys("soap", START + 37 * DAY).days == 7
    assert shopper.state.bought_days == (19_037).to_bytes(2, "little")


def test_records_from_before_days_were_kept_learn_them_from_now_on() -> None:
    shopper = Shopper()
    shopper.buys("cup")
    shopper.buys("soap")
    shopper.state.bought_days = b""
    assert shopper.buys("soap", START + 30 * DAY).days == 0
    assert bought_days(shopper.state.bought, shopper.state.bought_days).tolist() == [0, 19_030]
    assert shopper.buys("soap", START + 40 * DAY).days == 10


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 70_000)), max_size=40), st.integers(1, 6))
def test_days_stay_beside_their_items_whatever_comes(bought: list[tuple[str, int]], most: int) -> None:
    hashes, days = b"", b""
    latest: dict[int, int] = {}
    for item, day in bought:
        hashes, days, gap = buy(hashes, days, item, day, most)
        name = item_hash(item)
        before = latest.pop(name, 0)
        day = min(day, 0xFFFF)
        assert gap == (day - before if 0 < before < day else 0)
        latest[name] = max(before, day)
        latest = dict(list(latest.items())[-most:])
        assert list(latest) == hashes_of(hashes).tolist()
        assert list(latest.values()) == bought_days(hashes, days).tolist()


def test_the_same_events_give_the_same_sums_and_a_bots_purchase_none() -> None:
    shopper, statistics = Shopper(), ItemStatistics()
    for at, item in ((0, "cup"), (1, "mug"), (30, "cup"), (30, "mug")):
        event = Event(
            event_id=f"{at}{item}", user_id="u", type="purchase", time=START + at * DAY, item_id=item,
            order_id=f"order-{at // 30}",
        )  # fmt: skip
        said = shopper.step.update(shopper.state, event, None).step
        assert said is not None
        statistics.update(said)
    assert [item for item, _ in statistics.purchases(PurchaseKind.TOGETHER, "cup")] == ["mug"]
    again = {name for name, _ in statistics.purchases(PurchaseKind.AGAIN, "item:cup")}
    assert again == {"bought", "again", "gap", "square", "evidence"}
    assert not statistics.purchases(PurchaseKind.AGAIN, "item:plate")
