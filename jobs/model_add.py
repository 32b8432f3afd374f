"""`headrace model add`: a bundle from a model that was made elsewhere, in an ONNX file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from jobs import options
from jobs.settings import load
from operators.feature_plan import known_features
from schemas.errors import HeadraceError


class NoSuchName(HeadraceError):  # noqa: N818 (named for what it says)
    """A name that no folder of a bundle can have."""


def command(
    file: Annotated[Path, typer.Argument(help="The model: ONNX, of any exporter.", metavar="FILE.onnx")],
    features: Annotated[
        str,
        typer.Option(
            "--features", help="What its columns are, in order: names with commas, or a file of them."
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the bundle; default that of the file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="New folder, NAME/VERSION; default models/NAME/1, 2, …")
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--base", help="Bundle whose item factors it goes with.")
    ] = None,
    golden: Annotated[
        Path | None,
        typer.Option(
            "--golden", help="Rows and the source model's scores to hold it to: inputs, outputs (.npz)."
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", help="Which output is the score, where it has several.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until", help="It learned from events before this time alone (UTC); default the base's."
        ),
    ] = None,
    over_budget: Annotated[
        bool, typer.Option("--over-budget", help="Take it though it costs more than the budget.")
    ] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a bundle of a model from XGBoost, scikit-learn, torch or any other, checked and measured.

    Example: headrace model add ours.onnx --features features.txt --base models/shop/2
    """
    # The onnx library is not needed by the other commands of this group.
    from jobs.bundle_writer import next_version
    from jobs.outside_model import add_model, features_in

    chosen = load(config)
    called = file.stem if name is None else name
    if Path(called).name != called or called in ("", ".", ".."):
        raise NoSuchName(f"--name {called!r} is no name of a folder")
    made = add_model(
        file,
        features_in(features),
        out if out is not None else next_version(Path("models") / called),
        base,
        golden,
        output,
        known_features(chosen.step),
        over_budget,
        None if until is None else int(until.replace(tzinfo=UTC).timestamp() * 1000),
    )
    if as_json:
        print(msgspec.json.encode(made).decode())
        return
    golden_said = "its own scores" if golden is None else f"the scores of {made.golden}"
    print(
        f"{made.name}: {made.features} features, scores from output {made.output}, "
        f"{made.microseconds:.0f} of at most {made.most_microseconds:.0f} µs per user; "
        f"golden: {made.golden_rows} rows with {golden_said}.\n"
        f"Bundle in {made.bundle}; bring it to the job with: headrace model put {made.bundle}"
    )
