"""Configuration that reaches the running job: catalogue entries and control messages, or why not."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import msgspec

from operators.dead_letters import Rejected
from operators.ingest_settings import IngestSettings
from operators.item_facts import Catalogue, ItemFacts, facts_of
from operators.item_ingest import ItemIngest
from schemas.codec import CONTROLS
from schemas.reason import SchemaRefused, UndecodableRecord
from schemas.records import Control
from schemas.schema_book import SchemaBook

logger = logging.getLogger(__name__)

_ITEM = "item/"
_CONTROL = "control/"
_encode_facts = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(ItemFacts).decode

KNOWN_KINDS = ("schema",)


class ControlStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a control message: a JSON message of the control-status topic."""

    v: int = 1
    kind: str
    name: str
    version: int
    applied: bool
    reason: str = ""


@dataclass(frozen=True)
class Applied:
    """What a message changed: the entry to keep in broadcast state, and the status to announce."""

    entry: tuple[str, bytes] | None = None
    status: bytes | None = None


NOTHING = Applied()


class Configuration:
    """The configuration of one subtask, built from messages and from what was kept of them.

    >>> configuration = Configuration(SchemaBook())
    >>> bad = CONTROLS.encode(Control(kind="schema", name="shop.Event", version=1, body='{"type": "int"}'))
    >>> b'"applied":false' in configuration.apply_control(bad).status
    True
    """

    def __init__(self, book: SchemaBook, ingest: IngestSettings = IngestSettings()) -> None:
        self.catalogue: Catalogue = {}
        self._book = book
        self._items = ItemIngest(ingest, book)
        self._versions: dict[str, int] = {}

    def apply_item(self, message: bytes) -> Applied:
        """Take in a message of the catalogue topic.

        One that cannot be read changes nothing here: the item side, which reads the same topic, puts it with
        the dead letters.
        """
        item = self._items.accept(message)
        if isinstance(item, Rejected):
            return NOTHING
        facts = facts_of(item)
        if self.catalogue.get(item.item_id) == facts:
            return NOTHING
        self.catalogue[item.item_id] = facts
        return Applied(entry=(_ITEM + item.item_id, _encode_facts(facts)))

    def apply_control(self, message: bytes) -> Applied:
        """Take in a message of the control topic. A bad one is refused, and the last good one stays."""
        try:
            control = CONTROLS.decode(message)
        except UndecodableRecord as why:
            return _refused(Control(kind="?", name="?", version=0), str(why))
        key = f"{_CONTROL}{control.kind}/{control.name}"
        if control.version < self._versions.get(key, control.version):
            return _refused(control, f"version {self._versions[key]} is in force")
        try:
            self._take(control)
        except (SchemaRefused, UnknownKind) as why:
            return _refused(control, str(why))
        self._versions[key] = control.version
        return Applied((key, message), _status(control, applied=True))

    def restore(self, key: str, value: bytes) -> None:
        """Take in again what `apply_item` and `apply_control` gave to keep."""
        if key.startswith(_ITEM):
            self.catalogue[key[len(_ITEM) :]] = _decode_facts(value)
        else:
            self.apply_control(value)

    def _take(self, control: Control) -> None:
        if control.kind == "schema":
            if not control.deleted:
                self._book.add(control.body)
        else:
            raise UnknownKind(f"kind {control.kind!r} is not known; known: {', '.join(KNOWN_KINDS)}")


class UnknownKind(ValueError):  # noqa: N818 (a state, told as one line)
    """A control message of a kind that this release does not know."""


def _refused(control: Control, reason: str) -> Applied:
    logger.warning("control %s %s v%d is refused: %s", control.kind, control.name, control.version, reason)
    return Applied(status=_status(control, applied=False, reason=reason))


def _status(control: Control, *, applied: bool, reason: str = "") -> bytes:
    status = ControlStatus(
        kind=control.kind, name=control.name, version=control.version, applied=applied, reason=reason
    )
    return msgspec.json.encode(status)
