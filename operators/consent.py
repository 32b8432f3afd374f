"""What a user has consented to, kept as one short text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

MOST_PURPOSES: Final = 16
_PURPOSE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
_ANSWERS: Final = {
    "granted": True, "yes": True, "true": True, "1": True, "on": True,
    "denied": False, "no": False, "false": False, "0": False, "off": False, "withdrawn": False,
}  # fmt: skip


def consent_after(known: str | None, told: Mapping[str, str]) -> str | None:
    """The purposes granted after a consent event with the attributes `told` (purpose: answer).

    Purposes that the event does not name stay as they were. None means that nothing was ever told, the empty
    text that all was refused. A purpose or answer that is not understood changes nothing; at most
    `MOST_PURPOSES` are kept, the first by name.

    >>> consent_after(None, {"analytics": "granted", "ads": "denied"})
    'analytics'
    >>> consent_after("analytics", {"Ads": "yes"}), consent_after("analytics", {"analytics": "no"})
    ('ads,analytics', '')
    """
    granted = purposes(known)
    heard = False
    for name, answer in told.items():
        purpose, verdict = name.strip().lower(), _ANSWERS.get(answer.strip().lower())
        if verdict is None or not _PURPOSE.fullmatch(purpose):
            continue
        heard = True
        (granted.add if verdict else granted.discard)(purpose)
    return ",".join(sorted(granted)[:MOST_PURPOSES]) if heard else known


def purposes(consent: str | None) -> set[str]:
    """The purposes that such a text grants.

    >>> sorted(purposes("ads,analytics")), purposes(None)
    (['ads', 'analytics'], set())
    """
    return set(consent.split(",")) if consent else set()
