"""By which key an event goes to the user step."""

from __future__ import annotations

from pyflink.common import Row
from pyflink.datastream import KeySelector, RuntimeContext

from operators.preload import Preload
from schemas.codec import EVENTS
from schemas.key_of import KeyOf

OURS = EVENTS.header
"""What messages of our own newest schema begin with: the key selector can always read those."""

UNUSABLE = "\0"
"""What keys of messages begin with that show no user; a user id never does."""

SPREAD = 32
"""Over how many keys messages without a user are spread."""


class KeyByUser(KeySelector):
    """The user of a row of the events source, read without decoding the rest of the message."""

    def __init__(self, preload: Preload) -> None:
        self._preload = preload
        self._key_of: KeyOf

    def open(self, runtime_context: RuntimeContext) -> None:
        self._key_of = KeyOf(self._preload.schemas())

    def get_key(self, row: Row) -> str:
        return self._key_of.user_id(row[0]) or f"{UNUSABLE}{row[2] % SPREAD}"
