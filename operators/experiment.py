"""An experiment: some of the users get their lists made otherwise, each by the variant that is drawn for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from operators.assignment import takes_part, variant_for
from operators.candidates import SOURCES
from operators.experiment_record import ExperimentRefused
from operators.exploration import ExploreSettings
from operators.named_tables import refuse_unknown
from operators.rank_settings import RankSettings
from schemas.records import Control

EXPERIMENT = "experiment"
"""The kind of control messages that bring experiments."""

MOST_VARIANTS = 8

MOST_CANDIDATES = 200
"""How many candidates a variant may let a source name."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NAME_IS = "is of letters, digits, _ . and -, begins with a letter or digit, and has at most 64"


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """What is otherwise for the users of a variant; one that changes nothing is what the others are compared with.

    Sources in `off` say nothing, those in `candidates` name so many candidates. `blend` are other weights of sources,
    beside those of the settings; with it, be it empty, the blend orders lists also where a trained ranker orders the
    others. `explore` are other values of `rank.explore`. Raises `ValueError`.
    """

    weight: float = 1.0
    off: tuple[str, ...] = ()
    candidates: dict[str, int] = {}
    blend: dict[str, float] | None = None
    explore: dict[str, int | float] = {}
    description: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight {self.weight:g}; it is 0 or more")
        for field, named in (("off", self.off), ("candidates", self.candidates), ("blend", self.blend or ())):
            if unknown := sorted(set(named) - set(SOURCES)):
                raise ValueError(f"{field}: unknown source {unknown[0]!r}; known: {', '.join(SOURCES)}")
        if twice := sorted(set(self.off) & set(self.candidates)):
            raise ValueError(f"{twice[0]} is in off and in candidates")
        for source, most in self.candidates.items():
            if not 0 <= most <= MOST_CANDIDATES:
                raise ValueError(f"candidates: {most} of {source}; possible are 0 to {MOST_CANDIDATES}")
        for source, weight in (self.blend or {}).items():
            if not 0.0 <= weight < float("inf"):
                raise ValueError(f"blend: {source} weighs {weight:g}; it is 0 or more")
        self.applied(RankSettings())

    @property
    def changes(self) -> frozenset[str]:
        """What lists differ in from those of everybody else, in words."""
        named = {f"the source {source}" for source in (*self.off, *self.candidates)}
        others = {"the blend": self.blend is not None, "the share of new items": bool(self.explore)}
        return frozenset(named | {what for what, is_changed in others.items() if is_changed})

    def applied(self, rank: RankSettings) -> RankSettings:
        """The settings by which lists of this variant are made.

        >>> Variant(off=("trending",), blend={"covisit": 2.0}).applied(RankSettings()).candidates.trending
        0
        """
        limits = {**dict.fromkeys(self.off, 0), **self.candidates}
        explore = rank.explore
        if self.explore:
            try:
                refuse_unknown(self.explore, [field.name for field in fields(ExploreSettings)], "explore")
                explore = msgspec.convert({**asdict(explore), **self.explore}, ExploreSettings)
            except msgspec.ValidationError as error:
                raise ValueError(f"explore: {error}") from None
        return replace(
            rank,
            candidates=replace(rank.candidates, **limits),
            blend={**rank.blend, **(self.blend or {})},
            explore=explore,
        )


