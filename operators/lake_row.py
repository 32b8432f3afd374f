"""Between an accepted event and its row in the data lake (`schemas.lake`).

The lake knows a user by `lake_id`, random bytes drawn when the user's record is born and kept in that record
alone: who forgets the record cannot find the user's rows again. Other ids of the person (`anonymous_id`,
`session_id`, the user agent) stay out, and ids that also stand elsewhere (of orders, of recommendations) are
hashed with `lake_id` as the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from operators.consent import purposes
from schemas.lake import LAKE_ID_BYTES, LIST_SEPARATOR, NAMES, OPTIONAL, PAIR_SEPARATOR
from schemas.records import NO_CONTEXT, Context, Event
from schemas.state import UserState

Cells = list[str | None]
"""A row as it leaves the user step: a text or None for each of `schemas.lake.COLUMNS`."""

_SEPARATORS: Final = {ord(LIST_SEPARATOR): " ", ord(PAIR_SEPARATOR): " "}
_CONTEXT: Final = ("device", "country", "region", "locale", "page", "referrer")
_PLAIN: Final = (
    "event_id", "type", "item_id", "value", "quantity", "currency", "order_id", "query", "site", "slot",
    "rec_id", "position",
)  # fmt: skip


@dataclass(frozen=True)
class LakeSettings:
    """What goes to the lake. `folder` is a path or URI of any file system that Flink has; None: no lake.

    Columns named in `leave_out` stay empty. Where `purpose` is given, events of users who have not consented
    to it stay out.

    Raises `ValueError` for a column that does not exist or cannot be left out.
    """

    folder: str | None = None
    purpose: str | None = None
    leave_out: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if wrong := sorted(self.leave_out - OPTIONAL):
            raise ValueError(
                f"lake.leave_out: {', '.join(wrong)} cannot be left out;"
                f" what can: {', '.join(name for name in NAMES if name in OPTIONAL)}"
            )


def drawn_id(lake_id: bytes, draw: Callable[[int], bytes]) -> bytes:
    """The pseudonym of a record: the one it has, or for a new record `LAKE_ID_BYTES` drawn bytes.

    A crash before the next checkpoint takes the drawn id back together with the rows written under it, since
    files are committed with the checkpoint that holds the record: so chance needs no repeating.

    >>> drawn_id(b"", lambda length: b"r" * length), drawn_id(b"kept", lambda length: b"r" * length)
    (b'rrrrrrrrrrrr', b'kept')
    """
    return lake_id or draw(LAKE_ID_BYTES)


class LakeRows:
    """Makes rows of accepted events.

    >>> rows = LakeRows(LakeSettings(folder="lake"))
    >>> ann = UserState("pseudonym", born=1, n=1, last=5, lake_id=b"0123456789ab")
    >>> cells = rows.cells(Event(event_id="e", user_id="ann", type="view", time=5, item_id="mug"), ann, None)
    >>> cells[:6], cells[7]
    (['303132333435363738396162', '1', '5', 'e', 'view', '5'], 'mug')
    """

    def __init__(self, settings: LakeSettings) -> None:
        self._purpose = settings.purpose
        self._empty = tuple(NAMES.index(name) for name in sorted(settings.leave_out))

    def cells(
        self, event: Event, user: UserState, consent: str | None, traffic: str | None = None
    ) -> Cells | None:
        """The row of an event that `user`, the record after it, has accepted; None where it stays out."""
        if self._purpose is not None and self._purpose not in purposes(consent):
            return None
        value, quantity, context, position = event.value, event.quantity, event.context, event.position
        key = user.lake_id
        cells: Cells = [
            key.hex(),
            str(user.n),
            str(user.last),
            event.event_id,
            event.type,
            str(event.time),
            str(user.session.number),
            event.item_id,
            None if value is None else repr(value),
            None if quantity is None else repr(quantity),
            event.currency,
            None if event.order_id is None else _hashed(event.order_id, key),
            event.query,
            event.site,
            event.slot,
            None if event.rec_id is None else _hashed(event.rec_id, key),
            None if position is None else str(position),
            LIST_SEPARATOR.join(map(_clean, event.items)) if event.items else None,
        ]
        if context is NO_CONTEXT:
            cells += _NO_PLACE
        else:
            cells += (
                context.device,
                context.country,
                context.region,
                context.locale,
                _bare(context.page),
                _bare(context.referrer),
            )
        cells += (_pairs(event.attributes) if event.attributes else None, consent, traffic)
        for index in self._empty:
            cells[index] = None
        return cells


_NO_PLACE: Final = (None,) * len(_CONTEXT)


def event_of(row: Mapping[str, Any]) -> Event:
    """The event of a row read from the lake, its times in ms: what the user step saw, under the pseudonym.

    A column that the row lacks, as one of an older version, is taken for null.

    >>> event_of({"user": "0f", "event_id": "e", "type": "view", "time": 5, "item_id": "mug"}).user_id
    '0f'
    """
    told = {name: row[name] for name in _PLAIN if row.get(name) is not None}
    context = {name: row[name] for name in _CONTEXT if row.get(name) is not None}
    return Event(
        user_id=row["user"],
        time=row["time"],
        items=tuple(row.get("items") or ()),
        attributes=dict(row.get("attributes") or ()),
        context=Context(**context) if context else NO_CONTEXT,
        **told,
    )


def _hashed(text: str, key: bytes) -> str:
    return blake2b(text.encode(), digest_size=8, key=key).hexdigest()


def _bare(address: str | None) -> str | None:
    """An address without what may follow its path: query strings hold names, mail addresses and tokens."""
    return address and address.partition("?")[0].partition("#")[0]


def _clean(text: str) -> str:
    return text.translate(_SEPARATORS) if not text.isprintable() else text


def _pairs(attributes: Mapping[str, str]) -> str:
    return LIST_SEPARATOR.join(
        f"{_clean(name)}{PAIR_SEPARATOR}{_clean(text)}" for name, text in attributes.items()
    )
