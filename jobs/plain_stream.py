"""The plain classes of the streaming job in one loop: user step, item statistics, shelf. No Flink."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobs.followed_users import FollowedUsers
from operators.following import Followed, Following, FollowingSettings
from operators.item_facts import Catalogue, facts_of
from operators.model_records import CategoryAffinities
from operators.persona import PersonaModel
from operators.segments import SegmentRule
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Items
from operators.statistics import ItemStatistics, StatisticsSettings
from operators.stream_learning import StreamLearning
from operators.stream_models import ModelsSettings
from operators.user_step import StepOutcome, StepSettings
from schemas.records import Event, Item


class PlainStream:
    """Learns from events one after the other, and knows at any time what the job with these rules would know.

    `states` holds every user's record by user id (which stands for the pseudonym here), `touched` the items
    that each user touched, without the bound of the record, `step` how users are followed, and `latest` the time (ms)
    of the latest event that was learned. The shelf follows
    when `catch_up` is called: its records are made of all changes since, so calling it seldom is cheap. With `models`
    the stream's models learn too, and tell the shelf: that costs a millisecond for each event of their sample.

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
        segments: Sequence[SegmentRule] = (),
        models: ModelsSettings | None = None,
    ) -> None:
        entries = list(items)
        catalogue: Catalogue = {item.item_id: facts_of(item) for item in entries}
        settings = self.step = step or StepSettings()
        self.shelf = Shelf(bounds or ShelfBounds())
        self.shelf.apply(Items(entries), compare=False)
        self.shelf.settle()
        self.touched: dict[str, set[str]] = {}
        self.latest = 0
        self._interest = frozenset(settings.item_weights)
        self._following = Following(FollowingSettings(settings), catalogue)
        self._following.use_segments(self._following.book(segments))
        self._users = FollowedUsers(self._following)
        self.states = self._users.states
        self._statistics = ItemStatistics(statistics or StatisticsSettings())
        self._models = StreamLearning(models, settings.affinity, catalogue) if models else None
        self._told: list[CategoryAffinities] = []

    def use_personas(self, model: PersonaModel | None) -> None:
        """Assign these personas from now on, each user with their next due event."""
        self._following.use_personas(model)

    def counts(self, event: Event) -> bool:
        """Whether a list can be judged by this event: a known user takes an item for the first time."""
        if event.item_id is None or event.type not in self._interest or event.user_id not in self.states:
            return False
        return event.item_id not in self.touched.get(event.user_id, ())

    def learn(self, event: Event) -> StepOutcome:
        """Take in one event."""
        models = self._models
        example = None if models is None else models.example(self._users.state(event), event)
        followed = self._take(event)
        outcome = followed.outcome
        if outcome.step is not None:
            self._statistics.update(outcome.step)
        # As in the job: models hear nothing of a refused event or a bot's.
        heard = outcome.refused is None and not followed.verdict.tagged
        if models is not None and example is not None and heard:
            self._told += models.learn(example)
        return outcome

    def follow(self, event: Event) -> StepOutcome:
        """Take one event into its user's record, and not into the item statistics."""
        return self._take(event).outcome

    def _take(self, event: Event) -> Followed:
        self.latest = max(self.latest, event.time)
        followed = self._users.take(event)
        if followed.outcome.step is not None:
            self.touched.setdefault(event.user_id, set()).add(followed.outcome.step.item)
        return followed

    def forget(self, user_id: str) -> None:
        """Drop what is kept of a user; item statistics keep what they taught."""
        self._users.forget(user_id)
        self.touched.pop(user_id, None)

    def let_pass(self, now: int, user_id: str | None = None) -> None:
        """Let the time until `now` (event time, ms) pass without an event, for one user or for all."""
        for state in self.states.values() if user_id is None else (self.states[user_id],):
            self._following.advance(state, now)

    def catch_up(self) -> None:
        """Bring the shelf to everything learned so far."""
        told, self._told = self._told, []
        for record in (*self._statistics.records(), *told):
            self.shelf.apply(record)
        self.shelf.news.read_all()
