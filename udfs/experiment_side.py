"""Experiments in Redis: the newest record of each, and the word to every worker that it has changed."""

from __future__ import annotations

from operators.experiment_record import decode_experiment, encode_experiment
from udfs.told_side import ToldSide

_EXPERIMENTS = ToldSide(lambda names: names.experiments, decode_experiment, encode_experiment)

write_experiment = _EXPERIMENTS.write
stored_experiments = _EXPERIMENTS.stored
