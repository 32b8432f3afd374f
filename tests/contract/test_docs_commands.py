"""What README and docs/ tell people to type exists, with those options; what they link to is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from jobs.cli import COMMANDS, build

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
TYPED = re.compile(r"(?:^|(?<=[\s(;]))headrace +([a-z][^\n|)]*)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def typed_in(text: str) -> Iterator[list[str]]:
    """The words behind `headrace` of every command in a text."""
    for found in TYPED.findall(text):
        words = shlex.split(found, comments=True)
        if words[0] in COMMANDS or words[0].isalpha():
            yield words


def programs_of(text: str) -> Iterator[str]:
    """The blocks that hold what a person types: those of no language."""
    yield from (block for language, block in BLOCK.findall(text) if not language)


def page_id(page: object) -> str:
    return str(page.relative_to(ROOT)) if isinstance(page, Path) else " ".join(page)  # type: ignore[arg-type]


COMMANDS_IN_BLOCKS = [
    (page, words)
    for page in PAGES
    for block in programs_of(page.read_text("utf-8"))
    for words in typed_in(block)
]
COMMANDS_IN_TEXT = [
    (page, words)
    for page in PAGES
    for span in SPAN.findall(BLOCK.sub("", page.read_text("utf-8")))
    if span.startswith("headrace ")
    for words in typed_in(span.replace("\n", " "))
]


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and the words behind its name."""
    assert words[0] in COMMANDS, f"headrace {words[0]} is no command; known: {', '.join(COMMANDS)}"
    group = typer.main.get_command(build([words[0]]))
    command, rest = group.commands[words[0]], words[1:]  # type: ignore[attr-defined]
    while hasattr(command, "commands"):
        rest = command.named(rest) if hasattr(command, "named") else rest
        assert rest, f"headrace {words[0]} needs one of {', '.join(command.commands)}"
        assert rest[0] in command.commands, f"headrace {words[0]} has no {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


@pytest.mark.parametrize(("page", "words"), COMMANDS_IN_BLOCKS, ids=page_id)
def test_a_command_to_be_typed_can_be_parsed(page: Path, words: list[str]) -> None:
    command, rest = command_of(words)
    command.make_context(words[0], rest)  # raises where an option or argument is wrong; runs nothing


@pytest.mark.parametrize(("page", "words"), COMMANDS_IN_TEXT, ids=page_id)
def test_a_command_named_in_text_exists_with_its_options(page: Path, words: list[str]) -> None:
    command, rest = command_of(words)
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in rest if word.startswith("--")} <= known


def test_the_readme_tells_of_every_command() -> None:
    told = {words[0] for page, words in (*COMMANDS_IN_BLOCKS, *COMMANDS_IN_TEXT) if page.name == "README.md"}
    assert set(COMMANDS) <= told


def test_make_has_the_targets_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)\b", " ".join(SPAN.findall((ROOT / "README.md").read_text()))))
    assert {"demo", "test"} <= named
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", page.read_text("utf-8"))):
        place, _, part = link.partition("#")
        if re.match(r"[a-z]+:", place):
            continue
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{page.relative_to(ROOT)} links to {link}, which is not there"
        if part:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert part in {anchor_of(heading) for heading in headings}, f"{link}: no such heading"


def anchor_of(heading: str) -> str:
    """The anchor that a heading gets when it is shown as a page."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_decisions_have_numbers_of_their_own() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert sorted(numbers) == [f"{number:04}" for number in range(1, len(numbers) + 1)]
