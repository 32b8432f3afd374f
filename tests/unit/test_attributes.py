"""Profile attributes: whom to believe, for how long, and what is refused, whatever the order of arrival."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.attributes import AttributeField, AttributeKeeper, AttributeSettings, BadAttributes
from operators.profile_features import profile_features
from operators.user_step import BAD_ATTRIBUTES, StepSettings, UserStep
from schemas.records import Event
from schemas.state import UserState, decode_state, encode_state

DAY = 86_400_000
SETTINGS = AttributeSettings(
    {
        "tier": AttributeField(sources=("crm", "form"), stale_after=10 * DAY, values=("gold", "blue")),
        "employees": AttributeField(kind="number", low=1, high=1e7),
        "newsletter": AttributeField(kind="bool"),
    }
)


def record(time: int, source: str | None = None, **attributes: str) -> Event:
    named = {"source": source} if source is not None else {}
    return Event(
        event_id=f"{time}-{source}-{attributes}", user_id="ann", type="profile_update", time=time,
        attributes={**attributes, **named},
    )  # fmt: skip


def user_of(*records: Event, settings: AttributeSettings = SETTINGS) -> UserState:
    step, user = (
        UserStep(StepSettings(attributes=settings, allowed_lateness=10_000 * DAY), {}),
        UserState("u", born=0),
    )
    for each in records:
        assert step.update(user, each, None).refused is None
    return user


def value(user: UserState, name: str, now: int) -> float | str | bool | None:
    return AttributeKeeper(SETTINGS).value(user, name, now)


def test_the_more_trusted_source_counts_until_it_is_stale() -> None:
    user = user_of(record(0, "crm", tier="gold"), record(5 * DAY, "form", tier="blue"))
    assert [value(user, "tier", day * DAY) for day in (5, 10, 11, 15, 16)] == [
        "gold", "gold", "blue", "blue", None,
    ]  # fmt: skip


def test_a_value_that_is_cleared_leaves_the_field_to_the_next_source() -> None:
    user = user_of(record(0, "form", tier="blue"), record(1, "crm", tier="gold"), record(2, "crm", tier=" "))
    assert value(user, "tier", 3) == "blue"
    user = user_of(record(0, tier_note="x"), record(2, tier_note=""))
    assert value(user, "tier_note", 3) is None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30), st.sampled_from(["crm", "form"]), st.sampled_from(["gold", "blue", ""]),
            st.integers(1, 9),
        ),
        min_size=1, max_size=12,
    ),
    st.randoms(),
)  # fmt: skip
def test_the_order_of_arrival_decides_nothing(
    told: list[tuple[int, str, str, int]], rng: random.Random
) -> None:
    records = [record(day * DAY, source, tier=tier, employees=str(n)) for day, source, tier, n in told]
    straight, mixed = user_of(*_once(records)), user_of(*_once(rng.sample(records, len(records))))
    assert straight.attributes == mixed.attributes


def _once(records: list[Event]) -> list[Event]:
    return list({each.event_id: each for each in records}.values())


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"employees": "many"}, "attribute 'employees' of source 'app' is no number"),
        ({"employees": "0"}, "attribute 'employees' of source 'app' is not from 1 to 1e\\+07"),
        ({"employees": "nan"}, "is not from 1"),
        ({"newsletter": "perhaps"}, "'newsletter' of source 'app' is no truth value; give true or false"),
        ({"tier": "gold"}, "attribute 'tier' of source 'app' may not be told by this source; crm, form may"),
        ({"tier": "green", "source": "crm"}, "attribute 'tier' of source 'crm' is none of gold, blue"),
        ({"2nd name": "x"}, "a name is 1 to 64 letters"),
        ({"note": "x" * 129}, "attribute 'note' of source 'app' has more than 128 characters"),
        ({f"a{n}": "x" for n in range(32)}, "it holds more than the 32 attributes that a user has at most"),
        ({"source": "s" * 129}, "the name of its source has more than 128 characters"),
    ],
)
def test_a_record_that_cannot_be_believed_is_refused_whole(given: dict[str, str], why: str) -> None:
    event = Event(
        event_id="e", user_id="ann", type="profile_update", time=5, attributes={"fine": "x", **given}
    )
    with pytest.raises(BadAttributes, match=why):
        AttributeKeeper(SETTINGS).parse(event)
    step, user = UserStep(StepSettings(attributes=SETTINGS), {}), UserState("u", born=0)
    before = encode_state(user)
    outcome = step.update(user, event, None)
    assert outcome.refused == BAD_ATTRIBUTES
    assert outcome.bad is not None
    assert encode_state(user) == before


def test_undeclared_attributes_are_kept_as_texts_or_refused() -> None:
    assert value(user_of(record(5, hobby="chess")), "hobby", 9) == "chess"
    strict = AttributeKeeper(AttributeSettings(SETTINGS.fields, undeclared="refuse"))
    with pytest.raises(BadAttributes, match="'hobby' of source 'app' is not declared; declared: employees, "):
        strict.parse(record(5, hobby="chess"))


def test_a_user_has_so_many_attributes_at_most_and_keeps_the_newest() -> None:
    user = user_of(*(record(n, **{f"a{n}": "x"}) for n in range(50)))
    assert sorted(user.attributes) == sorted(f"a{n}" for n in range(18, 50))


def test_attributes_survive_being_stored_with_their_kinds() -> None:
    user = user_of(record(5, employees="250", newsletter="yes", hobby="chess"))
    again = decode_state(encode_state(user))
    values = AttributeKeeper(SETTINGS).values(again, 9)
    assert values == {"employees": 250.0, "hobby": "chess", "newsletter": True}


def test_declared_attributes_are_features() -> None:
    features = profile_features(StepSettings(attributes=SETTINGS))
    user = user_of(record(5, "crm", tier="gold"), record(6, employees="250", newsletter="no"))
    declared = [features[f"attribute.{name}"] for name in SETTINGS.fields]
    assert [(each.kind, each.read(user, 9)) for each in declared] == [
        ("text", "gold"),
        ("number", 250.0),
        ("bool", False),
    ]
    assert features["attribute.tier"].moves


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: AttributeField(sources=("crm", "crm")), "each may be named once"),
        (lambda: AttributeField(stale_after=0), "stale_after is 0; it must be at least 1 ms"),
        (lambda: AttributeField(kind="number", low=5, high=1), "low is 5 and high 1"),
        (lambda: AttributeField(kind="bool", values=("a",)), "values are for a text; the kind is bool"),
        (lambda: AttributeSettings({"source": AttributeField()}), "fields.source: a name is"),
        (lambda: AttributeSettings(most=0), "most is 0; it must be at least 1"),
    ],
)
def test_declarations_that_contradict_themselves_are_refused(make: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()  # type: ignore[operator]
