"""`headrace personas`: what a bundle of personas holds, and bringing it to the running job."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs import options
from jobs.control_answers import bring, topics_of
from jobs.personas_report import PERSONA_HEADINGS, persona_rows
from operators.bundle_reference import reference_to
from operators.persona_bundle import PERSONAS, load_personas, read_persona_manifest
from schemas.records import Control

app = typer.Typer(help="Show personas, and bring them to the job.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A bundle of `headrace train personas`.")]


@app.command("show")
def show(folder: Folder, as_json: options.AsJson = False) -> None:
    """Show the personas of a bundle: the ids that profiles hold, with names and shares.

    Example: headrace personas show models/personas/1
    """
    manifest = read_persona_manifest(folder)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(manifest.personas) + b"\n")
        return
    table = Table(*PERSONA_HEADINGS, title=f"Personas {escape(manifest.full_name)}")
    for row in persona_rows(manifest.personas):
        table.add_row(*map(escape, row))
    Console().print(table)


@app.command("put")
def put(
    folder: Folder,
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Put the personas of a bundle in force in the running job, each user with their next due event.

    Every task of the job must be able to read the folder under the same path.

    Example: headrace personas put models/personas/1 --brokers kafka:9092
    """
    name = load_personas(folder).name
    body = msgspec.json.encode(reference_to(folder)).decode()
    control = Control(kind=PERSONAS, name=PERSONAS, version=int(time.time()), body=body)
    bring({name: control}, topics_of(config, brokers), as_json)


@app.command("remove")
def remove(
    brokers: options.Brokers = None, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Assign no personas from now on. Users keep the one they have.

    Example: headrace personas remove --brokers kafka:9092
    """
    control = Control(kind=PERSONAS, name=PERSONAS, version=int(time.time()), deleted=True)
    bring({"personas": control}, topics_of(config, brokers), as_json)
