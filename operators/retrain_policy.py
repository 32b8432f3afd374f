"""When drift asks for a new model: a request on the control topic, and then none for a while."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import msgspec

from schemas.records import POOL, STREAM, Control, DriftAlert

KIND = "retrain"
"""Kind of the control message that asks for a retraining."""

HOUR = 3_600_000


@dataclass(frozen=True)
class RetrainSettings:
    """Which alerts ask for a retraining, and how often. Raises `ValueError` for a value out of its range."""

    scopes: frozenset[str] = frozenset({STREAM, POOL})
    """Scopes of alerts that ask: `stream`, `pool`; one user's drift is that user's own."""
    signals: frozenset[str] = frozenset(
        {"prediction_error", "user_drifts", "unknown_items", "distribution/category", "distribution/price"}
    )
    """Figures whose change asks; others are told, and point at the data rather than at the model."""
    cool_down: int = 24 * HOUR
    """After a request, none for so long: event time, in ms."""
    model: str = "ranker"
    """Name of the control message, and so of what is to be trained."""

    def __post_init__(self) -> None:
        if self.cool_down < 0:
            raise ValueError(f"cool_down is {self.cool_down}; it must be at least 0")


class RetrainRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a request: the alert that tipped it, and when (event time, ms).

    `id` is made of what tipped it (`request_id`): a job that comes to the same drift again after a crash asks
    under the same id. Version 1 had neither `pool` nor `id`.
    """

    v: int = 2
    at: int
    scope: str
    signal: str
    detector: str
    reason: str
    pool: str | None = None
    id: str = ""


def request_id(model: str, request: RetrainRequest) -> str:
    """The id of a request to retrain `model`; the words of its `reason` are not part of it.

    >>> asked = RetrainRequest(at=5, scope="stream", signal="unknown_items", detector="ADWIN", reason="it rose")
    >>> request_id("ranker", asked)
    '507aa718195ed0aa'
    """
    cause = (model, request.scope, request.pool, request.signal, request.detector, request.at)
    return sha256(msgspec.json.encode(cause)).hexdigest()[:16]


class RetrainPolicy:
    """Turns alerts into requests. `asked_at` (ms, None: never) is all that is to be kept.

    >>> policy = RetrainPolicy(RetrainSettings())
    >>> alert = DriftAlert(uid="", detector="ADWIN", at=5, labelled=9, error_before=0.1, error_after=0.4,
    ...     scope=STREAM, reason="the mean error rose")
    >>> policy.take(alert).version, policy.take(alert)
    (5, None)
    """

    def __init__(self, settings: RetrainSettings, asked_at: int | None = None) -> None:
        self._settings = settings
        self.asked_at = asked_at

    def take(self, alert: DriftAlert) -> Control | None:
        """The request that an alert gives rise to, or None. Its version is the alert's time."""
        settings = self._settings
        if alert.scope not in settings.scopes or alert.signal not in settings.signals:
            return None
        if self.asked_at is not None and alert.at < self.asked_at + settings.cool_down:
            return None
        self.asked_at = alert.at
        request = RetrainRequest(
            at=alert.at,
            scope=alert.scope,
            signal=alert.signal,
            detector=alert.detector,
            reason=alert.reason,
            pool=alert.pool,
        )
        body = msgspec.json.encode(_named(settings.model, request)).decode()
        return Control(kind=KIND, name=settings.model, version=alert.at, body=body)


def request_of(control: Control) -> RetrainRequest:
    """What a control message of this kind asks for. Raises `ValueError` where its body says something else.

    >>> body = '{"at": 5, "scope": "stream", "signal": "unknown_items", "detector": "ADWIN", "reason": "new"}'
    >>> request_of(Control(kind=KIND, name="ranker", version=5, body=body)).signal
    'unknown_items'
    """
    try:
        request = msgspec.json.decode(control.body, type=RetrainRequest)
        return request if request.id else _named(control.name, request)
    except msgspec.MsgspecError as error:
        raise ValueError(f"control {control.kind} {control.name}: its body is no request: {error}") from None


def _named(model: str, request: RetrainRequest) -> RetrainRequest:
    return msgspec.structs.replace(request, id=request_id(model, request))
