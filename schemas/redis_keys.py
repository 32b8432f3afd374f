"""Every Redis key that Headrace writes: its name, and the version that guards a user's keys.

The public ones are the interface of downstream applications, documented in `docs/redis.md`; the JSON
they hold is in `schemas.redis_values`. The internal ones (`co`, `pop`, the streams, `stats`, `alive`)
may change with any release.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

HOME: Final = "home"
"""The slot whose list stands at `hr:rec:{uid}` itself."""

BORN_DIGITS: Final = 13
EVENTS_DIGITS: Final = 10
SEQ_LENGTH: Final = BORN_DIGITS + 1 + EVENTS_DIGITS
"""Characters of a version: all versions are equally long, so text order is version order."""


def seq(born: int, events: int) -> str:
    """The version of what is published for a user, `<born>.<events>`, zero-filled to a fixed width.

    `born` is the record time (ms) of the first event of the user's state, `events` the accepted events
    since. A later version is the greater text.

    >>> seq(1_700_000_000_000, 7)
    '1700000000000.0000000007'
    >>> seq(1_700_000_000_000, 9) < seq(1_700_000_000_000, 10) < seq(1_700_000_000_001, 0)
    True

    Raises `ValueError` when a number does not fit its width or is negative.
    """
    text = f"{born:013d}.{events:010d}"
    if len(text) != SEQ_LENGTH or born < 0 or events < 0:
        raise ValueError(
            f"version ({born}, {events}): born must be 0 to {10**BORN_DIGITS - 1} ms,"
            f" events 0 to {10**EVENTS_DIGITS - 1}"
        )
    return text


@dataclass(frozen=True, slots=True)
class RedisKeys:
    """The key names under one prefix. `uid` is a user's pseudonym (`schemas.pseudonym`), never a raw id.

    The braces around a uid are part of the key: on Redis Cluster they keep a user's keys in one slot.

    >>> RedisKeys().rec("9f86d081884c7d659a2feaa0")
    'hr:rec:{9f86d081884c7d659a2feaa0}'
    >>> RedisKeys("shop").trending("country:GB")
    'shop:trending:country:GB'

    Raises `ValueError` for an empty prefix or one with braces or white space.
    """

    prefix: str = "hr"

    def __post_init__(self) -> None:
        if not self.prefix or any(c in "{}" or c.isspace() for c in self.prefix):
            raise ValueError(
                f"Redis prefix {self.prefix!r}: give text without braces and white space, like hr"
            )

    def rec(self, uid: str, slot: str = HOME) -> str:
        """The user's list, JSON (`RecValue`); that of another slot than `home` is a `SlotValue`.

        >>> RedisKeys().rec("ab12", "cart")
        'hr:rec:{ab12}:cart'
        """
        key = f"{self.prefix}:rec:{{{uid}}}"
        return key if slot == HOME else f"{key}:{slot}"

    def profile(self, uid: str) -> str:
        """What is known of the user now, JSON (`ProfileValue`)."""
        return f"{self.prefix}:profile:{{{uid}}}"

    def seg(self, uid: str) -> str:
        """The user's active segments, a set."""
        return f"{self.prefix}:seg:{{{uid}}}"

    def of_user(self, uid: str, slots: Iterable[str] = ()) -> tuple[str, ...]:
        """All public keys of a user, in the order in which the publishing script takes them.

        `slots` are those beside `home`.
        """
        return self.rec(uid), self.profile(uid), self.seg(uid), *(self.rec(uid, slot) for slot in slots)

    def item(self, item_id: str) -> str:
        """The catalogue entry as the job sees it, JSON (`item_value`)."""
        return f"{self.prefix}:item:{item_id}"

    def similar(self, item_id: str) -> str:
        """What goes with an item, JSON (`SimilarValue`)."""
        return f"{self.prefix}:similar:{item_id}"

    def together(self, item_id: str) -> str:
        """What is bought in one order with an item, JSON (`SimilarValue`)."""
        return f"{self.prefix}:together:{item_id}"

    def then_bought(self, item_id: str) -> str:
        """What is bought by those who looked at an item and did not buy it, JSON (`SimilarValue`)."""
        return f"{self.prefix}:then_bought:{item_id}"

    def trending(self, scope: str = "all") -> str:
        """What is popular now, JSON (`TrendingValue`). Scopes: `all`, `category:<name>`, `country:<code>`."""
        return f"{self.prefix}:trending:{scope}"

    def experiment(self, name: str) -> str:
        """Figures of an experiment, a hash."""
        return f"{self.prefix}:experiment:{name}"

    @property
    def changes(self) -> str:
        """The channel on which changes of segments are published."""
        return f"{self.prefix}:changes"

    def co(self, item_id: str) -> str:
        """Internal: co-visited items by log-score, a sorted set of at most 128 members."""
        return f"{self.prefix}:co:{item_id}"

    def pop(self, scope: str = "all") -> str:
        """Internal: items by log-popularity within a scope, a sorted set of at most 128 members."""
        return f"{self.prefix}:pop:{scope}"

    def sums(self, kind: str, name: str) -> str:
        """Internal: the sorted set of a kind of item sums: "co" of an item, "pop" of a scope; of what purchases say
        "buy:together" and "buy:then_bought" of an item, "buy:again" of an area."""
        return f"{self.prefix}:{kind}:{name}"

    def dirty(self, kind: str) -> str:
        """Internal: the set of what is to be rendered again, by kind as in `sums`: items, or scopes with "pop"."""
        return self.stats(f"dirty:{kind}")

    def known(self, kind: str) -> str:
        """Internal: the set of what there is, "item" or by kind as in `sums`. A scan of all keys would pass every
        user."""
        return self.stats(f"known:{kind}")

    def stats(self, worker: str) -> str:
        """Internal: figures of one worker."""
        return f"{self.prefix}:stats:{worker}"

    @property
    def shelf(self) -> str:
        """Internal: capped stream of item-side changes that every worker's shelf follows."""
        return f"{self.prefix}:shelf"

    @property
    def arrivals(self) -> str:
        """Internal: the items that came to the catalogue last, by when they came, a sorted set."""
        return f"{self.prefix}:arrivals"

    @property
    def sessions(self) -> str:
        """Internal: capped stream of session steps."""
        return f"{self.prefix}:sessions"

    @property
    def model(self) -> str:
        """Internal: which model is to serve and which is only compared, a hash of slot to record."""
        return f"{self.prefix}:model"

    @property
    def slots(self) -> str:
        """Internal: the slots beside `home` that were ever published, a set: who is forgotten loses them all."""
        return f"{self.prefix}:slots"

    @property
    def rules(self) -> str:
        """Internal: the context rules that control messages brought, a hash of name to record."""
        return f"{self.prefix}:rules"

    @property
    def experiments(self) -> str:
        """Internal: the experiments that control messages brought, a hash of name to record."""
        return f"{self.prefix}:experiments"

    @property
    def asked(self) -> str:
        """Internal: users all of whose lists are logged with their inputs, by until when (ms), a sorted set."""
        return f"{self.prefix}:asked"

    @property
    def refill(self) -> str:
        """Internal: held by the worker that writes the item side again after Redis was emptied."""
        return f"{self.prefix}:refill"

    @property
    def alive(self) -> str:
        """Internal: a marker without a time to live. When it is gone, Redis was emptied."""
        return f"{self.prefix}:alive"


def category_scope(category: str) -> str:
    """The trending scope of a category path: its first part.

    >>> category_scope("BAG/LUNCH")
    'category:BAG'
    """
    return f"category:{category.partition('/')[0]}"


def country_scope(country: str) -> str:
    """The trending scope of a country code.

    >>> country_scope("GB")
    'country:GB'
    """
    return f"country:{country}"
