"""The control messages that change how users are followed, each kind with who takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from operators.backfill import Backfill, cut_over_of
from operators.bundle_manifest import BundleRefused, BundleRefusedHere
from operators.context_rule import RULE, ContextRule
from operators.context_rules import RulesInForce, record_of_rule
from operators.control import Take
from operators.experiment import EXPERIMENT, Experiment
from operators.experiments import ExperimentsInForce, record_of_experiment
from operators.following import Following
from operators.idle_clock import IdleClock
from operators.model_reference import record_of
from operators.persona import PersonaModel
from operators.persona_bundle import PERSONAS, load_referenced
from operators.retrain_policy import KIND as RETRAIN
from operators.segments import SegmentRule
from operators.traffic_settings import PolicyRefused, TrafficSettings, with_policy
from schemas.records import Control


class FollowingControl:
    """Puts control messages in force for one subtask: segments, policies, personas, cut-overs.

    `rules` of segments, `context_rules` and `experiments` are in force from the beginning; a message of the same name
    takes the place of one, and gives it back when it is deleted.

    >>> from operators.following import FollowingSettings
    >>> following = Following(FollowingSettings(), {})
    >>> control = FollowingControl(following, [], TrafficSettings(), Backfill(), IdleClock(now=0))
    >>> sorted(control.takers())
    ['backfill', 'experiment', 'model', 'personas', 'policy', 'retrain', 'rule', 'segment']
    """

    def __init__(
        self,
        following: Following,
        rules: Sequence[SegmentRule],
        traffic: TrafficSettings,
        backfill: Backfill,
        clock: IdleClock,
        context_rules: Sequence[ContextRule] = (),
        experiments: Sequence[Experiment] = (),
    ) -> None:
        self._following = following
        self._context_rules = RulesInForce(context_rules)
        self._rules = {rule.name: rule for rule in rules}
        self._traffic = traffic
        self._backfill = backfill
        self._clock = clock
        self._tried = ExperimentsInForce(experiments)
        self._personas_in_force: PersonaModel | None = None
        self._book = following.book(rules)
        following.use_segments(self._book)

    def takers(self) -> Mapping[str, Take]:
        """Who takes which kind of message."""
        return {
            "segment": self._segment,
            "policy": self._policy,
            PERSONAS: self._personas,
            "backfill": self._cut_over,
            "model": _only_checked,
            RETRAIN: _nothing,
            RULE: self._context_rule,
            EXPERIMENT: self._experiment,
        }

    def _segment(self, control: Control) -> None:
        if not control.deleted:
            rule = SegmentRule.from_body(control.name, control.version, control.body)
            book = self._book.with_rule(rule)
        elif control.name in self._rules:
            book = self._book.with_rule(self._rules[control.name])
        else:
            book = self._book.without(control.name)
        if book.fingerprint != self._book.fingerprint:
            self._following.use_segments(book)
        self._book = book

    def _policy(self, control: Control) -> None:
        if control.name != "traffic":
            raise PolicyRefused(f"policy {control.name!r} is not known; known: traffic")
        told = self._traffic if control.deleted else with_policy(self._traffic, control.body)
        self._following.use_traffic(told)

    def _personas(self, control: Control) -> None:
        if control.name != PERSONAS:
            raise BundleRefused(
                f"personas {control.name!r} are not known: one bundle is in force, under the name {PERSONAS}"
            )
        in_force = self._personas_in_force
        try:
            told = None if control.deleted else load_referenced(control.body)
        except BundleRefused as why:
            stays = f"{in_force.name} stays in force" if in_force else "users keep the persona they have"
            raise BundleRefusedHere(f"{why}; {stays}") from why
        self._following.use_personas(told)
        self._personas_in_force = told

    def _context_rule(self, control: Control) -> None:
        """Context rules are the rank workers' to follow; which are in force is known here to refuse one too many."""
        self._context_rules.offer(record_of_rule(control))

    def _experiment(self, control: Control) -> None:
        """The rank workers follow it; here is known which others it must go together with."""
        self._tried.offer(record_of_experiment(control))

    def _cut_over(self, control: Control) -> None:
        if control.deleted:
            self._backfill.cut_over(0)
            return
        told = cut_over_of(control.body)
        self._backfill.cut_over(told.until)
        self._clock.anchor(told.until, told.declared)


def _only_checked(control: Control) -> None:
    """Which model serves is the rank workers' to follow: whoever takes the message passes it on to Redis."""
    record_of(control)


def _nothing(control: Control) -> None:
    """For messages to others that share the topic."""
