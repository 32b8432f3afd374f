"""One definition of every profile feature: documented, typed, and the same in the stream and in a replay."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from operators.feature import EVERY_TYPE, Feature, FeatureValue, Kind
from operators.item_facts import ItemFacts
from operators.profile import SHOWN_FEATURES
from operators.profile_features import FEATURES
from operators.user_step import StepSettings, UserStep
from operators.view_sequence import last_categories, last_items
from schemas.records import EVENT_TYPES, Context, Event
from schemas.state import RecentItem, UserState, decode_state, encode_state

PAGE = Path(__file__).parents[2] / "docs" / "profile.md"
HOUR = 3_600_000
BEGIN = 1_700_000_000_000
CATALOGUE = {f"item-{n}": ItemFacts(f"Department {n % 3}", 2.0 + n) for n in range(12)}
TYPES = [*sorted(EVENT_TYPES - {"forget"}), "own type"]
PYTHON_KIND = {Kind.NUMBER: float, Kind.TEXT: str, Kind.BOOL: bool}

EVENTS = st.lists(
    st.builds(
        Event,
        event_id=st.integers(0, 200).map(str),
        user_id=st.just("ann"),
        type=st.sampled_from(TYPES),
        time=st.integers(0, 40 * 24 * 60).map(lambda minute: BEGIN + minute * 60_000),
        item_id=st.none() | st.sampled_from(sorted(CATALOGUE)),
        value=st.none() | st.integers(0, 50).map(lambda tenth: tenth / 10),
        order_id=st.none() | st.sampled_from("ABC"),
        context=st.builds(Context, device=st.sampled_from([None, "mobile", "tv"])),
        attributes=st.just({}) | st.just({"tier": "gold", "source": "crm"}),
    ),
    max_size=60,
)


def values(user: UserState, now: int) -> dict[str, FeatureValue]:
    return {name: feature.read(user, now) for name, feature in FEATURES.items()}


def streamed(events: list[Event]) -> tuple[UserState, list[Event], list[dict[str, FeatureValue]]]:
    """A user followed as the job does it: only stored bytes between two events. And the events accepted."""
    step = UserStep(StepSettings(), CATALOGUE)
    user, accepted, seen = UserState("u", born=BEGIN), [], []
    for event in events:
        user = decode_state(encode_state(user))
        if step.update(user, event, None).refused is None:
            accepted.append(event)
            seen.append(values(user, user.last))
    return user, accepted, seen


@given(EVENTS)
def test_features_of_replayed_events_are_those_of_the_stream(events: list[Event]) -> None:
    _, accepted, seen = streamed(events)
    step, again = UserStep(StepSettings(), CATALOGUE), UserState("another pseudonym", born=BEGIN)
    for event, then in zip(accepted, seen, strict=True):
        assert step.update(again, event, None).refused is None
        assert values(again, again.last) == then


@given(EVENTS, st.integers(0, 400))
def test_every_value_is_of_its_kind_and_reading_changes_nothing(events: list[Event], days: int) -> None:
    user, _, _ = streamed(events)
    before = encode_state(user)
    for now in (user.last, user.last + days * 24 * HOUR):
        for name, value in values(user, now).items():
            assert value is None or type(value) is PYTHON_KIND[FEATURES[name].kind], name
    assert encode_state(user) == before


@given(EVENTS)
def test_a_feature_changes_by_the_types_that_it_names_alone(events: list[Event]) -> None:
    step, user = UserStep(StepSettings(), CATALOGUE), UserState("u", born=BEGIN)
    for event in events:
        now = max(user.last, event.time)
        before = values(user, now)
        if step.update(user, event, None).refused is not None:
            continue
        for name, value in values(user, now).items():
            feature = FEATURES[name]
            if value != before[name] and not close(value, before[name]):
                assert feature.is_touched_by(event.type), (name, event.type)


@given(EVENTS, st.integers(1, 400))
def test_only_features_that_move_change_with_the_time_alone(events: list[Event], days: int) -> None:
    user, _, _ = streamed(events)
    now, later = values(user, user.last), values(user, user.last + days * 24 * HOUR)
    assert all(FEATURES[name].moves for name in FEATURES if now[name] != later[name])


def close(a: FeatureValue, b: FeatureValue) -> bool:
    """Equal but for the rounding of 32-bit sums when their landmark moves on."""
    return isinstance(a, float) and isinstance(b, float) and abs(a - b) <= 1e-5 * max(abs(a), abs(b))


def row(feature: Feature) -> str:
    touched = "any event" if feature.touched_by is EVERY_TYPE else ", ".join(sorted(feature.touched_by))
    kind = feature.unit or feature.kind.value
    return f"| `{feature.name}` | {kind} | {feature.meaning}{' *(moves)*' if feature.moves else ''} | {touched} |"


def test_every_feature_is_documented_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [row(feature) for feature in FEATURES.values() if row(feature) not in page] == []


def test_the_profile_shows_features_that_there_are() -> None:
    assert set(SHOWN_FEATURES) <= set(FEATURES)


def test_the_sequence_of_items_and_categories_is_newest_first() -> None:
    rng = random.Random(1)
    recent = [RecentItem.of(f"i{n}", n, "view", rng.choice(["Toys", "?"])) for n in range(20)]
    user = UserState("u", born=0, recent=recent)
    assert last_items(user, 3) == ["i19", "i18", "i17"]
    assert len(last_items(user, 50)) == 20
    assert last_categories(user, 5) == ["Toys"]
