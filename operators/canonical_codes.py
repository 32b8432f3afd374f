"""The one code for each country, device and event type, whatever spelling it comes in.

Every function is cached with a bound: a stream repeats a few spellings for ever.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from operators.country_table import COUNTRIES

DEVICES = frozenset({"mobile", "tablet", "desktop", "tv", "other"})

_DEVICE_SPELLINGS = {
    **{device: device for device in DEVICES},
    **dict.fromkeys(
        ("phone", "smartphone", "cell", "ios", "iphone", "android", "mobile phone", "app"), "mobile"
    ),
    **dict.fromkeys(("ipad", "tab", "kindle"), "tablet"),
    **dict.fromkeys(("pc", "computer", "laptop", "notebook", "web", "mac", "windows", "linux"), "desktop"),
    **dict.fromkeys(("smarttv", "smart tv", "television", "appletv", "firetv", "roku", "chromecast"), "tv"),
}


def _plain(text: str) -> str:
    """Letters and digits in lower case, accents off, everything else a single blank."""
    bare = (c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in bare).split())


def _country_spellings() -> dict[str, str]:
    spellings: dict[str, str] = {}
    for line in COUNTRIES.strip().splitlines():
        alpha_2, alpha_3, names = line.split(" ", 2)
        for spelling in (alpha_2, alpha_3, *names.split("; ")):
            spellings[_plain(spelling)] = alpha_2
    return spellings


_COUNTRY_SPELLINGS = _country_spellings()


@lru_cache(maxsize=4096)
def canonical_country(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code of a code or English name; None when it names no country.

    >>> [canonical_country(text) for text in ("United Kingdom", "EIRE", "deu", "fr", "Unspecified")]
    ['GB', 'IE', 'DE', 'FR', None]
    """
    return _COUNTRY_SPELLINGS.get(_plain(text))


@lru_cache(maxsize=4096)
def canonical_device(text: str) -> str | None:
    """One of `DEVICES`: "other" for a spelling that is not known, None for an empty one.

    >>> canonical_device("Smart-TV"), canonical_device("fridge"), canonical_device(" ")
    ('tv', 'other', None)
    """
    plain = _plain(text)
    return _DEVICE_SPELLINGS.get(plain, "other") if plain else None


@lru_cache(maxsize=4096)
def canonical_type(text: str) -> str:
    """The event type in lower case, its words joined by underscores; empty when there is nothing to read.

    >>> canonical_type(" Add-To-Cart ")
    'add_to_cart'
    """
    return "_".join(_plain(text).split())
