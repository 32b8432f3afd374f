"""`headrace evaluate FILE --live` from its options on."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jobs.evaluate_live import evaluate_live, parts_of
from jobs.live_report import tell_live
from jobs.live_stack import given_stack, own_stack
from jobs.recommenders import CannotJudge
from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from operators.bundle import Bundle


@dataclass(frozen=True)
class LiveOptions:
    """What `--live` takes beside FILE, --items, --model and --limit."""

    rate: str | None
    speed: str | None
    history: int | None
    minutes: float
    brokers: str | None
    redis: str | None

    @property
    def asked(self) -> bool:
        """Whether any of them was given."""
        return any(
            value is not None for value in (self.rate, self.speed, self.history, self.brokers, self.redis)
        )


def judge_live(
    data: TrainingEvents,
    options: LiveOptions,
    settings: Settings,
    config: Path | None,
    model: Path | None,
    bundle: Bundle | None,
    *,
    as_json: bool,
) -> None:
    """Judge a live job, one of its own or the one that runs there, and print what was found."""
    parts = parts_of(data.events, options.history, options.rate, options.speed, options.minutes)
    if (options.brokers is None) != (options.redis is None):
        raise CannotJudge("--brokers and --redis go together: a job between the two is judged")
    if bundle is not None and bundle.manifest.data.last >= parts.live[0].time:
        raise CannotJudge(
            f"bundle {bundle.name} was trained on events until {bundle.manifest.data.last} ms, and what is sent"
            f" live begins at {parts.live[0].time} ms: give a larger --history"
        )
    if options.brokers is not None:
        if model is not None:
            raise CannotJudge("the job that runs there has its own model: leave out --model")
        running = given_stack(settings)
    else:
        if settings.lake.folder is not None:
            raise CannotJudge(
                f"the events would be written to the lake {settings.lake.folder}: set lake.folder to nothing"
            )
        running = own_stack(settings, config, model, _say)
    with running as stack:
        done = evaluate_live(data, parts, stack, bundle, _say)
    if as_json:
        print(msgspec.json.encode(done).decode())
    else:
        tell_live(done)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
