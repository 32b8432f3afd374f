"""The hour and weekday at which a user looks at a clock, told from the country."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

_MOST_PEOPLE = {
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
}
"""Countries whose first zone in `zone.tab` is not the one in which most people live: it goes from east to west."""

_QUARTER = 15 * 60_000
"""All offsets in use are of whole quarters of an hour."""


@lru_cache(1)
def country_zones() -> dict[str, str]:
    """The IANA time zone of most people by ISO 3166-1 code, of all countries in `zone.tab`.

    >>> country_zones()["US"], country_zones()["AU"]
    ('America/New_York', 'Australia/Sydney')
    """
    zones: dict[str, str] = {}
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            code, _place, zone = line.split("\t")[:3]
            zones.setdefault(code, zone)
    return zones | _MOST_PEOPLE


@lru_cache(65_536)
def _hour_and_weekday(zone: str, quarter: int) -> tuple[int, int]:
    then = datetime.fromtimestamp(quarter * _QUARTER / 1000, UTC).astimezone(ZoneInfo(zone))
    return then.hour, then.weekday()


def local_hour(country: str | None, now: int, otherwise: str = "UTC") -> tuple[int, int]:
    """Hour (0 to 23) and weekday (0: Monday) at a time (ms) where most people of a country live.

    `otherwise` is the zone where the country is not known. A country of several zones has the one alone: an event
    says no more than the country.

    >>> local_hour("JP", 0), local_hour(None, 0)
    ((9, 3), (0, 3))
    """
    return _hour_and_weekday(country_zones().get(country or "", otherwise), now // _QUARTER)
