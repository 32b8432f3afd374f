"""Models of the whole stream: which category a user engages with next, and whether they buy there.

A model is an ensemble of river's learners. Each example is first predicted by all members and then learned by
all; the member with the least fading log loss answers. For "engages" the event's category has label 1, and a
category drawn by the event's hash from those of the stream's last events label 0: so the odds compare with the
stream, as in noise-contrastive estimation (Gutmann and Hyvärinen, 2010), and times a category's popularity they
give the distribution of the next category. The models change no user's state.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Any
from zlib import crc32

import msgspec
import river
from river.preprocessing import StandardScaler

from operators.model_example import ModelExample
from operators.model_features import numbers, tokens
from operators.model_members import MEMBERS, Member, View, bounded
from operators.model_records import BUYS, ENGAGES, MODELS, CategoryAffinities, ModelFigures
from operators.prequential_loss import Judged, Kept, PrequentialLoss
from operators.recent_categories import RecentCategories

BUYING = frozenset({"purchase", "add_to_cart"})

__all__ = ["BUYS", "ENGAGES", "MODELS", "ModelsSettings", "StreamModel"]

STORED_VERSION = 1
LIBRARY = f"river {river.__version__}"
_MARGIN = 0.003
_EARLY = 100
_SEED = 1


@dataclass(frozen=True)
class ModelsSettings:
    """How the stream's models are trained.

    `rate` is the share of engaging events that are learned from; 0 trains nothing. `members` are learners of
    each model, `fading` what an example's weight in the figures is multiplied by with each later one. A row of
    the table is told every `row_every` examples and holds `table` categories. The model is stored after
    `store_every` examples, or `store_seconds` after a change; the examples since then are kept too, to be
    learned again after a crash. A model that takes more than `most_bytes` loses its largest member, which
    begins anew.
    Raises `ValueError` for a value out of its range.

    >>> ModelsSettings(rate=2.0)
    Traceback (most recent call last):
    ValueError: rate is 2.0; it must be from 0 to 1
    """

    rate: float = 0.02
    members: tuple[str, ...] = ("linear", "tree", "forest")
    fading: float = 0.999
    row_every: int = 20
    table: int = 32
    store_every: int = 1_000
    store_seconds: float = 20.0
    most_bytes: int = 4_000_000

    def __post_init__(self) -> None:
        for name, least, most in (
            ("rate", 0, 1),
            ("fading", 0.9, 1),
            ("row_every", 1, 100_000),
            ("table", 1, 256),
            ("store_every", 1, 100_000),
            ("store_seconds", 0.1, 3_600),
            ("most_bytes", 10_000, 50_000_000),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}; it must be from {least} to {most}")
        unknown = set(self.members) - set(MEMBERS)
        if unknown or not self.members:
            raise ValueError(f"members is {list(self.members)}; known: {', '.join(MEMBERS)}, at least one")


class _Stored(msgspec.Struct, array_like=True):
    """The envelope of a stored model; `members` and `scaler` are pickles of the library it names."""

    version: int
    library: str
    check: int
    members: dict[str, bytes]
    scaler: bytes
    recent: list[str]
    counts: dict[str, float]
    judged: dict[str, Kept]
    together: Kept
    chosen: str
    at: int
    switches: int
    rebuilt: int


class Learned(msgspec.Struct, frozen=True):
    """What came of an example: the summed losses of its predictions, and how many there were."""

    predictions: int = 0
    log_loss: float = 0.0
    correct: float = 0.0
    brier: float = 0.0


class StreamModel:
    """One model of the stream. `name` is one of `MODELS`.

    >>> model = StreamModel(ENGAGES, ModelsSettings(members=("linear",)))
    >>> for k in range(200):
    ...     _ = model.learn(ModelExample(k * 7919 // 64, k, "view", "ab"[k % 2], last=["ab"[k % 2]]))
    >>> model.predict(ModelExample(1, 201, "view", "a", last=["a"]), "a") > 0.6
    True
    """

    def __init__(self, name: str, settings: ModelsSettings) -> None:
        self.name = name
        self._settings = settings
        self._members: dict[str, Member] = {each: MEMBERS[each](_SEED) for each in settings.members}
        self._scaler: Any = StandardScaler()
        self._recent = RecentCategories()
        self._judged = {each: PrequentialLoss(settings.fading) for each in settings.members}
        self._together = PrequentialLoss(settings.fading)
        self.chosen = settings.members[0]
        self._at = 0
        self.switches = 0
        self.rebuilt = 0
        self._stored_bytes = 0
        self._next_row = 0

    @property
    def examples(self) -> int:
        """How many predictions were judged and learned from."""
        return self._together.examples

    def learn(self, example: ModelExample) -> Learned:
        """Predict an example, judge the members by it, and let all learn it."""
        total = [0, 0.0, 0.0, 0.0]
        for category, label in self._labelled(example):
            view = self._view(example, category, learn=True)
            answers = {name: bounded(member.predict(view)) for name, member in self._members.items()}
            found = self._together.update(answers[self.chosen], label)
            for name, member in self._members.items():
                self._judged[name].update(answers[name], label)
                member.learn(view, label)
            total = [total[0] + 1, *(a + b for a, b in zip(total[1:], found, strict=True))]
        self._recent.add(example.category)
        self._at = max(self._at, example.time)
        self._choose()
        return Learned(int(total[0]), *total[1:])

    def predict(self, example: ModelExample, category: str) -> float:
        """The probability of label 1 for a category, by the member that is best now."""
        return bounded(self._members[self.chosen].predict(self._view(example, category)))

    def next_categories(self, example: ModelExample) -> list[tuple[str, float]]:
        """The most popular categories with the probability that the user's next event is there, best first.

        Probabilities are among these categories. Meant for the model "engages".
        """
        odds = []
        for category in self._recent.most(self._settings.table):
            p = self.predict(example, category)
            odds.append((category, self._recent.share(category) * p / (1.0 - p)))
        total = sum(weight for _, weight in odds)
        likely = [(category, weight / total) for category, weight in odds]
        return sorted(likely, key=lambda pair: (-pair[1], pair[0]))

    def next_row(self) -> CategoryAffinities | None:
        """The next row of the table, in turn over the popular categories; None while there are none."""
        categories = self._recent.most(self._settings.table)
        if not categories or not self._scaler.counts:
            return None
        last = categories[self._next_row % len(categories)]
        self._next_row += 1
        means = self._scaler.means
        usual = ModelExample(0, self._at, "view", last, shares={last: means["share"]}, last=[last])
        member = self._members[self.chosen]
        log_odds = []
        for category in categories:
            p = bounded(member.predict(self._view(usual, category, usual=means)))
            log_odds.append(round(log(p / (1.0 - p)), 4))
        shares = [round(self._recent.share(category), 6) for category in categories]
        return CategoryAffinities(self.name, last, categories, log_odds, self.examples, shares)

    def figures(self) -> ModelFigures:
        """How well the model predicts now."""
        members: dict[str, dict[str, Judged]] = {
            name: judged.measures() for name, judged in self._judged.items()
        }
        return ModelFigures(
            model=self.name,
            at=self._at,
            examples=self.examples,
            chosen=self.chosen,
            switches=self.switches,
            rebuilt=self.rebuilt,
            stored_bytes=self._stored_bytes,
            together=self._together.measures(),
            members=members,
        )

    def snapshot(self) -> bytes:
        """The stored model. A member that makes it too large begins anew."""
        members = {name: pickle.dumps(member, 5) for name, member in self._members.items()}
        while sum(map(len, members.values())) > self._settings.most_bytes:
            largest = max(members, key=lambda name: len(members[name]))
            self._begin_anew(largest)
            members[largest] = pickle.dumps(self._members[largest], 5)
            if len(members) == 1:
                break
        stored = _Stored(
            version=STORED_VERSION,
            library=LIBRARY,
            check=_check(members),
            members=members,
            scaler=pickle.dumps(self._scaler, 5),
            recent=list(self._recent.last),
            counts=self._recent.faded(),
            judged={name: judged.keep() for name, judged in self._judged.items()},
            together=self._together.keep(),
            chosen=self.chosen,
            at=self._at,
            switches=self.switches,
            rebuilt=self.rebuilt,
        )
        encoded = msgspec.msgpack.encode(stored)
        self._stored_bytes = len(encoded)
        return encoded

    @classmethod
    def restore(cls, name: str, settings: ModelsSettings, stored: bytes) -> StreamModel:
        """The model of `snapshot`. What cannot be read (another library, another format) begins anew, and counts."""
        model = cls(name, settings)
        try:
            kept = msgspec.msgpack.decode(stored, type=_Stored)
        except (msgspec.DecodeError, msgspec.ValidationError):
            model.rebuilt = len(settings.members)
            return model
        model.rebuilt = kept.rebuilt
        if kept.version != STORED_VERSION:
            model.rebuilt += len(settings.members)
            return model
        model._recent = RecentCategories(kept.recent, kept.counts)
        model._at, model.switches = kept.at, kept.switches
        model._together = PrequentialLoss.of(kept.together, settings.fading)
        if kept.library != LIBRARY or kept.check != _check(kept.members):
            model.rebuilt += len(settings.members)
            return model
        model._scaler = pickle.loads(kept.scaler)
        for each in settings.members:
            if each in kept.members:
                model._members[each] = pickle.loads(kept.members[each])
                model._judged[each] = PrequentialLoss.of(kept.judged[each], settings.fading)
        if kept.chosen in model._members:
            model.chosen = kept.chosen
        model._stored_bytes = len(stored)
        return model

    def _labelled(self, example: ModelExample) -> Iterator[tuple[str, int]]:
        if self.name == BUYS:
            yield example.category, int(example.type in BUYING)
            return
        contrast = self._recent.drawn(example.draw)
        if contrast is not None:
            yield example.category, 1
            yield contrast, 0

    def _view(
        self,
        example: ModelExample,
        category: str,
        learn: bool = False,
        usual: dict[str, float] | None = None,
    ) -> View:
        plain = numbers(example, category, self._recent.share(category))
        if usual is not None:
            for name in ("events", "depth", "idle", "sin hour", "cos hour", "affinity"):
                plain[name] = usual[name]
        if learn:
            self._scaler.learn_one(plain)
        return View(self._scaler.transform_one(plain), plain, tokens(example, category))

    def _choose(self) -> None:
        if self.examples < _EARLY:
            return
        best = min(self._judged, key=lambda name: self._judged[name].log_loss)
        if self._judged[best].log_loss < self._judged[self.chosen].log_loss - _MARGIN:
            self.chosen = best
            self.switches += 1

    def _begin_anew(self, name: str) -> None:
        self._members[name] = MEMBERS[name](_SEED)
        self._judged[name] = PrequentialLoss(self._settings.fading)
        self.rebuilt += 1


def _check(members: dict[str, bytes]) -> int:
    check = 0
    for name in sorted(members):
        check = crc32(members[name], check)
    return check
