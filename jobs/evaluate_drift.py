"""`headrace evaluate --drift`: how well changes of taste are noticed, and what is gained by it (docs/drift.md)."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from jobs.evaluate_drift_figures import (
    WITHIN,
    Change,
    DriftEvaluation,
    FalseAlarms,
    Reach,
    alarms_of,
    change_of,
)
from jobs.evaluate_drift_ranker import PersonalRanker
from jobs.evaluate_drift_shopper import Shopper
from jobs.evaluate_drift_streams import (
    History,
    TasteChange,
    catalogue_of,
    generated,
    generated_catalogue,
    histories_of,
    longest,
    shuffled,
    spliced,
)
from jobs.evaluate_drift_trial import Followed, Follower
from jobs.training_events import TrainingEvents
from operators.affinity import AffinityModel
from operators.drift import DriftDetector, DriftSettings
from operators.item_facts import Catalogue
from operators.user_step import StepSettings

CHANGES = (20, 50, 100, 200)
LEAST_AFTER = 50
"""A history must go on for so many labelled events after a change to be judged."""
LEAST_STATIONARY = 100
LONG = 500
"""Labelled events of a simulated user whose tastes never change."""
MOST_TO_FIRE = 2000

Tell = Callable[[str], None]


class DriftTrial:
    """All experiments on one file, under the settings of the job.

    `pairs` is the number of histories of each experiment; `tell` hears which one begins.
    """

    def __init__(
        self, data: TrainingEvents, name: str, settings: StepSettings, pairs: int, tell: Tell
    ) -> None:
        self._name = name
        self._settings = settings
        self._pairs = pairs
        self._tell = tell
        self._catalogue = catalogue_of(data)
        self._model = AffinityModel(settings.affinity)
        self._histories = histories_of(data, self._catalogue, self._model)
        self._notes: list[str] = []

    def run(self) -> DriftEvaluation:
        """Every experiment that the file allows, and the same on simulated users."""
        started = time.perf_counter()
        changes = [*self._generated_changes(), *self._recorded_changes()]
        return DriftEvaluation(
            detector=DriftDetector(self._settings.drift).classes()[0],
            changes=changes,
            reach=[self._reach()],
            false_alarms=self._false_alarms(),
            notes=self._notes,
            seconds=round(time.perf_counter() - started, 1),
        )

    def _recorded_changes(self) -> list[Change]:
        if len({facts.category for facts in self._catalogue.values()}) < 2:
            self._notes.append(
                f"{self._name}: its items have no categories, so no taste can change; give --items"
            )
            return []
        touches = Counter(touch.item for history in self._histories.values() for touch in history)
        follower = Follower(self._settings, PersonalRanker(self._catalogue, touches))
        changes = []
        for at in CHANGES:
            for one in (self._tastes_changed(follower, at), self._spliced(follower, at)):
                if one is not None:
                    changes.append(one)
        return changes

    def _tastes_changed(self, follower: Follower, at: int) -> Change | None:
        self._tell(f"{self._name}: taste changes at event {at}")
        change = TasteChange(self._catalogue)
        followed: list[tuple[str, Followed]] = []
        own: list[Followed] = []
        rng = random.Random(f"change/{at}")
        for user, history in self._some_of_at_least(at + LEAST_AFTER, rng):
            after = change.of(history[at : at + WITHIN], rng)
            followed.append((user, follower.follow([*history[:at], *after], at)))
            own.append(Follower(self._settings).follow(history[: at + WITHIN]))
        return self._judged("taste change", at, followed, own)

    def _spliced(self, follower: Follower, at: int) -> Change | None:
        self._tell(f"{self._name}: histories spliced at event {at}")
        followed: list[tuple[str, Followed]] = []
        own: list[Followed] = []
        rng = random.Random(f"splice/{at}")
        for user, before, after in spliced(self._histories, at, WITHIN, LEAST_AFTER, self._pairs, rng):
            followed.append((user, follower.follow([*before, *after], at)))
            own.append(Follower(self._settings).follow(self._histories[user][: at + WITHIN]))
        return self._judged("splice", at, followed, own)

    def _judged(
        self, kind: str, at: int, followed: list[tuple[str, Followed]], own: list[Followed]
    ) -> Change | None:
        if not followed:
            self._notes.append(
                f"{self._name}: too few users with {at + LEAST_AFTER} labelled events for a {kind} at {at}"
            )
            return None
        if len(followed) < self._pairs:
            self._notes.append(f"{self._name}: only {len(followed)} histories for a {kind} at {at}")
        return change_of(self._name, kind, at, followed, own)

    def _generated_changes(self) -> list[Change]:
        catalogue, shopper = generated_catalogue(), Shopper()
        touches: Counter[str] = Counter()
        for seen in range(200):
            touches.update(t.item for t in generated(f"seen/{seen}", 100, 200, catalogue, shopper))
        follower = Follower(self._settings, PersonalRanker(catalogue, touches))
        changes = []
        for at in CHANGES:
            self._tell(f"simulated users: taste changes at event {at}")
            followed, own = [], []
            for number in range(self._pairs):
                user = f"{at}/{number}"
                make = partial(generated, user, length=at + WITHIN, catalogue=catalogue, shopper=shopper)
                followed.append((user, follower.follow(make(change=at), at)))
                own.append(Follower(self._settings).follow(make(change=at + WITHIN)))
            changes.append(change_of("simulated", "taste change", at, followed, own))
        return changes

    def _reach(self) -> Reach:
        least = self._settings.affinity.warm_up + least_errors(self._settings.drift)
        lengths = [len(history) for history in self._histories.values()]
        reached = [length for length in lengths if length >= least]
        return Reach(
            data=self._name,
            least_events=least,
            users=len(lengths),
            reached=len(reached),
            share=len(reached) / max(len(lengths), 1),
            share_of_events=sum(reached) / max(sum(lengths), 1),
        )

    def _false_alarms(self) -> list[FalseAlarms]:
        self._tell("false alarms where nothing changes")
        catalogue = generated_catalogue()
        streams: dict[str, Mapping[str, History]] = {
            f"simulated users, {what}": _unchanging(catalogue, Shopper(run=run), self._pairs)
            for what, run in (("independent events", 1.0), ("runs of 4 events", 4.0))
        }
        rng = random.Random("shuffle")
        recorded = dict(longest(self._histories, LEAST_STATIONARY, self._pairs))
        if recorded:
            streams[f"{self._name}, each user's events shuffled"] = {
                user: shuffled(history, rng) for user, history in recorded.items()
            }
            streams[f"{self._name}, as recorded (may hold changes)"] = recorded
        else:
            self._notes.append(f"{self._name}: no user has {LEAST_STATIONARY} labelled events")
        rows = [_coin_alarms(self._settings.drift, self._pairs)]
        follower = Follower(self._settings)
        for name, histories in streams.items():
            alarms = [len(follower.follow(history).drifts) for history in histories.values()]
            errors = [len(history) - self._settings.affinity.warm_up for history in histories.values()]
            rows.append(alarms_of(name, alarms, errors, promised(self._settings.drift)))
        return rows

    def _some_of_at_least(self, least: int, rng: random.Random) -> list[tuple[str, History]]:
        enough = list(longest(self._histories, least, len(self._histories)))
        return rng.sample(enough, min(self._pairs, len(enough)))


def least_errors(settings: DriftSettings) -> int:
    """How many errors the detector needs at least to fire: of 0 and 1, wherever the change is.

    >>> least_errors(DriftSettings())
    24
    """
    detector = DriftDetector(settings)
    step = settings.feed_every
    for length in range(step, MOST_TO_FIRE, step):
        for zeros in range(1, length):
            stored, errors = None, [0.0] * zeros + [1.0] * (length - zeros)
            for at in range(0, length, step):
                stored, detection = detector.feed(stored, errors[at : at + step])
                if detection is not None:
                    return length
    return MOST_TO_FIRE


def promised(settings: DriftSettings) -> float | None:
    """The most false alarms per 1,000 errors that ADWIN's confidence allows; None for other detectors.

    >>> promised(DriftSettings())
    37.5
    """
    return 1000 * settings.delta / settings.clock if settings.detector == "adwin" else None


def _coin_alarms(settings: DriftSettings, users: int) -> FalseAlarms:
    """On independent errors of 0 and 1: the most scattered of their mean, and what the promise is about."""
    detector, rng = DriftDetector(settings), random.Random("coins")
    alarms = []
    for _ in range(users):
        stored, found, rate = None, 0, rng.uniform(0.1, 0.6)
        for _ in range(LONG // settings.feed_every):
            errors = [float(rng.random() < rate) for _ in range(settings.feed_every)]
            stored, detection = detector.feed(stored, errors)
            found += detection is not None
        alarms.append(found)
    length = LONG // settings.feed_every * settings.feed_every
    return alarms_of("independent errors of 0 and 1", alarms, [length] * users, promised(settings))


def _unchanging(catalogue: Catalogue, shopper: Shopper, users: int) -> dict[str, History]:
    return {
        f"unchanging/{user}": generated(f"unchanging/{user}", LONG, LONG, catalogue, shopper)
        for user in range(users)
    }
