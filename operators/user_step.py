"""The user step: everything that one event changes about one user, on one state record.

The answer depends on the user's own accepted events alone: not on a clock, a watermark, a refresh or other
users. So the Flink job, `evaluate` and a replay after a crash give the same record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from operators.affinity import AffinityModel, AffinitySettings
from operators.decayed_counts import add, age_factor, discount
from operators.drift import DriftDetector, DriftSettings
from operators.duplicates import REMEMBERED, event_hash, is_remembered, remember
from operators.item_facts import NOTHING_KNOWN, Catalogue
from operators.item_hash import add_item_hash
from operators.item_step import ItemStep, session_key
from operators.recent_items import before, touch
from operators.sessions import extend_session
from schemas.records import EVENT_TYPES, DriftAlert, Event
from schemas.redis_keys import category_scope, country_scope
from schemas.state import RecentItem, UserState

DAY = 86_400_000

LIST_TYPES = EVENT_TYPES - {"scroll", "impression", "dwell", "consent", "form_submit", "refund"}
"""Event types that can change a list, and so ask for a refresh. A type that is not known changes none."""


@dataclass(frozen=True)
class StepSettings:
    """How one user is followed. Durations are in ms.

    `item_weights` says which event types mean interest in an item, and how much; such an event moves the
    item to the front of the user's recent items and counts for the item statistics. `allowed_lateness` is
    measured against the user's own latest event.
    """

    session_gap: int = 30 * 60_000
    allowed_lateness: int = DAY
    remembered_events: int = REMEMBERED
    counter_half_life: int = 30 * DAY
    most_types: int = 24
    most_categories: int = 24
    recent_items: int = 20
    touched_items: int = 512
    bought_items: int = 512
    previous_items: int = 3
    previous_window: int = DAY
    item_weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "view": 1.0,
            "click": 1.0,
            "like": 2.0,
            "add_to_cart": 3.0,
            "purchase": 5.0,
        }
    )
    affinity: AffinitySettings = AffinitySettings()
    drift: DriftSettings = DriftSettings()


@dataclass(frozen=True)
class StepOutcome:
    """What came of one event.

    `refused` is None for an accepted event, else DUPLICATE or LATE; a refused event changed nothing.
    `step` is what the event adds to the item statistics, `drift` the alert where one was raised,
    `drift_window` the detector's new stored bytes where it was fed (None: unchanged; empty: begin anew).
    """

    refused: str | None = None
    changes_list: bool = False
    step: ItemStep | None = None
    drift: DriftAlert | None = None
    drift_window: bytes | None = None


DUPLICATE = "duplicate"
LATE = "late"
NOTHING_MORE = StepOutcome()
_DUPLICATE = StepOutcome(refused=DUPLICATE)
_LATE = StepOutcome(refused=LATE)


class UserStep:
    """Applies accepted events to user records. Holds nothing of any user itself.

    >>> step = UserStep(StepSettings(), Catalogue())
    >>> user = UserState("pseudonym", born=1_000)
    >>> event = Event(event_id="e1", user_id="ann", type="view", time=1_000, item_id="mug")
    >>> step.update(user, event, None).changes_list, user.n, [r.item_id for r in user.recent]
    (True, 1, ['mug'])
    >>> step.update(user, event, None).refused, user.n
    ('duplicate', 1)
    """

    def __init__(self, settings: StepSettings, catalogue: Catalogue) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._weights = dict(settings.item_weights)
        self.model = AffinityModel(settings.affinity)
        self.detector = DriftDetector(settings.drift)

    def update(self, user: UserState, event: Event, drift_window: bytes | None) -> StepOutcome:
        """Apply one event to `user`, in place.

        `drift_window` is the stored detector of this user; it is only read when `needs_drift_window` says so.
        """
        settings = self._settings
        hashed = event_hash(event.event_id)
        if is_remembered(user.seen, hashed):
            return _DUPLICATE
        time = event.time
        if user.n and time < user.last - settings.allowed_lateness:
            return _LATE
        user.seen = remember(user.seen, hashed, settings.remembered_events)
        user.n += 1
        extend_session(user.session, time, settings.session_gap)
        weight = self._age(user, time)
        kind = event.type
        add(user.types, kind, weight, settings.most_types)
        context = event.context
        if context.device is not None:
            user.device = context.device
        if context.country is not None:
            user.country = context.country
        item_id = event.item_id
        if item_id is None:
            return StepOutcome(changes_list=kind in LIST_TYPES)
        facts = self._catalogue.get(item_id, NOTHING_KNOWN)
        self.model.learn(
            user.affinity,
            facts.category,
            facts.price if facts.price is not None else event.value if kind == "purchase" else None,
            kind,
            event.value,
            event.event_id,
        )
        add(user.categories, facts.category, weight, settings.most_categories)
        alert, window = self._detect(user, time, drift_window)
        return StepOutcome(
            changes_list=kind in LIST_TYPES,
            step=self._item_step(user, event, item_id, facts.category),
            drift=alert,
            drift_window=window,
        )

    def needs_drift_window(self, user: UserState, event: Event) -> bool:
        """Whether `update` may feed the user's drift detector, and so needs its stored window."""
        return event.item_id is not None and len(user.affinity.errors) + 1 >= self._settings.drift.feed_every

    def _age(self, user: UserState, time: int) -> float:
        """Bring the counters to the user's latest time; the weight with which an event at `time` counts."""
        half_life = self._settings.counter_half_life
        if user.n == 1:
            user.last = time
            return 1.0
        elapsed = time - user.last
        if elapsed <= 0:
            return age_factor(-elapsed, half_life)
        factor = age_factor(elapsed, half_life)
        discount(user.types, factor)
        discount(user.categories, factor)
        user.last = time
        return 1.0

    def _detect(
        self, user: UserState, time: int, window: bytes | None
    ) -> tuple[DriftAlert | None, bytes | None]:
        affinity = user.affinity
        if not self.detector.due(affinity):
            return None, None
        stored, detection = self.detector.feed(window, affinity.errors)
        affinity.errors = []
        if detection is None:
            return None, stored or b""
        self.model.recalibrate(affinity, time)
        discount(user.categories, self._settings.affinity.counter_discount)
        alert = DriftAlert(
            uid=user.uid,
            detector=self.detector.name,
            at=time,
            labelled=affinity.labelled,
            error_before=detection.error_before,
            error_after=detection.error_after,
        )
        return alert, stored or b""

    def _item_step(self, user: UserState, event: Event, item_id: str, category: str) -> ItemStep | None:
        settings = self._settings
        interest = self._weights.get(event.type)
        if event.type == "rating" and event.value is not None and event.value >= 4:
            interest = self._weights.get("like")
        if interest is None:
            return None
        previous = before(user.recent, item_id, event.time, settings.previous_window, settings.previous_items)
        touch(user.recent, RecentItem(item_id, event.time, event.type, category), settings.recent_items)
        if event.type == "purchase":
            user.bought = add_item_hash(user.bought, item_id, settings.bought_items)
        else:
            user.touched = add_item_hash(user.touched, item_id, settings.touched_items)
        scopes = ["all"]
        if category != NOTHING_KNOWN.category:
            scopes.append(category_scope(category))
        if user.country is not None:
            scopes.append(country_scope(user.country))
        return ItemStep(
            item=item_id,
            prev=previous,
            scopes=tuple(scopes),
            weight=interest,
            session=session_key(user.uid, user.session.number),
            time=event.time,
        )
