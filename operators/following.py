"""Following one user with every concern, in the order in which they see an event.

The answer depends on the user's own accepted events, on the settings and on the configuration in force alone:
so the Flink job, `evaluate` and a replay after a crash give the same record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from operators.affinity import AffinityModel
from operators.item_facts import NOTHING_KNOWN, Catalogue
from operators.persona import PersonaModel, PersonaSettings, PersonaStep
from operators.persona_vector import PersonaVector
from operators.profile_features import profile_features
from operators.segments import SegmentBook, SegmentRule, SegmentStep, Transition
from operators.segments.reading import Affinities
from operators.traffic import CLEAN, TrafficStep, Verdict, is_repeat
from operators.traffic_settings import TrafficSettings
from operators.user_step import StepOutcome, StepSettings, UserStep
from schemas.records import Event
from schemas.state import UserState


@dataclass(frozen=True)
class FollowingSettings:
    """How users are followed, by every concern."""

    step: StepSettings = StepSettings()
    traffic: TrafficSettings = TrafficSettings()
    personas: PersonaSettings = PersonaSettings()


@dataclass(frozen=True)
class Followed:
    """What came of one event: `outcome` of the user step, less what a bot's events are kept out of.

    `transitions` are the segments entered and left, the earliest first.
    """

    outcome: StepOutcome
    transitions: Sequence[Transition] = ()
    verdict: Verdict = CLEAN


class Following:
    """Applies events to user records. Holds nothing of any user itself.

    `pseudonym_of` makes user ids that the settings name into the pseudonyms of records.

    >>> following = Following(FollowingSettings(), Catalogue())
    >>> following.use_segments(following.book([SegmentRule(name="keen", when='count("view", within="1h") >= 2')]))
    >>> user = UserState("pseudonym", born=0)
    >>> for n in (0, 1):
    ...     view = Event(event_id=str(n), user_id="ann", type="view", time=n, item_id="mug")
    ...     followed = following.update(user, view, None)
    >>> [change.segment for change in followed.transitions], user.segments, following.next_due(user)
    (['keen'], ['keen'], 3600000)
    """

    def __init__(
        self,
        settings: FollowingSettings,
        catalogue: Catalogue,
        pseudonym_of: Callable[[str], str] = str,
    ) -> None:
        self._catalogue = catalogue
        self._affinities = Affinities.of(settings.step)
        self._step = UserStep(settings.step, catalogue)
        self._repeats_within = settings.step.session_gap
        self._traffic = TrafficStep(settings.traffic, pseudonym_of)
        self._features = profile_features(settings.step)
        self._personas = PersonaStep(settings.personas, PersonaVector(self._features))
        self._segments = SegmentStep(self.book([]))

    @property
    def model(self) -> AffinityModel:
        """The affinity model, as it learns."""
        return self._step.model

    def book(self, rules: Iterable[SegmentRule]) -> SegmentBook:
        """The book of these rules, which read the features of users so followed. Raises `SegmentRefused`."""
        return SegmentBook.of(rules, self._features, self._affinities)

    def use_segments(self, book: SegmentBook) -> None:
        """Judge by these rules from now on; each user is judged anew with their next event or due time."""
        self._segments = SegmentStep(book)

    def use_personas(self, model: PersonaModel | None) -> None:
        """Assign these personas from now on, each user with their next due event."""
        self._personas.use(model)

    def use_traffic(self, settings: TrafficSettings) -> None:
        """Tell bots and internal traffic by these settings from now on."""
        self._traffic.configure(settings)

    def needs_drift_window(self, user: UserState, event: Event) -> bool:
        """Whether `update` may feed the user's drift detector, and so needs its stored window."""
        return self._step.needs_drift_window(user, event)

    def update(self, user: UserState, event: Event, drift_window: bytes | None) -> Followed:
        """Apply one event to `user`, in place. A refused event changes nothing."""
        refused = self._step.refusal(user, event)
        if refused is not None:
            return Followed(refused)
        # What was due before the event is judged by the record as it was then.
        due_before = self.advance(user, event.time - 1)
        repeat = is_repeat(user.recent, event, self._repeats_within)
        outcome = self._step.apply(user, event, drift_window)
        verdict = self._traffic.update(user.traffic, event, user.uid)
        self._personas.update(user)
        facts = NOTHING_KNOWN if event.item_id is None else self._catalogue.get(event.item_id, NOTHING_KNOWN)
        entered = self._segments.update(user, event, facts, event.time)
        return Followed(_kept_out(outcome, verdict, repeat), (*due_before, *entered), verdict)

    def advance(self, user: UserState, now: int) -> Sequence[Transition]:
        """All changes that time alone brings until `now` (event time, ms), the earliest first."""
        return self._segments.advance(user, now) if user.segment_memory.dues else ()

    def next_due(self, user: UserState) -> int | None:
        """The earliest event time (ms) at which something may change without an event; None: never."""
        return self._segments.next_due(user)


def _kept_out(outcome: StepOutcome, verdict: Verdict, repeat: bool) -> StepOutcome:
    """The outcome without what the event is not to move: lists and item statistics."""
    if not verdict.tagged and not repeat and verdict.weight == 1.0:
        return outcome
    step = outcome.step
    if step is not None:
        weight = 0.0 if repeat or verdict.tagged else step.weight * verdict.weight
        step = msgspec.structs.replace(step, weight=weight) if weight else None
    return replace(outcome, changes_list=outcome.changes_list and not verdict.tagged, step=step)
