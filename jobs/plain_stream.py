"""The plain classes of the streaming job in one loop: user step, item statistics, shelf. No Flink."""

from __future__ import annotations

from collections.abc import Iterable

from operators.item_facts import Catalogue, facts_of
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Items
from operators.statistics import ItemStatistics, StatisticsSettings
from operators.user_step import StepOutcome, StepSettings, UserStep
from schemas.records import Event, Item
from schemas.state import UserState


class PlainStream:
    """Learns from events one after the other, and knows at any time what the job would know.

    `states` holds every user's record by user id (which stands for the pseudonym here), `touched` the items
    that each user touched, without the bound of the record. The shelf follows when `catch_up` is called: its
    records are made of all changes since, so calling it seldom is cheap.

    >>> stream = PlainStream([Item(item_id="mug")])
    >>> stream.learn(Event(event_id="e1", user_id="ann", type="view", time=1_000, item_id="mug")).refused
    >>> stream.states["ann"].n, sorted(stream.touched["ann"])
    (1, ['mug'])
    """

    def __init__(
        self,
        items: Iterable[Item] = (),
        step: StepSettings | None = None,
        statistics: StatisticsSettings | None = None,
        bounds: ShelfBounds | None = None,
    ) -> None:
        entries = list(items)
        catalogue: Catalogue = {item.item_id: facts_of(item) for item in entries}
        settings = step or StepSettings()
        self.shelf = Shelf(bounds or ShelfBounds())
        self.shelf.apply(Items(entries))
        self.states: dict[str, UserState] = {}
        self.touched: dict[str, set[str]] = {}
        self._interest = frozenset(settings.item_weights)
        self._step = UserStep(settings, catalogue)
        self._statistics = ItemStatistics(statistics or StatisticsSettings())
        self._drift_windows: dict[str, bytes] = {}

    def counts(self, event: Event) -> bool:
        """Whether a list can be judged by this event: a known user takes an item for the first time."""
        if event.item_id is None or event.type not in self._interest or event.user_id not in self.states:
            return False
        return event.item_id not in self.touched.get(event.user_id, ())

    def learn(self, event: Event) -> StepOutcome:
        """Take in one event."""
        user_id = event.user_id
        state = self.states.get(user_id)
        if state is None:
            state = self.states[user_id] = UserState(user_id, born=event.time)
        outcome = self._step.update(state, event, self._drift_windows.get(user_id))
        if outcome.drift_window is not None:
            self._drift_windows[user_id] = outcome.drift_window
        if outcome.step is not None:
            self._statistics.update(outcome.step)
            self.touched.setdefault(user_id, set()).add(outcome.step.item)
        return outcome

    def catch_up(self) -> None:
        """Bring the shelf to everything learned so far."""
        for record in self._statistics.records():
            self.shelf.apply(record)
