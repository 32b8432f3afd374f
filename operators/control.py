"""Configuration that reaches the running job: catalogue entries and control messages, or why not."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from operators.bundle_manifest import BundleRefusedHere
from operators.dead_letters import Rejected
from operators.ingest_settings import IngestSettings
from operators.item_facts import Catalogue, ItemFacts, facts_of
from operators.item_ingest import ItemIngest
from schemas.codec import CONTROLS
from schemas.errors import HeadraceError
from schemas.reason import UndecodableRecord
from schemas.records import Control
from schemas.schema_book import SchemaBook

logger = logging.getLogger(__name__)

_ITEM = "item/"
_CONTROL = "control/"
_encode_facts = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(ItemFacts).decode

Take = Callable[[Control], None]
"""Puts a control message in force, a deleted one out of it. Raises `HeadraceError` or `ValueError` to refuse it."""


def key_of(control: Control) -> str:
    """The key of a control message on its compacted topic: the newest of a kind and name is kept there.

    >>> key_of(Control(kind="segment", name="vip", version=1))
    'segment/vip'
    """
    return f"{control.kind}/{control.name}"


class ControlStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a control message: a JSON message of the control-status topic.

    `host` names the machine where a bundle was refused, and of a model or a context rule the rank worker that did
    (`operators.worker_refusals`): elsewhere it may be in force. Records that are refused are told there too
    (`operators.attribute_refusals`): `refused` is how many.
    """

    v: int = 1
    kind: str
    name: str
    version: int
    applied: bool
    reason: str = ""
    host: str | msgspec.UnsetType = msgspec.UNSET
    refused: int | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True)
class Applied:
    """What a message changed: the entry to keep in broadcast state, and the status to announce.

    `kind` is that of a control message that was put in force. A status `of_host` speaks of this machine alone.
    """

    entry: tuple[str, bytes] | None = None
    status: bytes | None = None
    kind: str | None = None
    of_host: bool = False


NOTHING = Applied()


class Configuration:
    """The configuration of one subtask, built from messages and from what was kept of them.

    >>> configuration = Configuration(SchemaBook())
    >>> bad = CONTROLS.encode(Control(kind="schema", name="shop.Event", version=1, body='{"type": "int"}'))
    >>> b'"applied":false' in configuration.apply_control(bad).status
    True
    """

    def __init__(
        self,
        book: SchemaBook,
        ingest: IngestSettings = IngestSettings(),
    ) -> None:
        self.catalogue: Catalogue = {}
        self._items = ItemIngest(ingest, book)
        self._versions: dict[str, int] = {}
        self._takers: dict[str, Take] = {"schema": schema_taker(book)}

    def give(self, takers: Mapping[str, Take]) -> None:
        """Know these kinds of control messages too, and who takes them."""
        self._takers.update(takers)

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
        key = _CONTROL + key_of(control)
        if control.version < self._versions.get(key, control.version):
            return _refused(control, f"version {self._versions[key]} is in force")
        taker = self._takers.get(control.kind)
        if taker is None:
            known = ", ".join(sorted(self._takers))
            return _refused(control, f"kind {control.kind!r} is not known; known: {known}")
        try:
            taker(control)
        except BundleRefusedHere as why:
            return _refused(control, str(why), of_host=True)
        except (HeadraceError, ValueError) as why:
            return _refused(control, str(why))
        self._versions[key] = control.version
        return Applied((key, message), _status(control, applied=True), control.kind)

    def apply_all(self, messages: Iterable[bytes]) -> list[bytes]:
        """Take in control messages in whatever order they come: one that builds on another waits for it.

        Returns the statuses of those that are refused in the end.
        """
        waiting = list(messages)
        while waiting:
            tried = [(message, self.apply_control(message)) for message in waiting]
            refused = [(message, applied.status) for message, applied in tried if applied.entry is None]
            if len(refused) == len(waiting):
                return [status for _, status in refused if status is not None]
            waiting = [message for message, _ in refused]
        return []

    def restore(self, kept: Mapping[str, bytes]) -> list[bytes]:
        """Take in again what `apply_item` and `apply_control` gave to keep.

        Returns the statuses of what was in force and cannot be taken in any more, such as a bundle whose folder
        is gone: the job goes on without it.
        """
        controls = []
        for key, value in kept.items():
            if key.startswith(_ITEM):
                self.catalogue[key[len(_ITEM) :]] = _decode_facts(value)
            elif not self._is_superseded(key, value):
                controls.append(value)
        return self.apply_all(controls)

    def _is_superseded(self, key: str, message: bytes) -> bool:
        """Whether a newer version of a kept message came to be in force before it was taken in again."""
        in_force = self._versions.get(key)
        return in_force is not None and CONTROLS.decode(message).version < in_force


def kept_of_kind(kept: Mapping[str, bytes], kind: str) -> list[bytes]:
    """Of what was given to keep, the control messages of a kind."""
    return [message for key, message in kept.items() if key.startswith(f"{_CONTROL}{kind}/")]


def schema_taker(book: SchemaBook) -> Take:
    """Takes further writer schemas into `book`; none is ever taken out, since messages in it may still come."""

    def take(control: Control) -> None:
        if not control.deleted:
            book.add(control.body)

    return take


def _refused(control: Control, reason: str, *, of_host: bool = False) -> Applied:
    logger.warning("control %s %s v%d is refused: %s", control.kind, control.name, control.version, reason)
    host = socket.gethostname() if of_host else msgspec.UNSET
    return Applied(status=_status(control, applied=False, reason=reason, host=host), of_host=of_host)


def _status(
    control: Control, *, applied: bool, reason: str = "", host: str | msgspec.UnsetType = msgspec.UNSET
) -> bytes:
    status = ControlStatus(
        kind=control.kind,
        name=control.name,
        version=control.version,
        applied=applied,
        reason=reason,
        host=host,
    )
    return msgspec.json.encode(status)
