"""The `headrace` command: what it can do, and how it ends.

Only the module of the command that is asked for is imported, so that `headrace --help` answers at once.
A command's module has a function `command` with Typer's annotations; a group's module has a Typer `app`.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import typer

from infra.errors import InfraError
from schemas.errors import HeadraceError

COMMANDS = {
    "up": ("jobs.up", "Start Kafka, Redis and the job on this machine."),
    "run": ("jobs.run", "Run the personalization job alone, on Kafka or on a file."),
    "send": ("jobs.send", "Send events and items from files to Kafka."),
    "train": ("jobs.train_app", "Train a model bundle, or personas, from event files."),
    "model": ("jobs.model", "Change the model that the running job ranks with."),
    "limits": ("jobs.limits", "Write the outlier limits that a history of events implies."),
    "evaluate": ("jobs.evaluate", "Judge the lists on recorded events, beside baselines."),
    "tune": ("jobs.tune", "Find settings that make better lists of recorded events."),
    "replay": ("jobs.replay", "Make logged lists and profiles again, and name what differs."),
    "lake": ("jobs.lake", "Show the data lake, and make few files of many."),
    "serve": ("jobs.serve", "Serve the demo page."),
    "user": ("jobs.user_app", "Show what is kept of a user, and why a list is as it is."),
    "segments": ("jobs.segments", "Check, explain and bring segment rules to the job."),
    "rules": ("jobs.rules", "Check context rules, and bring them to the job."),
    "experiments": ("jobs.experiments", "Check experiments, bring them to the job, and see who is in them."),
    "personas": ("jobs.personas_app", "Show personas, and bring them to the job."),
    "schema": ("jobs.schema", "Register a producer's own event schema."),
    "dead-letters": ("jobs.dead_letters", "See what could not be used, and put it back."),
    "bench": ("jobs.bench", "Measure speed, latency and size."),
}
"""By name: the module, and the line that `--help` shows."""

BAD_INPUT = 2
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


def main() -> NoReturn:
    """The entry point of `headrace`: exit code 2 and one line on bad input, 130 on Ctrl-C."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        build(sys.argv[1:])(prog_name="headrace")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(0)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application for these arguments: only the command that they name is loaded."""
    app = typer.Typer(
        help="Real-time personalization: event streams in, recommendations out.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_without_command)
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, (module, line) in COMMANDS.items():
        if name != asked:
            app.command(name, help=line)(_not_loaded)
            continue
        loaded = importlib.import_module(module)
        if hasattr(loaded, "app"):
            for each in loaded.app.registered_commands:
                each.callback = ending_well(each.callback)
            app.add_typer(loaded.app, name=name, help=line)
        else:
            app.command(name)(ending_well(loaded.command))
    return app


def ending_well(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, with our own errors told in one line and Ctrl-C obeyed in silence."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except (HeadraceError, InfraError) as error:
            print(f"headrace: {error}", file=sys.stderr)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of our output has seen enough, such as `head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    return run


def _without_command() -> None:
    # Typer takes an application without such a callback, and with one command, for that command.
    pass


def _not_loaded() -> None:
    """Stand for a command in the list of commands; another one was asked for."""


def _terminate(*_: object) -> None:
    raise SystemExit(TERMINATED)  # so that clean-up runs, as on Ctrl-C


if __name__ == "__main__":
    main()
