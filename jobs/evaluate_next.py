"""`headrace evaluate --train A --test B`: learn a file, then predict the next items of another's sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from jobs.quality_figures import EXPECTED
from jobs.quality_report import Origin, QualityReport
from jobs.quality_run import QualityRun
from jobs.recommenders import KNOWN, CannotJudge, Strategy, models_of, recommenders, strategies
from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from operators.bundle import Bundle
from operators.judgements import JudgementLog
from operators.next_item import Current, NextItem
from operators.next_item_score import NextItemEvaluation
from operators.numbering import Numbering
from operators.segments import SegmentRule
from schemas.records import Event

DEFAULTS = Settings()

PROTOCOL = (
    "All events of the train set were learned; then each event of a test session but its first was predicted from"
    " those before it, and nothing of the test set was learned."
)
WAYS = {
    Current.DROP: "Lists leave out the item that the session is at, and nothing else.",
    Current.KEEP: "Lists leave out nothing.",
}


def evaluate_next(
    train: TrainingEvents,
    sessions: Sequence[Sequence[Event]],
    ways: Sequence[Current] = (Current.DROP,),
    only: Sequence[str] = KNOWN,
    bundle: Bundle | None = None,
    progress: Callable[[NextItem], Any] = lambda trial: None,
    settings: Settings = DEFAULTS,
    unused_test_rows: int = 0,
) -> NextItemEvaluation:
    """Judge the recommenders named in `only` by `sessions`, after all learned from `train`.

    `progress` is called after each train event and each session. Raises `CannotJudge` for an unknown name and
    for a bundle that has seen more than the train events.
    """
    run = _Trial(train, strategies(only, bundle, _repeating(settings)), ways, settings)
    run.through(sessions, progress)
    return run.evaluation(train.unused + unused_test_rows, bundle)


def evaluate_next_fully(
    train: TrainingEvents,
    sessions: Sequence[Sequence[Event]],
    way: Current,
    only: Sequence[str],
    bundle: Bundle | None,
    progress: Callable[[NextItem], Any],
    settings: Settings,
    unused_test_rows: int,
    rules: Sequence[SegmentRule],
    origin: Origin,
    title: str,
) -> tuple[NextItemEvaluation, QualityReport]:
    """As `evaluate_next` in one of the ways, and every figure of a report about the first of `only`.

    Popularity is judged too if it was not asked for. `rules` are the segments that users are told apart by.
    """
    chosen = strategies((*only, EXPECTED), bundle, _repeating(settings))
    kept = QualityRun([each.name for each in chosen], train.items, rules, settings.step)
    run = _Trial(train, chosen, (way,), settings, kept.log)
    run.through(sessions, progress, kept.took)
    unused = train.unused + unused_test_rows
    done = run.evaluation(unused, bundle)
    protocol = [PROTOCOL, WAYS[way]]
    models = models_of(chosen)
    return done, kept.report(title, protocol, origin, run.items, unused, models, done.seconds)


class _Trial:
    """One run: all of the train events, then all sessions."""

    def __init__(
        self,
        train: TrainingEvents,
        chosen: Sequence[Strategy],
        ways: Sequence[Current],
        settings: Settings,
        log: JudgementLog | None = None,
    ) -> None:
        for each in chosen:
            if each.bundle is not None:
                _refuse_later(each.bundle, train)
        self._started = time.perf_counter()
        self.items = Numbering(item.item_id for item in train.items)
        self._train = train
        self._trial = NextItem(recommenders(chosen, self.items, train.items, settings), ways, self.items, log)

    def through(
        self,
        sessions: Sequence[Sequence[Event]],
        progress: Callable[[NextItem], Any],
        took: Callable[[Sequence[Event]], None] = lambda events: None,
    ) -> None:
        for event in self._train.events:
            self._trial.learn(event)
            took((event,))
            progress(self._trial)
        for session in sessions:
            self._trial.judge(session)
            took(session)
            progress(self._trial)

    def evaluation(self, unused_rows: int, bundle: Bundle | None) -> NextItemEvaluation:
        trial = self._trial
        return NextItemEvaluation(
            learned=trial.learned,
            items=trial.trained_items,
            sessions=trial.sessions,
            predictions=trial.counting,
            left_out=trial.left_out,
            unused_rows=unused_rows,
            model=None if bundle is None else bundle.name,
            seconds=round(time.perf_counter() - self._started, 1),
            scores=trial.scores(),
        )


def _repeating(settings: Settings) -> Settings:
    """Settings by which lists leave nothing out: what a user touched may come again here."""
    rank = replace(settings.rank, exclude_touched=False, exclude_bought=False)
    return settings.model_copy(update={"rank": rank})


def _refuse_later(bundle: Bundle, train: TrainingEvents) -> None:
    if bundle.manifest.data.last > train.events[-1].time:
        raise CannotJudge(
            f"bundle {bundle.name} was trained on events until {bundle.manifest.data.last} ms, and the train"
            f" events end at {train.events[-1].time} ms: it may have seen what is to be predicted; train one"
            " on the train events"
        )


def sessions_of(events: Iterable[Event], gap: int) -> list[list[Event]]:
    """Events in order of time as sessions, in order of their first events.

    Events of a user with one session id are one session. Where events have none, a pause of more than `gap` ms
    ends the user's session.

    >>> def view(time, session=None):
    ...     return Event(event_id="", user_id="ann", session_id=session, type="view", time=time, item_id="mug")
    >>> [len(session) for session in sessions_of([view(0), view(5), view(16)], gap=10)]
    [2, 1]
    >>> [len(session) for session in sessions_of([view(0, "a"), view(5, "b"), view(16, "a")], gap=10)]
    [2, 1]
    """
    sessions: list[list[Event]] = []
    open_at: dict[tuple[str, str | None], int] = {}
    for event in events:
        key = event.user_id, event.session_id
        at = open_at.get(key)
        if at is None or (event.session_id is None and event.time - sessions[at][-1].time > gap):
            open_at[key] = len(sessions)
            sessions.append([event])
        else:
            sessions[at].append(event)
    return sessions
