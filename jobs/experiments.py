"""`headrace experiments`: experiments in files, checked, brought to the running job, and who is in them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import redis
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs import options
from jobs.control_answers import bring, topics_of
from jobs.settings import Settings
from jobs.text_file import text_of
from jobs.user import Prefix, UserUnknown, chosen_settings, read_user, user_keys
from operators.experiment import EXPERIMENT, Experiment, Variant
from operators.experiment_record import ExperimentRefused
from operators.experiments import ExperimentsInForce, experiments_of_file
from operators.named_tables import named_tables
from schemas.errors import HeadraceError
from schemas.records import Control
from schemas.redis_keys import RedisKeys
from udfs.experiment_side import stored_experiments

app = typer.Typer(
    help="Check experiments, bring them to the job, and see who is in them.", no_args_is_help=True
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="Experiments (TOML).")]


class ExperimentUnknown(HeadraceError):  # noqa: N818 (an answer, told as one line)
    """An experiment that is not there."""


@app.command("check")
def check(file: File, as_json: options.AsJson = False) -> None:
    """Check all experiments of a file: sources, weights, times, and whether they can run together.

    Example: headrace experiments check experiments.toml
    """
    found = experiments_of_file(text_of(str(file)), str(file))
    if as_json:
        print(json.dumps({"experiments": [each.name for each in found]}))
    else:
        print(f"{file}: {len(found)} {'experiment is' if len(found) == 1 else 'experiments are'} right")


@app.command("put")
def put(
    file: File,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Only these.")] = None,
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Bring the experiments of a file to the running job: new ones, and new versions of those that it has.

    The version of an experiment is what the file says (version = 2), else the seconds since 1970.

    Example: headrace experiments put experiments.toml --brokers kafka:9092
    """
    text, now = text_of(str(file)), int(time.time())
    experiments_of_file(text, str(file))
    tables = named_tables(text, "experiments", "variants")
    for name in names or ():
        if name not in tables:
            raise ExperimentUnknown(f'{file} has no experiment "{name}"; it has: {", ".join(tables)}')
    controls = {
        name: Control(kind=EXPERIMENT, name=name, version=table.get("version", now), body=body_of(table))
        for name, table in tables.items()
        if not names or name in names
    }
    bring(controls, topics_of(config, brokers), as_json)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """End an experiment in the running job: with their next list, its users have what all have.

    Example: headrace experiments remove quiet --brokers kafka:9092
    """
    control = Control(kind=EXPERIMENT, name=name, version=int(time.time()), deleted=True)
    bring({name: control}, topics_of(config, brokers), as_json)


