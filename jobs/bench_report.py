"""What a person sees of a measurement: tables, with the machine and its load above them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.bench_latency import Latency, Quantiles
from jobs.bench_machine import Machine
from jobs.bench_models import ModelCost
from jobs.bench_pipeline import Throughput
from jobs.bench_plain import PER_LIST, PlainFigures, Scale
from jobs.bench_size import UserSize
from jobs.bench_sources import SourceCosts


def tell_machine(machine: Machine, settings: Mapping[str, Any], out: Console) -> None:
    """Print on what is measured, and with which settings."""
    load = " ".join(f"{each:.1f}" for each in machine.load)
    out.print(
        f"{machine.date}: {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.system},"
        f" Python {machine.python}; load {load}"
    )
    out.print("  " + ", ".join(f"{name} {version}" for name, version in machine.versions.items()))
    refresh = settings["refresh"]
    out.print(
        f"  on: {', '.join(settings['on'])}; model: {settings['model']}\n  refresh: interval"
        f" {refresh.interval} to {refresh.most_interval} ms, target delay {refresh.target_delay} ms,"
        f" share {refresh.share:g}; checkpoints every {settings['checkpoint_seconds']:g} s"
    )
    if machine.busy:
        out.print("[yellow]the machine is busy with other work: these figures are too low[/]")
    if settings["quick"]:
        out.print("[yellow]--quick only shows that everything runs: its figures mean nothing[/]")


def tell(what: str, figures: Any, out: Console) -> None:
    """Print one part's figures."""
    _TELL[what](figures, out)


def tell_ratios(ratios: Mapping[int, float], out: Console) -> None:
    """Print the pipeline's throughput as a share of the plain loop's with as many lists an event."""
    for task_managers, ratio in ratios.items():
        out.print(f"{task_managers} TaskManagers: {ratio:.2f} of the plain loop with as many lists an event")


def _plain(figures: PlainFigures, out: Console) -> None:
    out.print(
        f"\n[bold]plain loop[/]: {figures.events_per_s:,.0f} events/s with {figures.lists_per_s:,.0f} lists/s"
        f" ({figures.lists_per_event:.2f} an event; it had {figures.processor:.0%} of a processor)"
    )
    rows = [
        (name, f"{us:.1f}", "list" if name in PER_LIST else "event") for name, us in figures.stages.items()
    ]
    rows += [("all of an event", f"{figures.event_us:.1f}", "event")]
    rows += [("all of a list", f"{figures.list_us:.1f}", "list")]
    _table(("stage", "µs", "per"), rows, out)


def _batches(batches: Mapping[int, Mapping[str, float]], out: Console) -> None:
    out.print("\n[bold]rank stage[/], µs a user by users in a batch")
    parts = next(iter(batches.values())).keys()
    rows = [(part, *(f"{batch[part]:.0f}" for batch in batches.values())) for part in parts]
    _table(("", *map(str, batches)), rows, out)


def _scale(scales: Iterable[Scale], out: Console) -> None:
    out.print("\n[bold]cost by size of the world[/]")
    rows = [(f"{s.users:,}", f"{s.items:,}", f"{s.event_us:.1f}", f"{s.list_us:.0f}") for s in scales]
    _table(("users", "items", "µs an event", "µs a list"), rows, out)


def _models(cost: ModelCost, out: Console) -> None:
    out.print("\n[bold]learners of a user's weights[/], processor time")
    rows = [(name, f"{us:.1f}", f"{cost.user_bytes[name]:,}") for name, us in cost.users.items()]
    _table(("learner", "µs an update", "bytes a user"), rows, out)
    out.print(
        f"\n[bold]models of the stream[/]: a prediction {cost.predict:.0f} µs, a row of the table {cost.row:.0f} µs;"
        f" stored in {cost.store_ms:.0f} ms, {cost.model_bytes:,} bytes"
    )
    _table(
        ("model, members", "µs an example"), [(name, f"{us:.0f}") for name, us in cost.update.items()], out
    )


