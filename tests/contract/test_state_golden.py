"""What was released stays readable, and is still written: user records, drift windows, Redis values."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from operators.adwin import Adwin
from operators.drift import DriftSettings
from operators.duplicates import event_hash, is_remembered
from schemas.attributes import Attribute
from schemas.habits import Habits
from schemas.redis_values import DriftValue, ProfileValue, RecValue, SessionValue, profile_value, rec_value
from schemas.state import (
    Affinity,
    PriceScale,
    RecentItem,
    Session,
    UnreadableState,
    UserState,
    decode_state,
    encode_state,
)
from schemas.traffic_state import VOLUME, Traffic

GOLDEN = Path(__file__).parent / "golden" / "state"

USER_V2 = UserState(
    uid="9dc6a1e4ef03b1e5e9a1ce44",
    born=1_700_000_000_000,
    n=51,
    last=1_700_000_123_456,
    seen=bytes([0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]),
    session=Session(number=3, start=1_700_000_100_000, last=1_700_000_123_456, depth=7),
    types={"view": 12.5, "purchase": 1.0},
    categories={"Home/Mugs": 8.25, "?": 0.5},
    recent=[
        RecentItem.of("mug", 1_700_000_100_000, "view", "Home/Mugs"),
        RecentItem.of("Tasse à café", 1_700_000_123_456, "purchase", "?"),
        RecentItem.of("plate", 1_700_000_123_456, "own type", "?"),
    ],
    touched=b"\x01\x02\x03\x04\x05\x06\x07\x08",
    bought=b"\x05\x06\x07\x08",
    affinity=Affinity(
        weights=bytes(140),
        price=PriceScale(count=4, mean=1.5, variance=0.25),
        labelled=40,
        errors=[0.25, 0.5],
        boost=3,
        drifts=1,
        drifted_at=1_700_000_090_000,
    ),
    device="mobile",
    country="GB",
    segments=["vip"],
    habits=Habits(
        since=1_700_000_000,
        landmark=1_700_000_000,
        cells=bytes.fromhex("010000000000803f"),
        cart=3,
        orders=bytes(range(8)),
        opinions=bytes(range(9)),
    ),
    attributes={
        "tier": [Attribute("gold", "crm", 1_700_000_100_000), Attribute("blue", "form", 1_700_000_000_000)],
        "employees": [Attribute(250.0, "firmographics", 1_700_000_000_000)],
        "newsletter": [Attribute(True, "crm", 1_700_000_100_000)],
    },
    persona="evening browsers",
    traffic=Traffic(marks=VOLUME, until=1_700_020_000_000, policy=40_000, pace=bytes(range(25))),
    lake_id=bytes(range(8)),
    consent="ads,analytics",
)
"""What the golden record of version 2 reads as."""

USER_V3 = structs.replace(
    USER_V2, basket={"mug": 1_700_000_100_000}, bought_days=b"\x38\x4a", order=b"\x01\x02\x03\x04\x02"
)

USER_V1 = structs.replace(
    USER_V2,
    recent=USER_V2.recent[:2],
    habits=Habits(),
    attributes={},
    persona=None,
    traffic=Traffic(),
    lake_id=b"",
    consent=None,
)
"""What the golden record of version 1 reads as: the same user, without what version 2 brought."""

REC_V1 = RecValue(
    seq="1700000000000.0000000051",
    id="9dc6a1e4ef03b1e5e9a1ce44-18bcfe56800-33",
    at=1_700_000_123_456,
    model="blend",
    items=[("mug", 0.75, "because_viewed:plate"), ("Tasse à café", 0.5, "for_you")],
)

PROFILE_V1 = ProfileValue(
    seq="1700000000000.0000000051",
    at=1_700_000_123_456,
    born=1_700_000_000_000,
    events=51,
    country="GB",
    device="mobile",
    session=SessionValue(number=3, start=1_700_000_100_000, last=1_700_000_123_456, depth=7),
    types={"view": 12.5},
    categories={"Home/Mugs": 8.25},
    affinities=[("Home/Mugs", 0.875)],
    recent=[("mug", 1_700_000_100_000, "view", "Home/Mugs")],
    segments=["vip"],
    drift=DriftValue(drifts=1, at=1_700_000_090_000, labelled=40),
    learning={"affinity": "river.linear_model.LogisticRegression", "drift": "river.drift.ADWIN"},
    persona="evening browsers",
    features={"sessions_per_week": 1.2345678, "usual_hour": 19.5, "usual_device": "mobile", "likes": 2.0},
    attributes={"tier": "gold", "employees": 250.0, "newsletter": True},
    traffic=["rate", "volume"],
)


def golden(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / name).read_text())


def drift_window() -> Adwin:
    window = Adwin(DriftSettings().adwin())
    for number in range(37):
        window.update((number % 8) / 8)
    return window


def test_user_records_of_version_1_are_read() -> None:
    assert decode_state(golden("user.v1.hex")) == USER_V1


def test_user_records_of_version_2_are_read() -> None:
    assert decode_state(golden("user.v2.hex")) == USER_V2


def test_user_records_are_read_and_written_as_in_version_3() -> None:
    assert encode_state(USER_V3) == golden("user.v3.hex")
    assert decode_state(golden("user.v3.hex")) == USER_V3


def test_an_event_that_version_1_had_seen_is_still_a_duplicate() -> None:
    hashed = blake2b(b"e-1", digest_size=8).digest()
    fields = msgspec.msgpack.decode(golden("user.v1.hex")[1:])
    fields[4] = bytes(8) + hashed
    user = decode_state(b"\x01" + msgspec.msgpack.encode(fields))
    assert is_remembered(user.seen, event_hash("e-1"))


def test_drift_windows_are_read_and_written_as_released() -> None:
    stored = golden("drift_window.v1.hex")
    assert drift_window().to_bytes() == stored
    read = Adwin.from_bytes(stored, DriftSettings().adwin())
    assert (read.width, read.to_bytes()) == (37, stored)
    assert read.mean == pytest.approx(drift_window().mean)


def test_values_in_redis_are_written_as_released() -> None:
    assert rec_value(REC_V1) == (GOLDEN / "rec.v1.json").read_bytes().rstrip(b"\n")
    assert profile_value(PROFILE_V1) == (GOLDEN / "profile.v1.json").read_bytes().rstrip(b"\n")


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (b"", "is empty"),
        (b"\x09" + golden("user.v1.hex")[1:], "has version 9; this release reads 1 to 3"),
        (golden("user.v1.hex")[:-4], "of version 1 does not parse"),
        (golden("user.v2.hex")[:-4], "of version 2 does not parse"),
        (golden("user.v3.hex")[:-4], "of version 3 does not parse"),
        (b"\x01\xc0", "of version 1 does not parse"),
        (b"\x01\x90", "of version 1 does not parse"),
    ],
)
def test_a_record_that_cannot_be_read_says_why(stored: bytes, why: str) -> None:
    with pytest.raises(UnreadableState, match=why):
        decode_state(stored)
