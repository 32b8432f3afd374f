"""The slots of a rank worker, and the context rules and experiments that messages bring while it runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from operators.context_rule import ContextRule, RuleRefused
from operators.context_rules import RuleRecord, RulesInForce
from operators.experiment import Experiment
from operators.experiment_record import ExperimentRecord
from operators.experiments import ExperimentsInForce
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf import Shelf
from operators.slot_ranker import SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import SlotSettings, selectors_of, slots_of
from operators.treatment import Treatments
from schemas.worker_models import RuleRefusal

logger = logging.getLogger(__name__)

MOST_REFUSED = 16
"""So many refused rules are told."""


class SlotFollower:
    """Gives out a ranker of all slots, by the rules and experiments that are in force when it is asked.

    `zone` is the IANA time zone of users whose country is not known. `offer` and `try_out` may be called by another
    thread.
    """

    def __init__(
        self,
        shelf: Shelf,
        rank: RankSettings,
        slots: Mapping[str, SlotSettings],
        rules: Iterable[ContextRule],
        zone: str,
        experiments: Iterable[Experiment] = (),
    ) -> None:
        self._shelf = shelf
        self._zone = zone
        self._slots = slots_of(slots, rank)
        self._in_force = RulesInForce(rules)
        self._lock = threading.Lock()
        self._refused: dict[str, RuleRefusal] = {}
        self._rules = self._made()
        self._rank = rank
        self._tried = ExperimentsInForce(experiments)
        self._treatments = Treatments(self._tried.all(), rank, shelf)
        self._ranker: SlotRanker | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The slots beside `home`, in the order in which they are published."""
        return tuple(slot.name for slot in self._slots[1:])

    def ranker(self, ranker: Ranker) -> SlotRanker:
        """A ranker of all slots that has this one, and the rules and experiments of now. For the thread that ranks."""
        held, rules, treatments = self._ranker, self._rules, self._treatments
        if held is None or held.ranker is not ranker or held.rules is not rules:
            held = self._ranker = SlotRanker(ranker, rules, treatments)
        held.treatments = treatments
        return held

    def offer(self, record: RuleRecord) -> None:
        """Put what a message said of a rule in force. A rule that cannot be used changes nothing, and is logged."""
        with self._lock:
            before = self._in_force.all()
            try:
                taken = self._in_force.offer(record)
            except RuleRefused as why:
                logger.error("a context rule is refused: %s; the rules in force stay", why)
                self._refuse(record, str(why))
                return
            if taken:
                self._refused.pop(record.name, None)
            if taken and self._in_force.all() != before:
                # Items are marked while batches go on by the rules of before; then one reference changes. A batch
                # may have fetched it just now, so what those rules ask of items goes with the next change only.
                self._rules = self._made()
                with self._shelf.lock:
                    self._shelf.traits.keep(selectors_of(self._slots, (*before, *self._in_force.all())))
                logger.info("context rules in force: %s", ", ".join(self._rules.weights.names) or "none")

    def try_out(self, records: Sequence[ExperimentRecord]) -> None:
        """Put what messages said of experiments in force. One that cannot be used changes nothing, and is logged."""
        with self._lock:
            before = self._tried.all()
            for why in self._tried.offer_all(records):
                logger.error("an experiment is refused: %s; those in force stay", why)
            now = self._tried.all()
            if now != before:
                self._treatments = Treatments(now, self._rank, self._shelf)
                logger.info("experiments in force: %s", ", ".join(each.name for each in now) or "none")

    def tried(self) -> list[ExperimentRecord]:
        """The newest message of every experiment."""
        with self._lock:
            return self._tried.records()

    def refused(self) -> list[RuleRefusal]:
        """The rules whose newest message was refused, at most `MOST_REFUSED`, the latest last."""
        with self._lock:
            return list(self._refused.values())

    def records(self) -> list[RuleRecord]:
        """The newest message of every rule."""
        with self._lock:
            return self._in_force.records()

    def _refuse(self, record: RuleRecord, why: str) -> None:
        before = self._refused.get(record.name)
        if before is not None and (before.version, before.why) == (record.version, why):
            return  # the shelf is filled anew
        self._refused.pop(record.name, None)
        while len(self._refused) >= MOST_REFUSED:
            del self._refused[next(iter(self._refused))]
        now = time.time_ns() // 1_000_000
        self._refused[record.name] = RuleRefusal(name=record.name, version=record.version, why=why, at=now)

    def _made(self) -> SlotRules:
        return SlotRules(self._slots, self._in_force.all(), self._shelf, self._zone)
