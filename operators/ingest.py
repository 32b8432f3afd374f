"""From the bytes of a message to an event that can be used, or to the reason why it cannot.

What one event is worth depends on that event, its Kafka record's timestamp and configuration alone: so a
replay accepts and rejects the same. Lateness is not judged here but against the user's own latest event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from operators.canonical_codes import canonical_country, canonical_device, canonical_type
from operators.dead_letters import Rejected
from operators.ingest_settings import ANY_NUMBER, VALUES, IngestSettings, Range
from operators.item_ids import ItemIds
from operators.outliers import ANY_CATEGORY, Limits
from schemas.identifiers import canonical_id
from schemas.reason import Reason, UndecodableRecord
from schemas.records import EVENT_TYPES, NO_CONTEXT, Context, Event
from schemas.schema_book import SchemaBook

_LONGEST_TYPE = 64


class _TypeRule(msgspec.Struct, frozen=True):
    needs_item: bool
    needs_value: bool
    value: Range
    priced: bool


class Ingest:
    """Decodes, validates and cleans. `category_of` gives an item's category, for the outlier limits.

    >>> from schemas.codec import encode_event
    >>> ingest = Ingest(IngestSettings(), SchemaBook())
    >>> view = Event(event_id="e1", user_id=" ann ", type="View", time=1_700_000_000_000, item_id="mug")
    >>> accepted = ingest.accept(encode_event(view), record_time=1_700_000_000_000, now=1_700_000_000_000)
    >>> accepted.user_id, accepted.type
    ('ann', 'view')
    >>> ingest.accept(b"garbage", record_time=0, now=0).reason.value
    'not_avro'
    """

    def __init__(
        self,
        settings: IngestSettings,
        book: SchemaBook,
        category_of: Callable[[str], str] = lambda item_id: "?",
    ) -> None:
        self._decode = book.decode_event
        self._category_of = category_of
        self._future = settings.future
        self._earliest = settings.earliest
        self._longest_id = settings.longest_id
        self._quantity = settings.quantity
        self._prices: Limits = settings.limits.price
        self._quantities: Limits = settings.limits.quantity
        self._ids = ItemIds(settings.item_case, settings.item_pattern)
        values = {**VALUES, **settings.values}
        named = settings.item_types | settings.value_types | settings.price_types
        self._rules = {
            kind: _TypeRule(
                kind in settings.item_types,
                kind in settings.value_types,
                values.get(kind, ANY_NUMBER),
                kind in settings.price_types,
            )
            for kind in EVENT_TYPES | named | values.keys()
        }
        self._unruled = _TypeRule(False, False, ANY_NUMBER, False)

    def accept(self, message: bytes, record_time: int, now: int) -> Event | Rejected:
        """The cleaned event of one message, or why there is none. Never raises for what a message may hold.

        `record_time` is the timestamp of the Kafka record in ms; `now`, the wall clock, stands in for it only
        where the record has none (negative), since a replay has to come to the same result.
        """
        try:
            event = self._decode(message)
        except UndecodableRecord as error:
            return Rejected(error.reason, error.detail)
        return self.check(event, record_time if record_time >= 0 else now)

    def check(self, event: Event, record_time: int) -> Event | Rejected:
        """The cleaned event, or why it cannot be used. For events that were not decoded from a message."""
        kind = canonical_type(event.type)
        user_id = canonical_id(event.user_id)
        if not (kind and user_id and event.event_id.strip()):
            return _missing("type" if not kind else "user_id" if not user_id else "event_id", kind)
        if not self._earliest <= event.time <= record_time + self._future:
            return self._implausible(event.time, record_time)
        longest = self._longest_id
        if len(user_id) > longest or len(event.event_id) > longest or len(kind) > _LONGEST_TYPE:
            return Rejected(Reason.OUT_OF_RANGE, f"an id of more than {longest} characters, or a type of 64")
        rule = self._rules.get(kind, self._unruled)
        item_id = event.item_id
        if item_id is not None:
            item_id = self._ids.canonical(item_id)
            if item_id is not None:
                if len(item_id) > longest:
                    return Rejected(Reason.OUT_OF_RANGE, f"item_id of more than {longest} characters")
                if not self._ids.is_product(item_id):
                    return Rejected(
                        Reason.NOT_A_PRODUCT, f"item_id {item_id!r} is not written as a product's"
                    )
        if item_id is None and rule.needs_item:
            return _missing("item_id", kind)
        if event.value is not None or event.quantity is not None or rule.needs_value:
            rejected = self._numbers(event, kind, rule, item_id)
            if rejected is not None:
                return rejected
        if event.position is not None and event.position < 0:
            return Rejected(Reason.OUT_OF_RANGE, f"position {event.position}: it counts from 0")
        changed = self._changes(event, kind, user_id, item_id)
        return msgspec.structs.replace(event, **changed) if changed else event

    def _changes(self, event: Event, kind: str, user_id: str, item_id: str | None) -> dict[str, Any]:
        """What the cleaned event has otherwise than the sent one."""
        changed: dict[str, Any] = {}
        if kind != event.type:
            changed["type"] = kind
        if user_id != event.user_id:
            changed["user_id"] = user_id
        if item_id != event.item_id:
            changed["item_id"] = item_id
        context = event.context
        if context is not NO_CONTEXT:
            cleaned = _clean_context(context)
            if cleaned is not context:
                changed["context"] = cleaned
        if event.items:
            items = tuple(item for item in map(self._ids.canonical, event.items) if item is not None)
            if items != event.items:
                changed["items"] = items
        return changed

    def _numbers(self, event: Event, kind: str, rule: _TypeRule, item_id: str | None) -> Rejected | None:
        value, quantity = event.value, event.quantity
        if value is None:
            if rule.needs_value:
                return _missing("value", kind)
        elif value not in rule.value:
            return Rejected(Reason.OUT_OF_RANGE, f"value {value:g} of a {kind}: {rule.value}")
        if quantity is not None and quantity not in self._quantity:
            return Rejected(Reason.OUT_OF_RANGE, f"quantity {quantity:g}: {self._quantity}")
        if rule.priced and item_id is not None and (self._prices or self._quantities):
            category = self._category_of(item_id)
            return _outlier("price", value, category, self._prices) or _outlier(
                "quantity", quantity, category, self._quantities
            )
        return None

    def _implausible(self, time: int, record_time: int) -> Rejected:
        if time < self._earliest:
            hint = " (seconds, where milliseconds belong?)" if 10**8 < time < 10**10 else ""
            return Rejected(Reason.IMPLAUSIBLE_TIME, f"time {time} lies before {self._earliest}{hint}")
        ahead = time - record_time
        return Rejected(
            Reason.IMPLAUSIBLE_TIME,
            f"time {time} lies {ahead} ms after its record's timestamp; {self._future} are allowed",
        )


def _clean_context(context: Context) -> Context:
    device, country = context.device, context.country
    clean_device = device if device is None else canonical_device(device)
    clean_country = country if country is None else canonical_country(country)
    if clean_device == device and clean_country == country:
        return context
    return msgspec.structs.replace(context, device=clean_device, country=clean_country)


def _missing(field: str, kind: str) -> Rejected:
    return Rejected(Reason.MISSING_FIELD, f"{field} is missing or empty" + (f" in a {kind}" if kind else ""))


def _outlier(what: str, number: float | None, category: str, limits: Limits) -> Rejected | None:
    believed = limits.get(category) or limits.get(ANY_CATEGORY)
    if number is None or believed is None or believed[0] <= number <= believed[1]:
        return None
    low, high = believed
    return Rejected(
        Reason.OUTLIER,
        f"{what} {number:g}: in category {category!r} from {low:.4g} to {high:.4g} is believed",
    )
