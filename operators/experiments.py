"""Experiments in files and on their way to the rank workers: which are in force, and which cannot be so together."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import msgspec

from operators.experiment import Experiment, experiment_of, experiment_of_control
from operators.experiment_record import ExperimentRecord, ExperimentRefused
from operators.in_force import InForce
from operators.named_tables import named_tables
from schemas.records import Control

MOST_EXPERIMENTS = 16
"""Experiments in force at once."""


def record_of_experiment(control: Control) -> ExperimentRecord:
    """What a control message says of an experiment. Raises `ExperimentRefused`."""
    told = experiment_of_control(control)
    body = None if told is None else msgspec.json.decode(control.body)
    return ExperimentRecord(name=control.name, version=control.version, experiment=body)


class ExperimentsInForce(InForce[ExperimentRecord, Experiment]):
    """The experiments of the settings, and in their place or beside them those of the newest records.

    Two that change the same of lists must have no user in common: of one layer with shares that lie apart, or at other
    times. Raises `ExperimentRefused`.

    >>> body = {"variants": {"as_is": {}, "without": {"off": ["trending"]}}}
    >>> running = ExperimentsInForce([])
    >>> running.offer(ExperimentRecord(name="quiet", version=1, experiment=body))
    True
    >>> running.offer(ExperimentRecord(name="quieter", version=1, experiment={**body, "layer": "quiet"}))
    Traceback (most recent call last):
    operators.experiment_record.ExperimentRefused: "quiet" and "quieter" change the source trending for the same users
    """

    def __init__(self, settings: Iterable[Experiment]) -> None:
        super().__init__(settings, _experiment_in, refuse_conflicts)


def experiments_of_file(text: str, source: str) -> tuple[Experiment, ...]:
    """The experiments of a TOML file's text, which `source` names in errors. Raises `ExperimentRefused`."""
    try:
        tables = named_tables(text, "experiments", "variants")
        made = tuple(experiment_of(name, table) for name, table in tables.items())
        refuse_conflicts(tuple(each for each in made if each.enabled))
    except (ValueError, ExperimentRefused) as why:
        raise ExperimentRefused(f"{source}: {why}") from None
    return made


def refuse_conflicts(experiments: tuple[Experiment, ...]) -> None:
    """Raise `ExperimentRefused` for experiments that cannot be in force together."""
    if len(experiments) > MOST_EXPERIMENTS:
        raise ExperimentRefused(
            f"{len(experiments)} experiments are in force with this one; {MOST_EXPERIMENTS} are possible"
        )
    for one, other in combinations(experiments, 2):
        both = sorted(one.changes & other.changes)
        if both and one.may_share_users(other):
            raise ExperimentRefused(f'"{one.name}" and "{other.name}" change {both[0]} for the same users')


def _experiment_in(record: ExperimentRecord) -> Experiment | None:
    if record.experiment is None:
        return None
    return experiment_of(record.name, {**record.experiment, "version": record.version})
