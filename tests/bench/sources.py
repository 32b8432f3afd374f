"""What sources of candidates give and cost on recorded events, each set beside the settings as they are. A command.

    python tests/bench/sources.py FILE [--limit EVENTS] [--every 10] [--strict] [--arrivals] [--model BUNDLE]
        --variant SETTING=VALUE[,SETTING=VALUE] ...

One replay of the events; at every tenth that counts by the protocol of docs/quality.md, from the second fifth on, all
variants make their lists from the same state: the lists that the job made last, of a session's end where the event
comes after it. With `--strict` strict events alone count. A setting is one of `rank.candidates`, `next_visit`,
`next_visit_past`, or `blend.SOURCE`. Prints HR@20, MRR@20, the same of strict events, HR@20 of items touched fewer
than 3 times before, the gain of MRR@20 over the first row with its standard error by pairs, and µs of processor time a
list. With `--arrivals` an item arrives on the catalogue when it is first touched. With `--model` all rank with this
bundle, events count after its data, and new are the items that it has no vector of.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from jobs.models_read import models_read
from jobs.plain_stream import PlainStream
from jobs.settings import load
from jobs.training_events import read_training_events
from operators.bundle import load_bundle
from operators.feature_plan import known_features
from operators.next_visit import list_gap, list_time
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf_records import Arrivals
from schemas.records import Event

FEW = 3
"""Touches of an item until which it is new."""


def variant(spec: str, base: RankSettings) -> RankSettings:
    """The settings with those of `spec`."""
    candidates, blend = base.candidates, dict(base.blend)
    for part in filter(None, spec.split(",")):
        name, value = part.split("=")
        if name.startswith("blend."):
            blend[name.removeprefix("blend.")] = float(value)
        elif name in ("next_visit", "next_visit_past"):
            base = replace(base, **{name: float(value)})
        else:
            candidates = replace(candidates, **{name: type(getattr(candidates, name))(float(value))})
    return replace(base, candidates=candidates, blend=blend)


def main(
    file: Path,
    limit: int | None,
    every: int,
    only_strict: bool,
    arrivals: bool,
    model: Path | None,
    specs: list[str],
) -> None:
    told = load(None)
    data = read_training_events(file, None, told.ingest.with_limits())
    events: list[Event] = data.events[:limit]
    names = ["as it is", *specs]
    ranks_by = [variant(spec, told.rank) for spec in ["", *specs]]
    bundle = None if model is None else load_bundle(model, known_features(told.step))
    read = models_read(told.models, ranks_by, [bundle])
    stream = PlainStream(data.items, told.step, told.statistics, told.shelf, models=read)
    gap = list_gap(told.step.session_gap, told.refresh.at_session_end)
    since = events[len(events) // 5].time if bundle is None else bundle.manifest.data.last
    vectors = set() if bundle is None else set(np.array(bundle.item_ids)[bundle.factors.any(axis=1)].tolist())
    rankers = [Ranker(stream.shelf, settings, bundle, stream.step) for settings in ranks_by]
    ranks: list[list[int]] = [[] for _ in rankers]
    spent, strict, fresh, counting = [0.0] * len(rankers), [], [], 0
    touches: Counter[str] = Counter()
    arrived: set[str] = set()
    for event in events:
        if event.time > since and stream.counts(event):
            state = stream.states[event.user_id]
            is_later = bool(state.recent) and event.time > state.recent[-1].time
            counting += is_later or not only_strict
            if counting % every == 0 and (is_later or not only_strict):
                stream.catch_up()
                at = list_time(state, event.time, gap)
                barred = [sorted(stream.touched.get(event.user_id, ()))]
                few = touches[str(event.item_id)] < FEW
                fresh.append(few if bundle is None else event.item_id not in vectors)
                strict.append(is_later)
                for k in np.roll(np.arange(len(rankers)), counting).tolist():
                    began = time.thread_time()
                    [made] = rankers[k].rank([state], [at], barred)
                    spent[k] += time.thread_time() - began
                    item = str(event.item_id)
                    ranks[k].append(made.items.index(item) + 1 if item in made.items else 0)
        stream.learn(event)
        if event.item_id is not None:
            touches[event.item_id] += 1
        if arrivals and event.item_id is not None and event.item_id not in arrived:
            arrived.add(event.item_id)
            stream.shelf.apply(Arrivals([event.item_id], [event.time]))
    rank, is_strict, is_new = np.array(ranks), np.array(strict), np.array(fresh)
    gain = np.where(rank > 0, 1.0 / np.maximum(rank, 1), 0.0)
    print(f"{rank.shape[1]:,} events, {is_strict.sum():,} of them strict, {is_new.sum():,} of new items\n")
    heads = (
        "variant",
        "HR@20",
        "MRR@20",
        "strict HR@20",
        "strict MRR@20",
        "new HR@20",
        "new MRR@20",
        "gain of MRR@20",
        "µs",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for k, name in enumerate(names):
        more = gain[k] - gain[0]
        cells = (
            (rank[k] > 0).mean(), gain[k].mean(), (rank[k, is_strict] > 0).mean(), gain[k, is_strict].mean(),
            (rank[k, is_new] > 0).mean(), gain[k, is_new].mean(),
        )  # fmt: skip
        error = more.std() / np.sqrt(len(more))
        print(
            f"| {name} | {' | '.join(f'{cell:.4f}' for cell in cells)} | {more.mean():+.4f} ± {error:.4f}"
            f" | {spent[k] / len(more) * 1e6:.0f} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--arrivals", action="store_true")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--variant", action="append", default=[])
    told = parser.parse_args()
    main(told.file, told.limit, told.every, told.strict, told.arrivals, told.model, told.variant)
