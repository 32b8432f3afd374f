"""`headrace model`: which model the running job ranks with, changed while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from jobs import model_add, options
from jobs.control_topic import publish_and_hear
from jobs.model_readings import ModelReadings, ask_redis
from jobs.model_report import Put, lines_of, lines_of_put
from jobs.settings import Settings, load
from operators.bundle import load_bundle
from operators.bundle_manifest import BundleRefused
from operators.bundle_reference import MODEL, BundleReference, reference_to
from operators.feature_plan import known_features
from operators.model_reference import SHADOW_SHARE, ModelBody, ModelRecord, Slot
from schemas.errors import HeadraceError
from schemas.records import Control

ANSWER_S = 10.0
WORKERS_S = 30.0
"""For how long workers may load a bundle before the command ends without their answer."""

app = typer.Typer(help="Change the model that the running job ranks with.", no_args_is_help=True)


class ModelNotTaken(HeadraceError):  # noqa: N818 (an answer, told as one line)
    """A model that the job or a worker did not take, or a change there is nothing for."""


@app.command("put")
def put(
    folder: Annotated[Path, typer.Argument(help="Model bundle, at the path where every task reads it.")],
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Only compare it, on a share of the lists; it is never shown.")
    ] = False,
    share: Annotated[
        float, typer.Option("--share", min=0.0001, max=1.0, help="Share of the lists that a shadow scores.")
    ] = SHADOW_SHARE,
    brokers: options.Brokers = None,
    url: options.Redis = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Have the running job rank with a bundle, once each worker has checked it.

    Example: headrace model put models/shop/2
    """
    chosen = _settings(config, brokers, url)
    bundle = load_bundle(folder, known_features(chosen.step))
    if shadow and not bundle.has_ranker:
        raise BundleRefused(
            f"{folder}: carries no ranker: on the same candidates there is nothing to compare"
        )
    slot: Slot = "shadow" if shadow else "serve"
    _ask(slot, reference_to(folder), share, chosen, as_json)


@app.command("list")
def show(url: options.Redis = None, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Show which model is in force, which is compared and how, and what each worker uses and refused.

    Example: headrace model list
    """
    found = ask_redis(_settings(config, None, url), _now())
    print(msgspec.json.encode(found).decode() if as_json else "\n".join(lines_of(found)))


@app.command("rollback")
def rollback(
    brokers: options.Brokers = None,
    url: options.Redis = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Put the model back that was in force before; a second time, the one after it again.

    Example: headrace model rollback
    """
    chosen = _settings(config, brokers, url)
    held = ask_redis(chosen, _now()).records.get("serve")
    if held is None or held.bundle == held.former:
        raise ModelNotTaken("nothing to roll back: no model was put yet; `headrace model put` puts one")
    _ask("serve", held.former, SHADOW_SHARE, chosen, as_json)


@app.command("remove")
def remove(
    shadow: Annotated[bool, typer.Option("--shadow", help="End the comparison instead.")] = False,
    brokers: options.Brokers = None,
    url: options.Redis = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank as the settings say again: by model.bundle, or without a model. With --shadow, compare no more.

    Example: headrace model remove --shadow
    """
    chosen = _settings(config, brokers, url)
    slot: Slot = "shadow" if shadow else "serve"
    held = ask_redis(chosen, _now()).records.get(slot)
    if held is None or held.bundle is None:
        raise ModelNotTaken(f"nothing to remove: no model was put to {slot}")
    _ask(slot, None, SHADOW_SHARE, chosen, as_json)


app.command("add")(model_add.command)


def control_for(
    slot: Slot, bundle: BundleReference | None, share: float, held: ModelRecord | None, now: int
) -> Control:
    """The control message that fills a slot, or empties it; its version is `now` (ms), and above that of what is held.

    >>> control_for("shadow", BundleReference(folder="/models/shop/2", sha256="ab"), 0.1, None, 7).name
    'shop.shadow'
    """
    version = now if held is None else max(now, held.version + 1)
    if bundle is None:
        name = held.name if held is not None else slot
        return Control(kind=MODEL, name=name, version=version, body=f'{{"mode":"{slot}"}}', deleted=True)
    name = Path(bundle.folder).parent.name + (".shadow" if slot == "shadow" else "")
    body = ModelBody(folder=bundle.folder, sha256=bundle.sha256, mode=slot, share=share)
    return Control(kind=MODEL, name=name, version=version, body=msgspec.json.encode(body).decode())


def _ask(slot: Slot, bundle: BundleReference | None, share: float, settings: Settings, as_json: bool) -> None:
    now = _now()
    control = control_for(slot, bundle, share, ask_redis(settings, now).records.get(slot), now)
    status = publish_and_hear(control, settings.kafka, ANSWER_S)
    if status is not None and not status.applied:
        raise ModelNotTaken(f"the job refused it: {status.reason}")
    found = None if status is None else _when_workers_answer(settings, slot, control.version)
    told = Put(
        slot, bundle, control.version, answered=status is not None, workers=_answers(found, slot, control)
    )
    print(msgspec.json.encode(told).decode() if as_json else "\n".join(lines_of_put(told)))
    refused = {why for why in told.workers.values() if why}
    if refused:
        raise ModelNotTaken(f"{'; '.join(sorted(refused))}; what served before serves on")


def _when_workers_answer(settings: Settings, slot: Slot, version: int) -> ModelReadings:
    """The readings once every living worker has dealt with a version, or when that takes too long."""
    deadline = time.monotonic() + WORKERS_S
    while True:
        found = ask_redis(settings, _now())
        versions = [getattr(models, slot).version for models in found.workers.values()]
        if (versions and min(versions) >= version) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _answers(found: ModelReadings | None, slot: Slot, control: Control) -> dict[str, str | None]:
    """Of each worker that has dealt with the message, None, or why it refused the bundle."""
    readings = (
        {} if found is None else {name: getattr(models, slot) for name, models in found.workers.items()}
    )
    return {name: each.refused for name, each in readings.items() if each.version >= control.version}


def _settings(config: Path | None, brokers: str | None, url: str | None) -> Settings:
    given = {"kafka.brokers": brokers, "redis.url": url}
    return load(config, {name: value for name, value in given.items() if value is not None})


def _now() -> int:
    return time.time_ns() // 1_000_000
