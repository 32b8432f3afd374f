"""`headrace schema`: make a producer's own schema known to the job, and show the schemas of this release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from jobs import options, settings
from jobs.control_topic import publish
from schemas.avro_schema import fingerprint, read_schema
from schemas.codec import AVRO_FOLDER
from schemas.errors import HeadraceError
from schemas.reason import SchemaRefused
from schemas.records import Control
from schemas.schema_book import SchemaBook

app = typer.Typer(help="Register a producer's own event schema.", no_args_is_help=True)


class SchemaFileRefused(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A file that holds no schema that could be added."""


def control_of(schema_json: str) -> Control:
    """The control message that makes a schema known. Raises `SchemaRefused`, naming the field.

    Its name holds the fingerprint: so two versions of one schema stand side by side on the compacted topic.
    """
    mark = SchemaBook().add(schema_json)
    name = read_schema(schema_json)["name"]
    return Control(kind="schema", name=f"{name}@{mark:016x}", version=1, body=schema_json)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="The Avro schema (.avsc) that the producer writes with.")],
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a producer's own schema of events or items known to the running job.

    It has to resolve to ours by Avro's rules, its record being named Event or Item in any namespace. Events
    that came before it was known wait in the dead letters: `headrace dead-letters replay`.

    Example: headrace schema add shop/event.avsc --brokers kafka:9092
    """
    chosen = settings.load(config, {"kafka.brokers": brokers} if brokers else None)
    try:
        control = control_of(file.read_text("utf-8"))
    except SchemaRefused as refusal:
        raise SchemaFileRefused(f"{file}: {refusal}") from None
    except OSError as error:
        raise SchemaFileRefused(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SchemaFileRefused(f"{file}: not UTF-8 text, {error.reason}") from None
    publish(control, chosen.kafka)
    name, _, mark = control.name.partition("@")
    if as_json:
        print(json.dumps({"name": name, "fingerprint": mark, "topic": chosen.kafka.control}))
    else:
        print(f"{name} (fingerprint {mark}) is on {chosen.kafka.control}")
        print(f"whether the job took it, {chosen.kafka.control_status} tells")


@app.command("list")
def show(as_json: options.AsJson = False) -> None:
    """Show the schemas of this release, with their fingerprints.

    Example: headrace schema list
    """
    rows = released()
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("schema", "version", "fingerprint", "file", box=None, header_style="bold")
    for row in rows:
        table.add_row(row["name"], str(row["version"]), row["fingerprint"], Path(row["file"]).name)
    out = Console()
    out.print(table)
    out.print(f"in {AVRO_FOLDER}", soft_wrap=True)


def released() -> list[dict[str, Any]]:
    """Name, version, fingerprint and file of every schema that this release reads, in that order."""
    rows = []
    for path in AVRO_FOLDER.glob("*.v*.avsc"):
        text = path.read_text("utf-8")
        version = int(path.name.split(".v")[1].removesuffix(".avsc"))
        name = read_schema(text)["name"]
        mark = f"{fingerprint(text):016x}"
        rows.append({"name": name, "version": version, "fingerprint": mark, "file": str(path)})
    return sorted(rows, key=lambda row: (row["name"], row["version"]))
