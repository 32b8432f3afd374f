"""What a batch of the stream looked like: counts that can be added up, and say nothing of any user."""

from __future__ import annotations

from math import log2

import msgspec

from operators.item_facts import ItemFacts
from schemas.records import EVENT_TYPES, Event

VALUED = frozenset({"purchase", "rating", "dwell", "scroll"})
"""Event types that ought to bring a value."""

BINS = 32
"""Half octaves in which numbers are counted; the first and the last take what lies beyond."""

MOST_NAMES = 64
"""Names counted per distribution; further ones count together, as `OTHER`."""

OTHER = "\0other"
"""No name that an event could bring, since texts with it would be cut there by many systems."""

_PRICE_BELOW = 14
_LEVEL_OCTAVES = 20.0


class StreamSummary(msgspec.Struct, array_like=True):
    """Counts over events between the event times `first` and `last` (ms).

    By signal, `asked` is how many events could show it and `shown` how many did, or the sum of what they
    showed, each in [0, 1]. `names` and `bins` are distributions: how often each name, or each half octave.

    >>> summary = StreamSummary()
    >>> summary.add(Event(event_id="e", user_id="u", type="view", time=7, item_id="mug"), None, None, False)
    >>> summary.shown["unknown_items"], summary.asked["unknown_items"], summary.events
    (1.0, 1, 1)
    """

    events: int = 0
    first: int = 0
    last: int = 0
    asked: dict[str, int] = msgspec.field(default_factory=dict)
    shown: dict[str, float] = msgspec.field(default_factory=dict)
    names: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    bins: dict[str, list[int]] = msgspec.field(default_factory=dict)

    def add(self, event: Event, facts: ItemFacts | None, error: float | None, drifted: bool) -> None:
        """Take in an accepted event: `facts` are its item's, None of an item that no catalogue entry names;
        `error` is its prediction error, None where there was none; `drifted` whether it tipped its user."""
        self._begin(event.time)
        kind = event.type
        context = event.context
        self._ask("unknown_types", kind not in EVENT_TYPES)
        self._ask("missing/country", context.country is None)
        self._ask("missing/device", context.device is None)
        self._ask("missing/session_id", event.session_id is None)
        self._name("type", kind)
        if context.country is not None:
            self._name("country", context.country)
        if context.device is not None:
            self._name("device", context.device)
        if kind in VALUED:
            self._ask("missing/value", event.value is None)
        if event.item_id is not None:
            self._ask("unknown_items", facts is None)
            if facts is not None:
                self._name("category", facts.category.partition("/")[0])
                self._price(facts.price)
        if error is not None:
            self._ask("prediction_error", error)
            self._ask("user_drifts", drifted)

    def reject(self, time: int) -> None:
        """Take in a record of about `time` (ms) that could not be used."""
        self._begin(time)
        self._ask("rejected", True)

    @classmethod
    def of_rejected(cls, count: int, first: int, last: int) -> StreamSummary:
        """So many records that could not be used, and nothing else, between those times (ms).

        >>> StreamSummary.of_rejected(3, 1, 9).is_rejected
        True
        """
        return cls(count, first, last, {"rejected": count}, {"rejected": float(count)})

    @property
    def is_rejected(self) -> bool:
        """Whether nothing in it could be used."""
        return self.events > 0 and self.shown.get("rejected", 0.0) >= self.events

    def merge(self, other: StreamSummary) -> None:
        """Add what another summary counted."""
        if not other.events:
            return
        self.first = min(self.first, other.first) if self.events else other.first
        self.last = max(self.last, other.last)
        self.events += other.events
        for signal, count in other.asked.items():
            self.asked[signal] = self.asked.get(signal, 0) + count
            self.shown[signal] = self.shown.get(signal, 0.0) + other.shown[signal]
        for what, counts in other.names.items():
            for name, count in counts.items():
                self._name(what, name, count)
        for what, counted in other.bins.items():
            own = self.bins.get(what)
            self.bins[what] = list(counted) if own is None else list(map(int.__add__, own, counted))

    def _begin(self, time: int) -> None:
        if not self.events:
            self.first = self.last = time
        elif time > self.last:
            self.last = time
        elif time < self.first:
            self.first = time
        self.events += 1

    def _ask(self, signal: str, shown: float) -> None:
        self.asked[signal] = self.asked.get(signal, 0) + 1
        self.shown[signal] = self.shown.get(signal, 0.0) + shown

    def _name(self, what: str, name: str, count: int = 1) -> None:
        counts = self.names.setdefault(what, {})
        if name not in counts and len(counts) >= MOST_NAMES:
            name = OTHER
        counts[name] = counts.get(name, 0) + count

    def _price(self, price: float | None) -> None:
        self._ask("missing/price", price is None)
        if price is None or price <= 0.0:
            return
        octave = log2(price)
        self._ask("price_level", min(max((octave + _PRICE_BELOW / 2) / _LEVEL_OCTAVES, 0.0), 1.0))
        counted = self.bins.setdefault("price", [0] * BINS)
        counted[min(max(int(2.0 * octave + _PRICE_BELOW), 0), BINS - 1)] += 1


class Summariser:
    """Makes a summary of every so many events of one subtask. What it has not given away is lost in a crash:
    it changes no user, and a batch more or less changes no statistic.

    >>> summariser = Summariser(every=2)
    >>> event = Event(event_id="e", user_id="u", type="search", time=7)
    >>> summariser.add(event, None, None, False), summariser.add(event, None, None, False).events
    (None, 2)
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._summary = StreamSummary()

    def add(
        self, event: Event, facts: ItemFacts | None, error: float | None, drifted: bool
    ) -> StreamSummary | None:
        """As `StreamSummary.add`; the summary where it is full."""
        self._summary.add(event, facts, error, drifted)
        return self._full()

    def reject(self, time: int) -> StreamSummary | None:
        """As `StreamSummary.reject`; the summary where it is full."""
        self._summary.reject(time)
        return self._full()

    def _full(self) -> StreamSummary | None:
        full = self._summary
        if full.events < self._every:
            return None
        # Every event asks this: what was accepted shows nothing, what was rejected shows one.
        full.asked["rejected"] = full.events
        full.shown.setdefault("rejected", 0.0)
        self._summary = StreamSummary()
        return full


encode_summary = msgspec.msgpack.Encoder().encode
decode_summary = msgspec.msgpack.Decoder(StreamSummary).decode