@app.command("list")
def listed(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A file (TOML); none: those in force.")
    ] = None,
    url: options.Redis = None,
    prefix: Prefix = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """List the experiments in force: those of the settings, and those that the running job was brought.

    Example: headrace experiments list
    """
    if file is not None:
        found = experiments_of_file(text_of(str(file)), str(file))
    else:
        found = in_force(chosen_settings(config, url, prefix))
    if as_json:
        print(json.dumps([told(each) for each in found]))
        return
    table = Table("experiment", "users", "when", "variants", "changes", box=None, header_style="bold")
    for each in found:
        off = "" if each.enabled else " (not enabled)"
        variants = ", ".join(f"{name} {variant.weight:g}" for name, variant in each.variants.items())
        row = (each.name + off, _users(each), _when(each), variants, ", ".join(sorted(each.changes)))
        table.add_row(*map(escape, row))
    Console().print(table if found else "no experiment is in force")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    user: Annotated[str | None, typer.Option("--user", help="Tell the variant of this user.")] = None,
    url: options.Redis = None,
    prefix: Prefix = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Show an experiment in force, and with --user which variant a user is in.

    Example: headrace experiments show quiet --user ann
    """
    chosen = chosen_settings(config, url, prefix)
    running = {each.name: each for each in in_force(chosen)}
    if name not in running:
        raise ExperimentUnknown(
            f'no experiment "{name}" is in force; in force: {", ".join(running) or "none"}'
        )
    experiment = running[name]
    shown = told(experiment) | (_of_user(experiment, user, chosen) if user is not None else {})
    if as_json:
        print(json.dumps(shown))
        return
    print(f"{name} version {experiment.version}: {experiment.description or 'no description'}")
    print(f"  users     {_users(experiment)}")
    print(f"  when      {_when(experiment)}")
    for each, variant in experiment.variants.items():
        print(f"  {each:<10}weight {variant.weight:g}: {_changes(variant)}")
    if user is not None:
        variant_of_user = shown["variant"]
        print(f"{user} ({shown['uid']}): {variant_of_user or 'not in it'}")


def body_of(table: Mapping[str, Any]) -> str:
    """The body of a control message that brings a parsed table: JSON, with times as ISO 8601 text.

    >>> body_of({"version": 2, "from": date(2026, 3, 1), "variants": {}})
    '{"from": "2026-03-01", "variants": {}}'
    """

    def text(value: object) -> str:
        if isinstance(value, date):
            return value.isoformat()
        raise ExperimentRefused(f"{value!r} cannot be part of an experiment")

    return json.dumps({field: value for field, value in table.items() if field != "version"}, default=text)


def in_force(chosen: Settings) -> tuple[Experiment, ...]:
    """The experiments of the settings and those that Redis holds for the rank workers.

    Raises `ExperimentUnknown` where Redis does not answer.
    """
    running = ExperimentsInForce(chosen.experiments.in_force())
    try:
        with redis.Redis.from_url(chosen.redis_url()) as client:
            running.offer_all(list(stored_experiments(client, RedisKeys(chosen.redis.prefix))))
    except redis.RedisError as error:
        raise ExperimentUnknown(
            f"Redis at {chosen.redis.url} does not answer ({error}); give --redis"
        ) from None
    return running.all()


def told(experiment: Experiment) -> dict[str, Any]:
    """An experiment for machines, as the body of a control message with its name and version.

    >>> from operators.experiment import experiment_of
    >>> tried = experiment_of("quiet", {"variants": {"as_is": {}, "without": {"off": ["trending"]}}})
    >>> told(tried)["variants"]["without"]
    {'weight': 1.0, 'off': ('trending',), 'candidates': {}, 'blend': None, 'explore': {}, 'description': ''}
    """
    built: dict[str, Any] = msgspec.to_builtins(experiment)
    return built


def _of_user(experiment: Experiment, user: str, chosen: Settings) -> dict[str, Any]:
    keys = user_keys(user, chosen)
    try:
        with redis.Redis.from_url(chosen.redis_url()) as client:
            found = read_user(keys, client)
    except redis.RedisError as error:
        raise UserUnknown(f"Redis at {chosen.redis.url} does not answer ({error}); give --redis") from None
    at = found["profile"]["at"] if found["profile"] is not None else int(time.time() * 1000)
    return {
        "user": user,
        "uid": keys.uid,
        "variant": experiment.variant_of(keys.uid, at, found["seg"]),
    }


def _users(experiment: Experiment) -> str:
    begins = f", from {experiment.share_from:.1%} on" if experiment.share_from else ""
    segment = f" of {experiment.segment}" if experiment.segment is not None else ""
    layer = f" of layer {experiment.layer}" if experiment.layer else ""
    return f"{experiment.share:.1%}{segment}{begins}{layer}"


def _when(experiment: Experiment) -> str:
    if experiment.since is None and experiment.until is None:
        return "always"
    begins = "" if experiment.since is None else f"from {_time(experiment.since)}"
    ends = "" if experiment.until is None else f"until {_time(experiment.until)}"
    return " ".join(filter(None, (begins, ends)))


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="minutes")


def _changes(variant: Variant) -> str:
    said = [f"without {source}" for source in variant.off]
    said += [f"{source} names {most}" for source, most in variant.candidates.items()]
    said += [f"{source} weighs {weight:g}" for source, weight in (variant.blend or {}).items()]
    said += [f"explore.{field} = {value:g}" for field, value in variant.explore.items()]
    return "; ".join(said) or ("as all" if variant.blend is None else "ordered by the blend")
