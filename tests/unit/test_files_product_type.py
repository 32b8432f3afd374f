"""The product type that a title names."""

from __future__ import annotations

import pytest

from jobs.product_type import ProductTypes

KINDS = ("MUG", "BAG", "T-LIGHT HOLDER", "CAKE TIN", "DOILY", "BOX")
CATALOGUE = [f"{colour} {kind}" for kind in KINDS for colour in ("RED", "BLUE", "PINK", "IVORY", "GREEN")]


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("RED RETROSPOT MUG", "MUG"),
        ("SET OF 3 CAKE TINS PANTRY DESIGN", "TIN"),
        ("SET/10 VINTAGE DOILIES", "DOILY"),
        ("WHITE HANGING HEART T-LIGHT HOLDER", "HOLDER"),
        ("WOODEN BOX WITH MUG", "BOX"),
        ("JUMBO BAG PINK POLKADOT LARGE", "BAG"),
        ("lunch boxes, assorted colours", "BOX"),
        ("BOX OF 24 MUGS", "MUG"),
        ("SOMETHING ELSE", "?"),
        ("PINK", "?"),
        ("", "?"),
    ],
)
def test_a_title_is_of_the_last_type_it_names(title: str, kind: str) -> None:
    assert ProductTypes(CATALOGUE).of(title) == kind


def test_a_word_of_few_titles_is_no_type() -> None:
    titles = [*CATALOGUE, "RED TEAPOT", "BLUE TEAPOT"]
    assert ProductTypes(titles).of("RED TEAPOT") == "?"
    assert ProductTypes(titles, least_titles=2).of("RED TEAPOT") == "TEAPOT"


def test_types_do_not_depend_on_the_order_of_titles() -> None:
    assert ProductTypes(CATALOGUE).types == ProductTypes(reversed(CATALOGUE)).types
