"""Sessions of one user, in event time."""

from __future__ import annotations

from schemas.state import Session


def is_over(session: Session, time: int, gap: int) -> bool:
    """Whether a session (there is one) had ended at `time` (ms).

    >>> is_over(Session(number=1, start=0, last=500), 1_000, gap=500), is_over(Session(), 1_000, gap=500)
    (False, False)
    """
    return session.number > 0 and time - session.last > gap


def end_of(session: Session, gap: int) -> int | None:
    """The first moment (ms) at which a session is over if no event comes; None: there is none.

    >>> end_of(Session(number=1, start=0, last=500), gap=500), end_of(Session(), gap=500)
    (1001, None)
    """
    return session.last + gap + 1 if session.number > 0 else None


def extend_session(session: Session, time: int, gap: int) -> None:
    """Count an event at `time` (ms) into the user's sessions.

    An event more than `gap` ms after the session's last one opens a new session. One that comes out of order
    but reaches into the session (at most `gap` before its start) belongs to it; one older than that belonged
    to a session that is over and changes nothing.

    >>> s = Session(); extend_session(s, 1_000, 500); extend_session(s, 1_400, 500); (s.number, s.depth)
    (1, 2)
    >>> extend_session(s, 2_000, 500); (s.number, s.depth)
    (2, 1)
    """
    if session.number == 0 or is_over(session, time, gap):
        session.number += 1
        session.start = session.last = time
        session.depth = 1
    elif time >= session.start - gap:
        session.depth += 1
        session.start = min(session.start, time)
        session.last = max(session.last, time)
