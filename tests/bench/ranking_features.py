"""What features give to a ranker on recorded events, each set beside the standard one. A command, not a test.

    python tests/bench/ranking_features.py FILE [--also NAME,NAME ...] [--without NAME,NAME ...] [--seeds 2]

One replay makes the lists, with all features that are asked for. Then the network of `headrace train` is trained on
each set of columns and judged on the same later events. Prints a table in Markdown: HR@20 and MRR@20, and the
gain of MRR over the standard features with its standard error, by pairs of the same list and seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobs.listwise_network import fit_listwise
from jobs.ranking_set import RankingSet, quality, reciprocal_ranks
from jobs.settings import Settings
from jobs.train import training_by
from jobs.train_ranker import RankerSettings
from jobs.training_settings import TrainingSettings
from operators.features import FEATURES

LAYERS = (32, 16)


def of_columns(lists: RankingSet, names: Sequence[str], chosen: Sequence[str]) -> RankingSet:
    """The same lists with these features alone."""
    return replace(lists, rows=np.ascontiguousarray(lists.rows[:, [names.index(name) for name in chosen]]))


def scores(
    train: RankingSet, validation: RankingSet, names: Sequence[str], chosen: Sequence[str], seed: int
) -> npt.NDArray[np.float32]:
    """float32[n] of the validation rows, by a network trained on the features `chosen`."""
    settings = RankerSettings(seed=seed)
    network = fit_listwise(of_columns(train, names, chosen), LAYERS, settings.epochs, seed)
    return network.score(of_columns(validation, names, chosen).rows)


def compare(file: Path, sets: dict[str, tuple[str, ...]], seeds: int) -> None:
    """Print the figures of each set of features."""
    names = tuple(dict.fromkeys(name for chosen in sets.values() for name in chosen))
    training = training_by(Settings(), TrainingSettings(features=names))
    made = training.lists(training.read(file, None))
    train, validation = made.train.thinned(RankerSettings().negatives, 7), made.validation
    blend = quality(validation, validation.blend)
    print(f"{validation.counted:,} later events, {validation.counted_strict:,} of them strict\n")
    print(
        "| features | HR@20 | MRR@20 | strict HR@20 | strict MRR@20 | gain of MRR@20 |\n|---|---|---|---|---|---|"
    )
    cells = (blend.hr, blend.mrr, blend.hr_strict, blend.mrr_strict)
    print(f"| none: the blend of sources | {' | '.join(f'{cell:.4f}' for cell in cells)} | |")
    standard: list[npt.NDArray[np.float64]] = []
    for label, chosen in sets.items():
        found = [scores(train, validation, names, chosen, seed) for seed in range(7, 7 + seeds)]
        each = [quality(validation, scored) for scored in found]
        cells = tuple(
            float(np.mean([getattr(q, what) for q in each]))
            for what in ("hr", "mrr", "hr_strict", "mrr_strict")
        )
        ranks = [reciprocal_ranks(validation, scored) for scored in found]
        standard = standard or ranks
        gain = np.mean(ranks, axis=0) - np.mean(standard, axis=0)
        share = len(gain) / max(validation.counted, 1)
        told = f"{gain.mean() * share:+.4f} ± {gain.std(ddof=1) / np.sqrt(len(gain)) * share:.4f}"
        print(f"| {label} | {' | '.join(f'{cell:.4f}' for cell in cells)} | {told} |", flush=True)


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--also", action="append", default=[], help="features beside the standard ones")
    parser.add_argument("--without", action="append", default=[], help="standard features left out")
    parser.add_argument("--seeds", type=int, default=2, help="networks a set, whose ranks are averaged")
    given = parser.parse_args()
    sets = {"standard": FEATURES}
    for names in given.also:
        sets[f"and {names}"] = (*FEATURES, *names.split(","))
    for names in given.without:
        sets[f"without {names}"] = tuple(name for name in FEATURES if name not in names.split(","))
    compare(given.file, sets, given.seeds)


if __name__ == "__main__":
    main()
