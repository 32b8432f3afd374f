"""The profile features: the one definition that segment rules, ranking, training and the profile key read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp
from types import MappingProxyType

from operators import habits as kept
from operators.attributes import attribute_features
from operators.feature import EVERY_TYPE, Feature, FeatureValue, Kind
from operators.feedback import feedback_of
from operators.habit_cells import amount
from operators.habit_reading import DAYPART_NAMES, HabitReading
from operators.orders import last_order
from operators.sessions import is_over
from operators.user_step import StepSettings
from operators.view_sequence import category_variety, last_categories, last_items
from schemas.state import UserState

_DAY = 86_400_000
_WEEK = 7 * _DAY
_MONTH = 30 * _DAY
_MINUTE_S = 60.0

_PURCHASE = frozenset({"purchase"})
_DWELL = frozenset({"dwell"})
_SCROLL = frozenset({"scroll"})
_THUMBS = frozenset({"like", "dislike"})
_RATING = frozenset({"rating"})

Read = Callable[[UserState, int], FeatureValue]


def profile_features(settings: StepSettings) -> Mapping[str, Feature]:
    """Every profile feature by name, for users followed with `settings`; those of declared attributes included.

    >>> features = profile_features(StepSettings())
    >>> features["session.depth"].read(UserState("u", born=0), 0)
    0.0
    >>> features["rating_average"].read(UserState("u", born=0), 0) is None
    True
    """
    reading = HabitReading(kept.HabitKeeper(settings.habits), settings.session_gap)
    features = [
        *_session_features(settings.session_gap),
        *_habit_features(reading),
        *_shopping_features(reading),
        *_user_features(),
        *attribute_features(settings.attributes),
    ]
    return MappingProxyType({feature.name: feature for feature in features})


def _session_features(gap: int) -> list[Feature]:
    def duration(user: UserState, now: int) -> float:
        return (user.session.last - user.session.start) / 1_000

    return [
        _number("session.number", "sessions", "which session the latest is, counted from 1",
                EVERY_TYPE, lambda user, now: float(user.session.number)),
        _number("session.depth", "events", "events of the latest session",
                EVERY_TYPE, lambda user, now: float(user.session.depth)),
        _number("session.duration", "s", "from the first to the last event of the latest session",
                EVERY_TYPE, duration),
        _number("session.pace", "events/min", "events of the latest session per minute, over a minute at least",
                EVERY_TYPE,
                lambda user, now: user.session.depth / max(duration(user, now) / _MINUTE_S, 1.0)),
        Feature("session.active", Kind.BOOL, "", "whether the latest session is going on",
                EVERY_TYPE,
                lambda user, now: user.session.number > 0 and not is_over(user.session, now, gap), moves=True),
        Feature("session.cart", Kind.BOOL, "",
                "whether something was put into the cart in the latest session, and nothing bought",
                EVERY_TYPE, lambda user, now: user.habits.cart == kept.IN_CART),
        Feature("session.bought", Kind.BOOL, "", "whether something was bought in the latest session",
                EVERY_TYPE, lambda user, now: bool(user.habits.cart & kept.BOUGHT)),
    ]  # fmt: skip


def _habit_features(reading: HabitReading) -> list[Feature]:
    shares = [
        _number(f"{name}_share", "", f"share of sessions that begin in the {name}, {6 * k} to {6 * k + 6} o'clock",
                EVERY_TYPE, reading.daypart_share(k))
        for k, name in enumerate(DAYPART_NAMES)
    ]  # fmt: skip
    return [
        _number("sessions_per_week", "sessions/week", "how often the user comes",
                EVERY_TYPE, lambda user, now: reading.sessions_per(user, now, _WEEK), moves=True),
        _number("session_depth_average", "events", "mean events of sessions that are over",
                EVERY_TYPE, reading.session_mean(kept.SESSION_EVENTS), moves=True),
        _number("session_duration_average", "s", "mean duration of sessions that are over",
                EVERY_TYPE, reading.session_mean(kept.SESSION_SECONDS), moves=True),
        _number("usual_hour", "h", "hour of the day, with fraction, around which most sessions begin",
                EVERY_TYPE, reading.usual_hour),
        Feature("usual_daypart", Kind.TEXT, "", f"when most sessions begin: {', '.join(DAYPART_NAMES)}",
                EVERY_TYPE, reading.usual_daypart),
        *shares,
        _number("weekend_share", "", "share of sessions that begin on a Saturday or Sunday",
                EVERY_TYPE, reading.weekend_share),
        Feature("usual_device", Kind.TEXT, "", f"the device of most sessions: {', '.join(kept.DEVICES)}",
                EVERY_TYPE, reading.usual_device),
        _number("dwell_average", "s", "mean seconds of dwell events",
                _DWELL, _mean(kept.DWELL_SECONDS, kept.DWELLS)),
        _number("scroll_depth", "", "mean fraction seen, 0 to 1, of scroll events",
                _SCROLL, _mean(kept.SCROLLED, kept.SCROLLS)),
    ]  # fmt: skip


def _shopping_features(reading: HabitReading) -> list[Feature]:
    def days_since_order(user: UserState, now: int) -> float | None:
        last = last_order(user.habits.orders)
        return None if last is None else max(now - last * 1_000, 0) / _DAY

    def price_level(user: UserState, now: int) -> float | None:
        scale = user.affinity.price
        return exp(scale.mean) if scale.count else None

    return [
        _number("purchase_velocity", "orders/30 days", "how often the user orders",
                _PURCHASE, lambda user, now: reading.rate(user, kept.ORDERS, now, _MONTH), moves=True),
        _number("order_value", "currency", "mean value of an order",
                _PURCHASE, _mean(kept.SPENT, kept.ORDERS)),
        _number("days_since_order", "days", "since the latest order", _PURCHASE, days_since_order, moves=True),
        _number("discount_average", "", "mean share by which prices paid lay below the catalogue's",
                _PURCHASE, _mean(kept.DISCOUNT, kept.DISCOUNTED_LINES)),
        _number("cart_abandonment", "",
                "share of sessions with something put into the cart that end without a purchase",
                EVERY_TYPE, reading.cart_abandonment, moves=True),
        _number("price_level", "currency", "geometric mean price of the items that the user takes to",
                EVERY_TYPE, price_level),
        _number("likes", "items", "items whose latest opinion is a like, of the last 32 opinions",
                _THUMBS | _RATING, lambda user, now: float(feedback_of(user.habits.opinions).likes)),
        _number("dislikes", "items", "items whose latest opinion is a dislike, of the last 32 opinions",
                _THUMBS | _RATING, lambda user, now: float(feedback_of(user.habits.opinions).dislikes)),
        _number("ratings", "items", "items rated, of the last 32 opinions",
                _THUMBS | _RATING, lambda user, now: float(feedback_of(user.habits.opinions).ratings)),
        _number("rating_average", "stars", "mean of the latest rating of each item",
                _THUMBS | _RATING, lambda user, now: feedback_of(user.habits.opinions).rating_average),
    ]  # fmt: skip


def _user_features() -> list[Feature]:
    return [
        _number("events", "events", "accepted events", EVERY_TYPE, lambda user, now: float(user.n)),
        _number("age_days", "days", "since the first event",
                EVERY_TYPE, lambda user, now: max(now - user.habits.since * 1_000, 0) / _DAY, moves=True),
        _number("idle_days", "days", "since the latest event",
                EVERY_TYPE, lambda user, now: max(now - user.last, 0) / _DAY, moves=True),
        Feature("country", Kind.TEXT, "", "the latest country, ISO 3166-1",
                EVERY_TYPE, lambda user, now: user.country),
        Feature("device", Kind.TEXT, "", "the latest device", EVERY_TYPE, lambda user, now: user.device),
        Feature("persona", Kind.TEXT, "", "the group of alike users",
                EVERY_TYPE, lambda user, now: user.persona),
        Feature("last_item", Kind.TEXT, "", "the item touched last",
                EVERY_TYPE, lambda user, now: next(iter(last_items(user, 1)), None)),
        Feature("last_category", Kind.TEXT, "", "the latest known category",
                EVERY_TYPE, lambda user, now: next(iter(last_categories(user, 1)), None)),
        Feature("category_before", Kind.TEXT, "", "the known category before `last_category`",
                EVERY_TYPE, lambda user, now: next(iter(last_categories(user, 2)[1:]), None)),
        _number("category_variety", "categories", "known categories among the recent items",
                EVERY_TYPE, lambda user, now: float(category_variety(user))),
        _number("drifts", "", "how often a change of taste was seen",
                EVERY_TYPE, lambda user, now: float(user.affinity.drifts)),
    ]  # fmt: skip


def _number(
    name: str, unit: str, meaning: str, touched_by: frozenset[str], read: Read, *, moves: bool = False
) -> Feature:
    return Feature(name, Kind.NUMBER, unit, meaning, touched_by, read, moves)


def _mean(total: int, count: int) -> Read:
    def read(user: UserState, now: int) -> float | None:
        cells = user.habits.cells
        counted = amount(cells, count)
        return amount(cells, total) / counted if counted > 0.0 else None

    return read


FEATURES: Mapping[str, Feature] = profile_features(StepSettings())
"""The features of users followed with the default settings."""
