"""Profile features made again from the lake are those of the stream: every one, after every event."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.lake_files import SCHEMA, LakeFolder
from operators.affinity import AffinitySettings
from operators.attributes import AttributeField, AttributeSettings
from operators.feature import FeatureValue
from operators.following import Following, FollowingSettings
from operators.item_facts import Catalogue, ItemFacts
from operators.lake_row import LakeRows, LakeSettings
from operators.persona import Persona, PersonaArithmetic, PersonaModel
from operators.persona_vector import DIMENSIONS
from operators.profile_features import profile_features
from operators.user_step import StepSettings
from schemas.records import EVENT_TYPES, Context, Event
from schemas.state import UserState, decode_state, encode_state
from schemas.traffic_state import kind_of
from tests.unit.test_lake import row_of

MINUTE = 60_000
DAY = 1_440 * MINUTE
BEGIN = 1_700_000_000_000
LATER = (0, MINUTE, 45 * DAY)
"""How long after an event its features are read, in ms: some move with the time alone."""

CATALOGUE: Catalogue = {f"i{n}": ItemFacts(f"Department {n % 4}", 2.0 + n) for n in range(8)}
TYPES = [*sorted(EVENT_TYPES - {"forget"}), "own type"]
STEP = StepSettings(
    affinity=AffinitySettings(warm_up=4),
    attributes=AttributeSettings(
        {
            "tier": AttributeField(),
            "employees": AttributeField(kind="number", sources=("crm", "app"), stale_after=30 * DAY),
            "member": AttributeField(kind="bool"),
        }
    ),
)
FEATURES = profile_features(STEP)
OUTLAY = FollowingSettings(step=STEP)
Values = dict[str, FeatureValue]


def personas() -> PersonaModel:
    """Two personas, told apart by how much of the vector is above the mean."""
    size = len(DIMENSIONS)
    made = PersonaArithmetic(
        mean=np.full(size, 0.5),
        scale=np.ones(size),
        limit=3.0,
        centre=np.zeros(size),
        components=np.eye(size),
        centroids=np.array([np.full(size, -0.5), np.full(size, 0.5)]),
        metric="euclidean",
    )
    named = [Persona(id=f"p{k}", name=f"p{k}", traits=(), users=1, share=0.5, means={}) for k in (0, 1)]
    return PersonaModel("shop/1", named, made)


class Followers:
    """Users followed as the job does it: only stored bytes between two events."""

    def __init__(self) -> None:
        self._following = Following(OUTLAY, CATALOGUE)
        self._following.use_personas(personas())
        self.users: dict[str, bytes] = {}
        self.windows: dict[str, bytes] = {}
        self.seen: dict[str, list[list[Values]]] = {}
        self.refused: set[str] = set()

    def take(self, name: str, event: Event) -> tuple[UserState, str | None] | None:
        """Follow an event; the record after it and the kind of traffic, None where it was refused."""
        stored = self.users.get(name)
        user = UserState(name, born=BEGIN, lake_id=name.encode()) if stored is None else decode_state(stored)
        followed = self._following.update(user, event, self.windows.get(name))
        if followed.outcome.refused is not None:
            self.refused.add(followed.outcome.refused)
            return None
        if followed.outcome.drift_window is not None:
            self.windows[name] = followed.outcome.drift_window
        self.users[name] = encode_state(user)
        read = [
            {key: each.read(user, user.last + after) for key, each in FEATURES.items()} for after in LATER
        ]
        self.seen.setdefault(name, []).append(read)
        return user, kind_of(followed.verdict.marks)


def name_of(number: int) -> str:
    """A user's name, as long as a lake's id."""
    return f"user-{number:07d}"


def there_and_back(
    events: Sequence[Event], shuffle: Callable[[list[Any]], None]
) -> tuple[Followers, Followers]:
    """The users as they were followed, and as they are when the lake is read again."""
    stream, again, rows = Followers(), Followers(), LakeRows(LakeSettings())
    days: dict[str, list[dict[str, Any]]] = {}
    tagged = set()
    for event in events:
        taken = stream.take(event.user_id, event)
        if taken is None:
            continue
        user, traffic = taken
        if traffic is not None:
            tagged.add(event.user_id)
        cells = rows.cells(event, user, user.consent, traffic)
        assert cells is not None
        days.setdefault(pd.Timestamp(user.last, unit="ms").strftime("%Y-%m-%d"), []).append(row_of(cells))
    for name in tagged:  # whose rows are left out
        del stream.seen[name]
    with tempfile.TemporaryDirectory() as folder:
        for day, held in days.items():
            shuffle(held)
            place = Path(folder) / f"day={day}"
            place.mkdir()
            for number in (0, 1):
                pq.write_table(pa.Table.from_pylist(held[number::2], SCHEMA), place / f"part-{number}")
        for event in LakeFolder.open(Path(folder)).events() if days else ():
            name = bytes.fromhex(event.user_id).decode()
            if name not in tagged:
                assert again.take(name, event) is not None
    return stream, again


EVENT = st.builds(
    Event,
    event_id=st.just(""), time=st.just(0),
    user_id=st.integers(0, 2).map(name_of),
    type=st.sampled_from(TYPES),
    item_id=st.none() | st.sampled_from([*CATALOGUE, "unknown"]),
    value=st.none() | st.floats(0, 50),
    quantity=st.none() | st.integers(1, 5).map(float),
    order_id=st.none() | st.sampled_from("ABC"),
    context=st.builds(
        Context, device=st.sampled_from([None, "mobile", "tv"]), country=st.sampled_from([None, "GB", "DE"])
    ),
    attributes=st.sampled_from([
        {}, {"tier": "gold", "source": "crm"}, {"employees": "250", "member": "yes"},
        {"employees": "40", "source": "crm"}, {"employees": ""}, {"employees": "many"},
    ]),
)  # fmt: skip
PACE = st.sampled_from([0, 1, 1_000, 5 * MINUTE, 40 * MINUTE, DAY, 20 * DAY])
LATE = st.sampled_from([0, 0, 0, 0, MINUTE, 60 * MINUTE, DAY - 1, DAY + 1])
SENT_AGAIN = st.sampled_from([0, 0, 0, 0, 0, 1, 3])


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Events of three users; some come late, some too late, some again, at once or after others."""
    made: list[Event] = []
    now = BEGIN
    for number, (event, pace, late, back) in enumerate(
        draw(st.lists(st.tuples(EVENT, PACE, LATE, SENT_AGAIN), min_size=1, max_size=60))
    ):
        now += pace
        made.append(changed(event, f"e{number}", now - late))
        if back:
            made.append(made[-min(back, len(made))])
    return made


