"""What the detection of bots and internal traffic remembers of one user."""

from __future__ import annotations

import msgspec

AGENT, LISTED, INTERNAL, STAFF, RATE, VOLUME, REGULAR = (1 << bit for bit in range(7))
"""The marks: bits that are stored, so none is ever moved."""

OF_CONFIGURATION = AGENT | LISTED | INTERNAL | STAFF
OF_BEHAVIOUR = RATE | VOLUME | REGULAR

_NAMES = (
    (AGENT, "user_agent"),
    (LISTED, "listed"),
    (INTERNAL, "internal"),
    (STAFF, "internal_user"),
    (RATE, "rate"),
    (VOLUME, "volume"),
    (REGULAR, "regularity"),
)

ALL_REASONS = tuple(name for _, name in _NAMES)
"""The names of all marks."""


class Traffic(msgspec.Struct, array_like=True):
    """Why a user is taken for a bot or for internal traffic, and the pace by which that is judged.

    `marks` are the reasons as bits, 0 for everybody else. `until` is the event time (ms) up to which marks of
    behaviour stay without new evidence, `policy` the fingerprint of the settings that gave the marks. `pace` is
    packed by `operators.traffic_pace` (25 bytes), empty before the first action. A user without a tag takes
    30 bytes.
    """

    marks: int = 0
    until: int = 0
    policy: int = 0
    pace: bytes = b""


def reasons(marks: int) -> tuple[str, ...]:
    """The names of marks, in the order of their bits.

    >>> reasons(AGENT | VOLUME), reasons(0)
    (('user_agent', 'volume'), ())
    """
    return tuple(name for mark, name in _NAMES if marks & mark)


def kind_of(marks: int) -> str | None:
    """What a user with these marks is taken for: "internal", "bot", or None for a visitor like any other.

    >>> kind_of(INTERNAL | RATE), kind_of(RATE), kind_of(0)
    ('internal', 'bot', None)
    """
    if not marks:
        return None
    return "internal" if marks & (INTERNAL | STAFF) else "bot"
