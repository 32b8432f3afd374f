"""Every rule in docs/segments.md is one that the release takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from operators.profile_features import FEATURES
from operators.segments import SegmentBook, SegmentRule
from operators.segments.fields import NUMBERS, TEXTS
from operators.segments.rules_file import ready_rules, rules_of
from operators.segments.vocabulary import AGE, FUNCTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "segments.md").read_text("utf-8")
RULES = [
    line
    for block in re.findall(r"```segment\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line
]


@pytest.mark.parametrize("when", RULES)
def test_a_rule_of_the_page_is_taken(when: str) -> None:
    SegmentBook.of([SegmentRule(name="shown", when=when)], FEATURES)


def test_the_files_of_the_page_are_taken() -> None:
    files = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert files
    for text in files:
        SegmentBook.of(rules_of(text, "the page"), FEATURES)


def test_the_rules_that_ship_are_taken_together_and_named_on_the_page() -> None:
    book = SegmentBook.of(ready_rules(), FEATURES)
    for name in book.rules:
        assert name.replace("_", " ") in " ".join(PAGE.split())
    assert book.most_bytes < 16_384


def test_the_page_names_every_function_and_field() -> None:
    for name in (*FUNCTIONS, *NUMBERS, *TEXTS, AGE):
        assert re.search(rf"\b{name}\b", PAGE), name
