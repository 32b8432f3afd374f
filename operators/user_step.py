"""The user step: everything that one event changes about one user, on one state record.

The answer depends on the user's own accepted events alone: not on a clock, a watermark, a refresh or other
users. So the Flink job, `evaluate` and a replay after a crash give the same record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from operators.affinity import AffinityModel, AffinitySettings
from operators.attributes import AttributeKeeper, AttributeSettings, BadAttributes
from operators.basket import CART_TYPES, follow_cart
from operators.bought_items import buy
from operators.calibration import CalibrationSettings
from operators.consent import consent_after
from operators.decayed_counts import add, age_factor, discount
from operators.drift import DriftDetector, DriftSettings
from operators.duplicates import REMEMBERED, event_hash, is_remembered, remember
from operators.habits import TYPES as HABIT_TYPES
from operators.habits import HabitKeeper, HabitSettings
from operators.item_facts import NOTHING_KNOWN, Catalogue
from operators.item_hash import HASH_BYTES, add_item_hash, has_item_hash
from operators.item_step import ItemStep, Purchase, areas_of, session_key
from operators.order_lines import add_line, lines_of, mates_of, viewed_before
from operators.pooled_drift import PooledDriftSettings, PooledError, pooled_error
from operators.recent_items import before, touch
from operators.sessions import extend_session, is_over
from schemas.reason import Reason
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
    measured against the user's own latest event. A purchase goes with up to `order_items` lines of its order and
    `viewed_items` items looked at within `previous_window`; 0 switches that off. `calibration` is for
    those who show affinities.
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
    basket_items: int = 10
    previous_items: int = 3
    previous_window: int = DAY
    order_items: int = 5
    viewed_items: int = 3
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
    calibration: CalibrationSettings = CalibrationSettings()
    drift: DriftSettings = DriftSettings()
    pooled: PooledDriftSettings = PooledDriftSettings()
    habits: HabitSettings = HabitSettings()
    attributes: AttributeSettings = AttributeSettings()


@dataclass(frozen=True)
class StepOutcome:
    """What came of one event.

    `refused` is None for an accepted event, else DUPLICATE, LATE or BAD_ATTRIBUTES, and `bad` then says
    which attribute breaks which rule; a refused event changed nothing.
    `step` is what the event adds to the item statistics, `drift` the alert where one was raised,
    `drift_window` the detector's new stored bytes where it was fed (None: unchanged; empty: begin anew).
    `error` is the prediction error of a labelled event, `pooled` what it is to a pool of users.
    """

    refused: str | None = None
    bad: BadAttributes | None = None
    changes_list: bool = False
    step: ItemStep | None = None
    drift: DriftAlert | None = None
    drift_window: bytes | None = None
    error: float | None = None
    pooled: PooledError | None = None


DUPLICATE = "duplicate"
LATE = "late"
BAD_ATTRIBUTES = Reason.BAD_ATTRIBUTES.value
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
        self._habits = HabitKeeper(settings.habits)
        self._attributes = AttributeKeeper(settings.attributes)

    def update(self, user: UserState, event: Event, drift_window: bytes | None) -> StepOutcome:
        """Apply one event to `user`, in place.

        `drift_window` is the stored detector of this user; it is only read when `needs_drift_window` says so.
        """
        return self.refusal(user, event) or self.apply(user, event, drift_window)

    def refusal(self, user: UserState, event: Event) -> StepOutcome | None:
        """Why an event is not to be applied to `user`; None where it is."""
        if is_remembered(user.seen, event_hash(event.event_id)):
            return _DUPLICATE
        if user.n and event.time < user.last - self._settings.allowed_lateness:
            return _LATE
        if event.type == "profile_update":
            try:
                self._attributes.parse(event)
            except BadAttributes as why:
                return StepOutcome(refused=BAD_ATTRIBUTES, bad=why)
        return None

    def apply(self, user: UserState, event: Event, drift_window: bytes | None) -> StepOutcome:
        """Apply an event that `refusal` has nothing against."""
        settings = self._settings
        time = event.time
        kind = event.type
        if kind == "profile_update":
            self._attributes.update(user, self._attributes.parse(event))
        elif kind == "consent":
            user.consent = consent_after(user.consent, event.attributes)
        user.seen = remember(user.seen, event_hash(event.event_id), settings.remembered_events)
        user.n += 1
        self._follow_session(user, time)
        weight = self._age(user, time)
        add(user.types, kind, weight, settings.most_types)
        context = event.context
        if context.device is not None:
            user.device = context.device
        if context.country is not None:
            user.country = context.country
        item_id = event.item_id
        facts = self._catalogue.get(item_id, NOTHING_KNOWN) if item_id is not None else NOTHING_KNOWN
        if kind in HABIT_TYPES:
            in_session = time >= user.session.start
            self._habits.update(user.habits, event, facts.price, in_session=in_session)
        if item_id is None:
            return StepOutcome(changes_list=kind in LIST_TYPES)
        if kind in CART_TYPES:
            follow_cart(user.basket, item_id, kind, time, settings.basket_items)
        error = self.model.learn(
            user.affinity,
            facts.category,
            facts.price if facts.price is not None else event.value if kind == "purchase" else None,
            kind,
            event.value,
            event.event_id,
        )
        if error is not None and self._is_familiar(user, event, item_id):
            self.detector.soften(user.affinity)
        add(user.categories, facts.category, weight, settings.most_categories)
        alert, window = self._detect(user, time, drift_window)
        return StepOutcome(
            changes_list=kind in LIST_TYPES,
            step=self._item_step(user, event, item_id, facts.category),
            drift=alert,
            drift_window=window,
            error=error,
            pooled=None if error is None else pooled_error(user, error, time, settings.pooled),
        )

    def needs_drift_window(self, user: UserState, event: Event) -> bool:
        """Whether `update` may feed the user's drift detector, and so needs its stored window."""
        return event.item_id is not None and len(user.affinity.errors) + 1 >= self._settings.drift.feed_every

    def _is_familiar(self, user: UserState, event: Event, item_id: str) -> bool:
        """Whether an engaging event is about an item that the user touched before."""
        return self.model.label(event.type, event.value) > 0 and (
            has_item_hash(user.touched, item_id) or has_item_hash(user.bought, item_id)
        )

    def _follow_session(self, user: UserState, time: int) -> None:
        session, habits, gap = user.session, user.habits, self._settings.session_gap
        if session.number == 0:
            self._habits.begin(habits, time)
        elif is_over(session, time, gap):
            self._habits.session_over(habits, session, user.device)
        elif time < habits.since * 1_000:
            habits.since = time // 1_000
        extend_session(session, time, gap)

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
        in_category = category_scope(category) if category != NOTHING_KNOWN.category else None
        purchase = self._purchase(user, event, item_id, in_category) if event.type == "purchase" else None
        touch(user.recent, RecentItem.of(item_id, event.time, event.type, category), settings.recent_items)
        if purchase is None:
            user.touched = add_item_hash(user.touched, item_id, settings.touched_items)
        scopes = ["all"]
        if in_category is not None:
            scopes.append(in_category)
        if user.country is not None:
            scopes.append(country_scope(user.country))
        return ItemStep(
            item=item_id,
            prev=tuple(item for item, _ in previous),
            apart=tuple(apart for _, apart in previous),
            scopes=tuple(scopes),
            weight=interest,
            session=session_key(user.uid, user.session.number),
            time=event.time,
            purchase=purchase,
        )

    def _purchase(self, user: UserState, event: Event, item_id: str, in_category: str | None) -> Purchase:
        """What the purchase of an item says; call it before the item is put among the recent ones."""
        settings = self._settings
        lines = lines_of(user.order, event.order_id)
        mates = mates_of(user.recent, user.bought, lines, item_id, settings.order_items)
        again = lines > 0 and has_item_hash(user.bought[-lines * HASH_BYTES :], item_id)
        user.order = add_line(user.order, event.order_id, again)
        user.bought, user.bought_days, days = buy(
            user.bought, user.bought_days, item_id, event.time // DAY, settings.bought_items
        )
        return Purchase(
            mates=mates,
            viewed=viewed_before(
                user.recent, item_id, event.time, settings.previous_window, settings.viewed_items
            ),
            days=days,
            areas=areas_of(item_id, in_category),
        )