def _pipeline(run: Throughput, out: Console) -> None:
    out.print(f"\n[bold]pipeline[/], TaskManagers: {run.task_managers}")
    rows = [
        ("events/s in steady state", f"{run.events_per_s:,.0f} over {run.steady_s:.0f} s"),
        ("events/s with start-up", f"{run.whole_events_per_s:,.0f} (tasks ran after {run.start_s:.0f} s)"),
        ("refreshes/s", f"{run.refreshes_per_s:,.0f} ({run.refreshed:.2f} an event)"),
        ("leading edge", f"{run.leading:.0%}"),
        ("distinct users", f"{run.users:,}"),
        ("list-changing", f"{run.list_changing:.0%} of {run.events:,} events"),
        ("list age p50, p99", f"{run.list_age_p50:,.0f}, {run.list_age_p99:,.0f} ms"),
        ("leading, trailing p99", f"{run.leading_p99:,.0f}, {run.trailing_p99:,.0f} ms"),
        (
            "rank + Redis a list",
            f"{run.rank_us:.0f} + {run.redis_us:.0f} µs, {run.lists_a_batch:.0f} a batch",
        ),
        ("counts", "yes" if run.counts else "no: " + "; ".join(run.why_not)),
    ]
    _table(("", ""), rows, out)


def _garbage(rates: Mapping[str, float], out: Console) -> None:
    out.print(
        f"\n[bold]garbage[/]: {rates['with garbage']:,.0f} good events/s among as many messages that nobody can"
        f" read, {rates['alone']:,.0f} alone: {rates['share']:.2f}; the TaskManager's processor time a good event"
        f" {rates['with garbage µs']:,.0f} and {rates['alone µs']:,.0f} µs: {rates['share of processor time']:.2f}"
    )


def _latency(run: Latency, out: Console) -> None:
    out.print(
        f"\n[bold]latency[/] at {run.rate:,.0f}/s for {run.seconds:.0f} s, from intended sending to Redis;"
        f" {run.refreshes_per_s:,.0f} refreshes/s, {run.leading_share:.0%} of the events leading,"
        f" {run.coalesced_share:.0%} coalesced, {run.uncovered:,} uncovered, and {run.of_bots:,} of bots;"
        f" producer late p50 {run.late_p50:.0f}, p99 {run.late_p99:.0f}, most {run.late_most:.0f} ms"
    )
    rows = [
        (name, *_quantiles(part))
        for name, part in (("every event", run.every), ("leading", run.leading), ("trailing", run.trailing))
    ]
    _table(("ms", "events", "p50", "p90", "p99", "max"), rows, out)


def _size(sizes: Mapping[str, UserSize], out: Console) -> None:
    for name, size in sizes.items():
        out.print(
            f"\n[bold]bytes a user[/], {name}: {size.users:,} users, {size.mean_events:.0f} events each"
        )
        rows = [
            (f"Redis {kind}", f"{part.mean:,.0f}", f"{part.p99:,}", f"{size.gib_per_million[kind]:.2f}")
            for kind, part in size.redis.items()
        ]
        rows.append(("Redis in all", "", "", f"{size.gib_per_million['all']:.2f}"))
        rows += [
            (f"state {kind}", f"{part.mean:,.0f}", f"{part.p99:,}", "") for kind, part in size.state.items()
        ]
        _table(("", "mean", "p99", "GiB a million"), rows, out)


def _quantiles(part: Quantiles) -> tuple[str, ...]:
    return f"{part.count:,}", *(f"{ms:,.0f}" for ms in (part.p50, part.p90, part.p99, part.most))


def _table(headings: Iterable[str], rows: Iterable[tuple[str, ...]], out: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _sources(costs: SourceCosts, out: Console) -> None:
    out.print(
        f"\n[bold]sources of candidates[/]: a list of {costs.users:,} users takes {costs.list_us:.0f} µs, a model apart"
    )
    rows = [(source, f"{us:+.1f}", "on") for source, us in costs.saved.items()]
    rows += [(source, f"{us:+.1f}", "off") for source, us in costs.added.items()]
    _table(("source", "µs a list", "is"), rows, out)


_TELL: dict[str, Callable[[Any, Console], None]] = {
    "plain": _plain, "batches": _batches, "scale": _scale, "models": _models, "size": _size,
    "pipeline": _pipeline, "latency": _latency, "garbage": _garbage, "sources": _sources,
}  # fmt: skip
