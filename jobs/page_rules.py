"""The segment rules in force, as the control topic tells of them, and the check of a rule that someone writes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from jobs.page_view import Shown
from operators.profile_features import profile_features
from operators.segments import SegmentBook, SegmentRefused, SegmentRule
from operators.segments.reading import Affinities
from operators.user_step import StepSettings
from schemas.records import Control

log = logging.getLogger(__name__)


class DraftRule(msgspec.Struct, forbid_unknown_fields=True):
    """A rule as the editor of the page sends it."""

    name: Annotated[str, Meta(max_length=64)]
    when: Annotated[str, Meta(max_length=2_000)]
    description: Annotated[str, Meta(max_length=400)] = ""


class Rules:
    """The book of rules in force; a bad one changes nothing, as in the job."""

    def __init__(self, settings: StepSettings, rules: Iterable[SegmentRule] = ()) -> None:
        self._features = profile_features(settings)
        self._affinities = Affinities.of(settings)
        self.book = SegmentBook.of(rules, self._features, self._affinities)

    def take(self, control: Control) -> None:
        """Take in a message of the control topic."""
        if control.kind != "segment":
            return
        held = self.book.rules.get(control.name)
        if held is not None and control.version < held.version:
            return
        try:
            self.book = (
                self.book.without(control.name)
                if control.deleted
                else self.book.with_rule(SegmentRule.from_body(control.name, control.version, control.body))
            )
        except SegmentRefused as why:
            log.info("the page leaves out a rule that the job refuses too: %s", why)

    def next_version(self, name: str) -> int:
        """The version that a new rule of this name would have."""
        held = self.book.rules.get(name)
        return 1 if held is None else held.version + 1

    def drafted(self, draft: DraftRule) -> tuple[SegmentRule, SegmentBook]:
        """A draft as a rule, and the book of that rule and all that it reads. Raises `SegmentRefused`."""
        rule = SegmentRule(
            name=draft.name,
            when=draft.when,
            description=draft.description,
            version=self.next_version(draft.name),
        )
        whole = self.book.with_rule(rule)
        needed: dict[str, SegmentRule] = {}
        names = [rule.name]
        while names:
            name = names.pop()
            if name not in needed:
                needed[name] = whole.rules[name]
                names += whole.compiled(name).segments
        return rule, SegmentBook.of(needed.values(), self._features, self._affinities)

    def shown(self) -> list[Shown]:
        """The rules in force for the page, by name."""
        return [
            {
                "name": rule.name,
                "when": rule.when,
                "version": rule.version,
                "description": rule.description,
                "enabled": rule.enabled,
            }
            for rule in self.book.rules.values()
        ]


def shown_cost(book: SegmentBook, name: str) -> Shown:
    """What a rule of a book takes and reads."""
    compiled = book.compiled(name)
    return {
        "bytes": sum(cell.most_bytes for cell in compiled.cells),
        "reads": [each.text for each in compiled.evidence],
    }
