"""By which key an event goes to the user step; what shows no user does not get there."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pyflink.common import Row, Types
from pyflink.datastream import DataStream, KeyedStream, ProcessFunction, RuntimeContext
from pyflink.java_gateway import get_gateway

from operators.dead_letters import Rejected
from operators.flink_refusals import Aside, Refusals
from operators.flink_settings import StepFunctionSettings
from operators.ingest import Ingest
from operators.stream_summary import Summariser
from schemas.identifiers import canonical_id
from schemas.key_of import KeyOf
from schemas.reason import UndecodableRecord


class KeyByUser(ProcessFunction):
    """Puts the user before each row of the events source, read without decoding the rest of the message.

    A message that shows no user is refused here: it crosses into Python once, and is sent nowhere.
    """

    def __init__(self, settings: StepFunctionSettings) -> None:
        self._settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        settings = self._settings
        self._book = settings.preload.schemas()
        self._key_of = KeyOf(self._book)
        self._ingest = Ingest(settings.ingest, self._book)
        self._refusals = Refusals(
            settings.events_topic,
            settings.dead_letters_topic,
            runtime_context.get_metrics_group().add_group("headrace"),
            Summariser(settings.stream_drift.batch_events),
        )

    def process_element(self, row: Row, ctx: ProcessFunction.Context) -> Iterator[Row | Aside]:
        user = self._key_of.user_id(row[0])
        if user is None:
            now = time.time_ns() // 1_000_000
            # A record without a timestamp has a negative one.
            record_time = stamped if (stamped := ctx.timestamp()) >= 0 else now
            judged = self._judged(row[0], record_time)
            if isinstance(judged, Rejected):
                yield from self._refusals.refuse(judged, row, record_time)
                return
            user = judged
        yield Row(user, row)

    def _judged(self, message: bytes, record_time: int) -> Rejected | str:
        """Why a message shows no user; or the user, where its schema became known a moment ago."""
        try:
            event = self._book.decode_event(message)
        except UndecodableRecord as error:
            return Rejected(error.reason, error.detail)
        user = canonical_id(event.user_id)
        if not user and isinstance(judged := self._ingest.check(event, record_time), Rejected):
            return judged
        return user


def keyed_by_user(events: DataStream, settings: StepFunctionSettings) -> tuple[KeyedStream, DataStream]:
    """The rows of the events source by user; and the stream that has what was refused of them beside it.

    This is PyFlink's `key_by` with a function in place of its key selector, which must give a key to all.
    """
    keys = [Types.STRING()]
    told = events.process(KeyByUser(settings), output_type=Types.ROW([*keys, events.get_type()]))
    jvm = get_gateway().jvm
    told.name(jvm.org.apache.flink.python.util.PythonConfigUtil.STREAM_KEY_BY_MAP_OPERATOR_NAME)
    keyed = told._j_data_stream.keyBy(jvm.KeyByKeySelector(), Types.ROW(keys).get_java_type_info())
    return KeyedStream(keyed, events.get_type(), events), told
