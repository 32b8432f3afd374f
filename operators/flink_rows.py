"""The rows that leave the user step: one kind for all, since each further output would cost a crossing."""

from __future__ import annotations

from collections.abc import Sequence

from pyflink.common import Row, Types

from operators.item_step import ItemStep, Purchase
from operators.refresh_request import FORGET, QUIET, RefreshRequest, encode_request
from operators.segments import Transition
from schemas.state import UserState

STEP_ROW = Types.ROW_NAMED(
    [
        "uid",
        "request",
        "item",
        "earlier",
        "apart",
        "scopes",
        "weight",
        "session",
        "ts",
        "topic",
        "payload",
        "lake",
    ],
    [
        Types.STRING(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.STRING(),
        Types.BASIC_ARRAY(Types.STRING()),
        Types.BASIC_ARRAY(Types.LONG()),
        Types.BASIC_ARRAY(Types.STRING()),
        Types.DOUBLE(),
        Types.LONG(),
        Types.LONG(),
        Types.STRING(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.OBJECT_ARRAY(Types.STRING()),
    ],
)
"""Each use reads the fields that it needs: `uid, request` for ranking, `item` to `ts` for the item statistics,
`topic, payload` for what goes to Kafka, `lake` for the data lake. A topic that begins with # is none of Kafka's but
leads to another step of the job."""

EXAMPLES = "#models"
"""Payloads are examples for the models of the stream, by the model in `uid`."""

WATCH = "#watch"
"""Payloads are batches for the detectors of pools and stream, by the key in `uid`."""

REFERENCE = "#reference"
"""Payloads are control messages that say which model is to serve; on the way to Redis this is their key too."""

PURCHASE = "#purchase"
"""What a purchase says of items, for the SQL of `PURCHASES`."""

UNTOLD = "#untold"
"""Segment changes of history, which only count."""

_MATES = 256

PURCHASES = f"""select uid as item, earlier, cast(mod(`session`, {_MATES}) as int) as mates, scopes as areas, weight,
    `session` / {_MATES} as apart, ts from step_rows where topic = '{PURCHASE}'"""
"""Reads the rows of `purchase_row`: `apart` are the days since the same user bought the item last."""

STREAM = "stream"
"""The key of what the detectors of the whole stream hear; all other keys are pools."""

Cells = Sequence[str | None]


def user_row(uid: str, request: bytes | None = None, step: ItemStep | None = None, cells: Cells = ()) -> Row:
    """What an event asks of the rank stage, says about items, and leaves in the lake."""
    if step is None:
        return Row(uid, request, None, (), (), (), None, None, None, None, None, cells)
    return Row(
        uid,
        request,
        step.item,
        step.prev,
        step.apart,
        step.scopes,
        step.weight,
        step.session,
        step.time,
        None,
        None,
        cells,
    )


def request_row(user: UserState, state: bytes, asked: int, edge: int) -> Row:
    """Ask the rank stage for a user, whose record is `state`. Whoever was tagged since is shown without a list.

    `asked` (ms) and `edge` are those of `RefreshRequest`.
    """
    if user.traffic.marks and edge != FORGET:
        edge = QUIET
    return user_row(user.uid, encode_request(RefreshRequest(state, asked, edge)))


def purchase_row(step: ItemStep, purchase: Purchase) -> Row:
    """What a purchase says of items; `session` holds how many of `earlier` are of the same order, and the days."""
    earlier = (*purchase.mates, *purchase.viewed)
    packed = purchase.days * _MATES + len(purchase.mates)
    return Row(
        step.item, None, None, earlier, (), purchase.areas, step.weight, packed, step.time, PURCHASE, None, ()
    )


def message(topic: str, payload: bytes) -> Row:
    """A message for a topic."""
    return Row(None, None, None, (), (), (), None, None, None, topic, payload, ())


def beside(key: str, topic: str, payload: bytes) -> Row:
    """For a model or a detector, which is the key: EXAMPLES or WATCH; or REFERENCE, for Redis."""
    return Row(key, None, None, (), (), (), None, None, None, topic, payload, ())


def segment_row(topic: str, transition: Transition, payload: bytes) -> Row:
    """A segment entered or left: the message, and the segment with 1 or -1 for the counts."""
    weight = 1.0 if transition.entered else -1.0
    return Row(None, None, None, (), (), (transition.segment,), weight, None, None, topic, payload, ())
