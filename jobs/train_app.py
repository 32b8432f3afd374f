"""`headrace train FILE` trains a ranker, with --on-drift or --every on and on; `train personas FILE` finds personas."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from jobs import personas, train, train_on_drift

DEFAULT = "ranker"
ON_DRIFT = "on-drift"
SCHEDULED = frozenset({"--every", "--weekly"})
"""Options of the command `ON_DRIFT` that name it as well."""


class WithDefault(TyperGroup):
    """A group whose command `DEFAULT` need not be named; `--on-drift` and `--every` name the command `ON_DRIFT`."""

    def named(self, args: list[str]) -> list[str]:
        """The arguments, their command named first."""
        if not args or args[0] in self.commands or args[0] in ("--help", "-h"):
            return args
        flag = f"--{ON_DRIFT}"
        if flag in args or not SCHEDULED.isdisjoint(argument.partition("=")[0] for argument in args):
            return [ON_DRIFT, *(argument for argument in args if argument != flag)]
        return [DEFAULT, *args]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the arguments, those of no named command as the default's."""
        return super().parse_args(ctx, self.named(args))


app = typer.Typer(
    help="Train a model bundle, or personas, from event files.",
    epilog=f"Without a command: {DEFAULT}. Example: headrace train events.parquet --out models/shop/1",
    cls=WithDefault,
    no_args_is_help=True,
)
app.command(DEFAULT)(train.command)
app.command("personas")(personas.command)
app.command(ON_DRIFT)(train_on_drift.command)