def changed(event: Event, event_id: str, time: int) -> Event:
    """The event at another time, under another id."""
    return Event(**{**{name: getattr(event, name) for name in event.__struct_fields__},
                    "event_id": event_id, "time": time})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(streams(), st.randoms(use_true_random=False))
def test_features_made_again_from_the_lake_are_those_of_the_stream(
    events: list[Event], chance: random.Random
) -> None:
    stream, again = there_and_back(events, chance.shuffle)
    assert again.seen == stream.seen


def long_stream() -> list[Event]:
    """Two thousand events of four users, whose taste changes halfway."""
    rng = random.Random(11)
    made: list[Event] = []
    now = BEGIN
    for number in range(2_000):
        now += rng.choice((1_000, 30_000, 5 * MINUTE, 40 * MINUTE))
        kind = rng.choice([*TYPES, *["view", "like", "dislike"] * 8])
        taken = rng.randrange(8)
        if kind in ("like", "dislike"):
            kind = "like" if (taken % 4 < 2) == (number < 1_000) else "dislike"
        value = {"rating": 4.0, "dwell": 30.5, "scroll": 0.7, "purchase": 3.0}.get(kind)
        attributes = {"profile_update": {"tier": "gold", "employees": "250", "member": "yes"}}.get(kind, {})
        late = rng.choice((0, 0, 0, 0, 5 * MINUTE, 600 * MINUTE, 2 * DAY))
        made.append(
            Event(
                event_id=f"e{number}", user_id=name_of(rng.randrange(4)), type=kind, time=now - late,
                item_id=f"i{taken}", value=value, attributes=attributes,
                context=Context(device=rng.choice((None, "mobile", "tv")), country=rng.choice((None, "GB"))),
            )
        )  # fmt: skip
        if rng.random() < 0.1:
            made.append(made[-rng.randrange(1, min(len(made), 40) + 1)])
    return made


def test_no_feature_is_left_out_of_the_comparison() -> None:
    stream, again = there_and_back(long_stream(), random.Random(3).shuffle)
    assert again.seen == stream.seen
    assert stream.refused >= {"duplicate", "late"}
    seen = [values for read in stream.seen.values() for after in read for values in after]
    still = [name for name in FEATURES if len({values[name] for values in seen}) < 2]
    assert still == []
