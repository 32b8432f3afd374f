"""Why an item is in a list, in one short text that a page can show."""

from __future__ import annotations

FOR_YOU = "for_you"


def because_of(item_id: str, purchased: bool) -> str:
    """The item goes with one that the user touched.

    >>> because_of("mug", purchased=False), because_of("mug", purchased=True)
    ('because_viewed:mug', 'because_bought:mug')
    """
    return f"because_bought:{item_id}" if purchased else f"because_viewed:{item_id}"


def trending_in(scope: str) -> str:
    """The item is popular now in a scope.

    >>> trending_in("country:GB")
    'trending:country:GB'
    """
    return f"trending:{scope}"