class Experiment(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from"}):
    """Who is in an experiment, and what its variants are. Raises `ExperimentRefused`.

    In it is the `share` of all users from `share_from` on, by a draw of the `layer` (none: the salt), as long as they
    are in `segment` and their time (ms) is within `since` and `until`, the second not included. `salt` (none: the name)
    draws the variant. Experiments of one layer whose shares lie apart have no user in common.

    >>> tried = Experiment(name="quiet", variants={"as_is": Variant(), "without": Variant(off=("trending",))})
    >>> tried.variant_of("dc7d1902d9f5ad47b6084357", 0, [])
    'as_is'
    """

    name: str
    variants: dict[str, Variant]
    version: int = 0
    description: str = ""
    enabled: bool = True
    share: float = 1.0
    share_from: float = 0.0
    layer: str = ""
    salt: str = ""
    segment: str | None = None
    since: int | None = None
    until: int | None = None

    def __post_init__(self) -> None:
        texts = {"name": self.name, "layer": self.layer or self.name, "salt": self.salt or self.name}
        for what, text in (*texts.items(), *(("variant", name) for name in self.variants)):
            if not _NAME.fullmatch(text):
                raise self._refused(f"{what} {text!r}: it {_NAME_IS}")
        if not 2 <= len(self.variants) <= MOST_VARIANTS:
            raise self._refused(f"{len(self.variants)} variants; there are 2 to {MOST_VARIANTS}")
        if not any(variant.weight > 0.0 for variant in self.variants.values()):
            raise self._refused("all variants weigh 0, so nobody could be in one")
        if not any(variant.changes for variant in self.variants.values()):
            raise self._refused("no variant changes anything")
        if not (self.share > 0.0 and self.share_from >= 0.0 and self.share_from + self.share <= 1.0 + 1e-9):
            raise self._refused(
                f"share {self.share:g} from {self.share_from:g} on; a share is above 0 and ends at 1"
            )
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise self._refused("until is not after from")

    @property
    def changes(self) -> frozenset[str]:
        """What lists of some variant differ in, in words."""
        return frozenset[str]().union(*(variant.changes for variant in self.variants.values()))

    def variant_of(self, uid: str, at: int, segments: Sequence[str]) -> str | None:
        """The variant of a user at a time (ms), None for who is not in the experiment. `uid` is the pseudonym."""
        if (
            (self.since is not None and at < self.since)
            or (self.until is not None and at >= self.until)
            or (self.segment is not None and self.segment not in segments)
            or not takes_part(self.layer or self.salt or self.name, uid, self.share, self.share_from)
        ):
            return None
        weights = {name: variant.weight for name, variant in self.variants.items()}
        return variant_for(self.salt or self.name, weights, uid)

    def may_share_users(self, other: Experiment) -> bool:
        """Whether a user can be in both at once; segments are taken to overlap."""
        if (self.until is not None and other.since is not None and self.until <= other.since) or (
            other.until is not None and self.since is not None and other.until <= self.since
        ):
            return False
        layers = [each.layer or each.salt or each.name for each in (self, other)]
        first, second = sorted((self, other), key=lambda each: each.share_from)
        return layers[0] != layers[1] or first.share_from + first.share > second.share_from + 1e-9

    def _refused(self, why: str) -> ExperimentRefused:
        return ExperimentRefused(f'experiment "{self.name}": {why}')


def experiment_of(name: str, table: Any) -> Experiment:
    """The experiment of a parsed table or JSON object. Raises `ExperimentRefused`.

    >>> experiment_of("x", {"variants": {"a": {}, "b": {}}})
    Traceback (most recent call last):
    operators.experiment_record.ExperimentRefused: experiment "x": no variant changes anything
    """
    try:
        if not isinstance(table, Mapping) or not isinstance(table.get("variants"), Mapping):
            raise ValueError("it is a table with variants")
        refuse_unknown(table, set(Experiment.__struct_encode_fields__) - {"name"})
        times = {field: _time(table[field], field) for field in ("from", "until") if field in table}
        variants = {each: _variant_of(each, told) for each, told in table["variants"].items()}
        return msgspec.convert({**table, **times, "name": name, "variants": variants}, Experiment)
    except (msgspec.ValidationError, ValueError) as error:
        text = str(error).removeprefix(f'experiment "{name}": ')
        raise ExperimentRefused(f'experiment "{name}": {text}') from None


def experiment_of_control(control: Control) -> Experiment | None:
    """The experiment that a control message brings, None for one that takes it away. Raises `ExperimentRefused`."""
    if control.deleted:
        return None
    try:
        table = msgspec.json.decode(control.body)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ExperimentRefused(f'experiment "{control.name}": its body is not JSON: {error}') from None
    if isinstance(table, dict):
        table = {**table, "version": control.version}
    return experiment_of(control.name, table)


def _variant_of(name: str, table: Any) -> Variant:
    try:
        if not isinstance(table, Mapping):
            raise ValueError("it is a table, be it empty")
        refuse_unknown(table, Variant.__struct_fields__)
        return msgspec.convert(table, Variant)
    except (msgspec.ValidationError, ValueError) as error:
        raise ValueError(f'variant "{name}": {error}') from None


def _time(value: Any, field: str) -> int:
    """A time in ms: a number, a date or time of TOML, or ISO 8601 text; without a zone it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{field}: {value!r} is no time, such as 2026-03-01T00:00:00Z") from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{field}: {value!r} is no time, such as 2026-03-01T00:00:00Z")
    return value
