"""Why an item is in a list, in one short text that a page can show."""

from __future__ import annotations

FOR_YOU = "for_you"

NEW = "new"
"""The item has just come to the catalogue, and is shown to find out who wants it."""


RULE = ";rule:"
"""Stands between a reason and the name of the context rule that moved the item."""


def moved_by(why: str, rule: str) -> str:
    """A reason, and the context rule that moved the item most.

    >>> moved_by("for_you", "calm")
    'for_you;rule:calm'
    """
    return f"{why}{RULE}{rule}"


def without_rule(why: str) -> str:
    """The reason alone.

    >>> without_rule("because_viewed:a;b;rule:calm"), without_rule("for_you")
    ('because_viewed:a;b', 'for_you')
    """
    before, marked, _ = why.rpartition(RULE)
    return before if marked else why


BUY_AGAIN = "buy_again"
"""The user bought the item, and it is about time to buy it again."""


def because_of(item_id: str, purchased: bool) -> str:
    """The item goes with one that the user touched.

    >>> because_of("mug", purchased=False), because_of("mug", purchased=True)
    ('because_viewed:mug', 'because_bought:mug')
    """
    return f"because_bought:{item_id}" if purchased else f"because_viewed:{item_id}"


def like(item_id: str) -> str:
    """What is written of the item is like what is written of one that the user touched.

    >>> like("mug")
    'similar:mug'
    """
    return f"similar:{item_id}"


def trending_in(scope: str) -> str:
    """The item is popular now in a scope.

    >>> trending_in("country:GB")
    'trending:country:GB'
    """
    return f"trending:{scope}"
