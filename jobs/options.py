"""Options that several commands take, so that they are named and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file (TOML).", envvar="HEADRACE_CONFIG", show_envvar=True),
]
Brokers = Annotated[str | None, typer.Option("--brokers", help="Kafka bootstrap servers, HOST:PORT[,…].")]
Redis = Annotated[str | None, typer.Option("--redis", help="Redis, as redis://HOST:PORT/0.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print for machines.")]
