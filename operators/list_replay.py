"""A logged list held against the one that its inputs give: equal, or what differs, by name."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from operators.bundle import Bundle
from operators.list_again import ListAgain
from operators.ranked_list import RankedList
from schemas.list_inputs import ListInputs, UnreadableInputs, altered_sections, decode_inputs
from schemas.records import Recommendation
from schemas.redis_keys import seq
from schemas.state import decode_state

FindBundle = Callable[[str], Bundle | None]
"""The bundle whose manifest has a SHA-256, None where it is not to be found."""

_bits = struct.Struct("<d").pack


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a list that does not fit: `what` of it, `where` (an item, a place, a part of the inputs), what
    the log says and what was computed."""

    rec_id: str
    what: str
    where: str
    logged: str
    computed: str

    def __str__(self) -> str:
        return f"{self.rec_id}: {self.what} of {self.where}: the log says {self.logged}, computed {self.computed}"


def differences(logged: Recommendation, find: FindBundle) -> list[Difference]:
    """What does not fit between a logged list and its inputs; nothing where it is made again bit for bit.

    Raises `ValueError` for a list that was logged without inputs.
    """
    if logged.inputs is None:
        raise ValueError(f"list {logged.rec_id} was logged without inputs")
    return [
        Difference(rec_id=logged.rec_id, what=what, where=where, logged=said, computed=found)
        for what, where, said, found in _found(logged, logged.inputs, find)
    ]


_Named = tuple[str, str, str, str]


def _found(logged: Recommendation, stored: bytes, find: FindBundle) -> Iterator[_Named]:
    try:
        for part in altered_sections(stored):
            yield "checksum", f"the inputs' {part}", "another", "these bytes are not those that were written"
        inputs = decode_inputs(stored)
        yield from _of_another_list(logged, inputs)
        bundle = find(inputs.making.bundle) if inputs.features else None
        if inputs.features and (bundle is None or not bundle.has_ranker):
            yield "bundle", inputs.making.model, inputs.making.bundle, "none with this SHA-256 is to be found"
            return
        if bundle is not None and list(bundle.features) != inputs.features:
            yield "features", inputs.making.model, ", ".join(inputs.features), ", ".join(bundle.features)
            return
        made, told = ListAgain(inputs, bundle).make()
    except (UnreadableInputs, ValueError, ArithmeticError, LookupError, TypeError) as error:
        # Bytes that somebody altered may lead anywhere; which part did is said above.
        yield "inputs", "the list", "these", f"no list can be made of them ({error})"
        return
    differ = np.flatnonzero(told.scored.scores.view(np.uint32) != inputs.scores.view(np.uint32))
    for row in differ.tolist():
        yield (
            "score before rounding",
            inputs.items[row],
            str(inputs.scores[row]),
            str(told.scored.scores[row]),
        )
    yield from _between(logged, made)


def _of_another_list(logged: Recommendation, inputs: ListInputs) -> Iterator[_Named]:
    """Whether the inputs are those of this user, state and moment."""
    user, making = decode_state(inputs.user), inputs.making
    for what, said, found in (
        ("uid", logged.uid, user.uid),
        ("seq", logged.seq, seq(user.born, user.n)),
        ("at", str(logged.at), str(making.at)),
        ("model", logged.model, making.model),
    ):
        if said != found:
            yield what, "the inputs", said, found


def _between(logged: Recommendation, made: RankedList) -> Iterator[_Named]:
    """What differs place by place."""
    if len(logged.items) != len(made.items):
        yield "length", "the list", str(len(logged.items)), str(len(made.items))
    places = zip(logged.items, made.items, made.scores, made.whys, made.sources, strict=False)
    for place, (held, item, score, why, sources) in enumerate(places, start=1):
        if held.item_id != item:
            yield "item", f"place {place}", held.item_id, item
            continue
        where = f"{item} at place {place}"
        if _bits(held.score) != _bits(score):
            yield "score", where, repr(held.score), repr(score)
        if held.why != why:
            yield "reason", where, held.why, why
        if dict(held.sources) != sources:
            yield "sources", where, str(held.sources), str(sources)
