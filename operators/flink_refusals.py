"""What is said of messages that cannot be used: dead letters, counts by reason, and what detectors hear of them.

It leaves a step beside its rows: a row of the user step has eleven fields, and goes to several tasks.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.common import Row, Types
from pyflink.datastream import DataStream, OutputTag
from pyflink.metrics import MetricGroup

from operators.dead_letters import Rejected, dead_letter
from operators.flink_rows import WATCH
from operators.stream_summary import Summariser, encode_summary
from schemas.codec import DEAD_LETTERS
from schemas.reason import Reason

REFUSED = OutputTag(
    "refused", Types.ROW_NAMED(["topic", "payload"], [Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE())])
)
"""Dead letters for their topic; and under `WATCH`, summaries of what was refused for the detectors of the stream."""

Aside = tuple[OutputTag, Row]


class Refusals:
    """Speaks for one subtask of a step, whose counters are made in `group`.

    `summaries` are those of the step: of one that accepts as well, what it accepts is in them too.
    """

    def __init__(
        self, events_topic: str, dead_letters_topic: str, group: MetricGroup, summaries: Summariser
    ) -> None:
        self._events_topic = events_topic
        self._dead_letters_topic = dead_letters_topic
        self._summaries = summaries
        rejected = group.add_group("rejected")
        self._counts = {reason: rejected.counter(str(reason)) for reason in Reason}

    def refuse(self, rejected: Rejected, row: Row, record_time: int) -> Iterator[Aside]:
        """A dead letter, with the bytes of the source's row (message, partition, offset) as they came."""
        self._counts[rejected.reason].inc()
        letter = dead_letter(rejected, row[0], self._events_topic, row[1], row[2], record_time)
        yield REFUSED, Row(self._dead_letters_topic, DEAD_LETTERS.encode(letter))
        if (full := self._summaries.reject(record_time)) is not None:
            yield REFUSED, Row(WATCH, encode_summary(full))


def refused_by(*steps: DataStream) -> DataStream:
    """What was refused by any of these steps, as rows of `REFUSED`."""
    # Not `get_side_output`, which sends every row through Python once more.
    first, *others = (
        DataStream(step._j_data_stream.getSideOutput(REFUSED.get_java_output_tag())) for step in steps
    )
    return first.union(*others) if others else first
