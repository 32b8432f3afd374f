"""One code for every spelling of a country, a device or an event type."""

from __future__ import annotations

import pytest

from operators.canonical_codes import canonical_country, canonical_device, canonical_type
from operators.country_table import COUNTRIES
from schemas.records import EVENT_TYPES


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("GB", "GB"), ("gb", "GB"), (" Gbr ", "GB"), ("UK", "GB"), ("United Kingdom", "GB"), ("EIRE", "IE"),
        ("Czech Republic", "CZ"), ("Côte d'Ivoire", "CI"), ("cote d’ivoire", "CI"), ("USA", "US"),
        ("RSA", "ZA"), ("Republic of Korea", "KR"), ("Türkiye", "TR"), ("Turkey", "TR"), ("Hong Kong", "HK"),
        ("United Arab Emirates", "AE"), ("U.S.A.", "US"), ("The Netherlands", "NL"),
        ("Unspecified", None), ("Channel Islands", None), ("European Community", None), ("", None),
        ("ZZ", None),
    ],
)  # fmt: skip
def test_countries(text: str, code: str | None) -> None:
    assert canonical_country(text) == code


def test_the_table_knows_the_standards_countries_once_each() -> None:
    lines = [line.split(" ", 2) for line in COUNTRIES.strip().splitlines()]
    assert len(lines) == 249
    assert len({alpha_2 for alpha_2, _, _ in lines}) == len({alpha_3 for _, alpha_3, _ in lines}) == 249
    names = [name.casefold() for _, _, names in lines for name in names.split("; ")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("mobile", "mobile"), ("Mobile ", "mobile"), ("iPhone", "mobile"), ("iPad", "tablet"),
        ("PC", "desktop"), ("smart_tv", "tv"), ("fridge", "other"), ("other", "other"), ("", None),
        ("  ", None),
    ],
)  # fmt: skip
def test_devices(text: str, code: str | None) -> None:
    assert canonical_device(text) == code


@pytest.mark.parametrize("text", ["add_to_cart", "Add-To-Cart", " ADD TO CART", "add.to.cart"])
def test_event_types(text: str) -> None:
    assert canonical_type(text) == "add_to_cart"


@pytest.mark.parametrize("known", sorted(EVENT_TYPES))
def test_our_own_types_stay_as_they_are(known: str) -> None:
    assert canonical_type(known) == known
