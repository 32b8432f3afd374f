"""`headrace limits`: from a history of events, the prices and quantities that are believed from now on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs import options
from jobs.settings import load
from jobs.training_events import read_training_events
from jobs.training_people import People
from operators.outliers import limits_of


def command(
    file: Annotated[Path, typer.Argument(help="Events: Parquet, CSV, Avro, Online Retail.", metavar="FILE")],
    items: Annotated[Path | None, typer.Option("--items", help="Catalogue, for limits by category.")] = None,
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("limits.json"),
    threshold: Annotated[float, typer.Option("--threshold", min=1.0, help="Robust z of an outlier.")] = 6.0,
    config: options.Config = None,
) -> None:
    """Write the outlier limits that a history implies, by item category: median and MAD of the logarithm.

    The job holds prices and quantities to them: HEADRACE_INGEST__LIMITS_FILE, or ingest.limits_file.

    Example: headrace limits events.parquet --out limits.json
    """
    settings = load(config)
    data = read_training_events(file, items, settings.ingest, people=People.by(settings))
    category = {item.item_id: item.category for item in data.items}
    limits = limits_of(
        data.events,
        lambda item_id: category.get(item_id, "?"),
        settings.ingest.price_types,
        threshold=threshold,
    )
    limits.write(out)
    print(f"{out}: {len(limits.price)} categories of prices, {len(limits.quantity)} of quantities")
