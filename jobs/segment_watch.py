"""Which segments each user is in, as the job would know it, beside a run that judges lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobs.followed_users import FollowedUsers
from operators.following import Following, FollowingSettings
from operators.item_facts import facts_of
from operators.segments import SegmentRule
from operators.user_step import StepSettings
from schemas.records import Event, Item


class SegmentWatch:
    """Follows every user by these rules, apart from what makes lists, so that watching changes none of them.

    >>> watch = SegmentWatch([SegmentRule(name="keen", when='count("view", within="1h") >= 2')])
    >>> for n in (0, 1):
    ...     watch.learn(Event(event_id=str(n), user_id="ann", type="view", time=n, item_id="mug"))
    >>> watch.held("ann", 2), watch.held("ann", 4_000_000), watch.held("bob", 2)
    (frozenset({'keen'}), frozenset(), frozenset())
    """

    def __init__(
        self, rules: Sequence[SegmentRule], items: Iterable[Item] = (), step: StepSettings | None = None
    ) -> None:
        catalogue = {item.item_id: facts_of(item) for item in items}
        self._following = Following(FollowingSettings(step or StepSettings()), catalogue)
        self._following.use_segments(self._following.book(rules))
        self._users = FollowedUsers(self._following)
        self._same: dict[frozenset[str], frozenset[str]] = {}
        self.names = [rule.name for rule in rules if rule.enabled]

    def held(self, user_id: str, time: int) -> frozenset[str]:
        """The segments of a user as of just before `time` (ms), which is no earlier than their last event."""
        state = self._users.states.get(user_id)
        if state is None:
            return frozenset()
        self._following.advance(state, time - 1)
        found = frozenset(state.segments)
        return self._same.setdefault(found, found)

    def learn(self, event: Event) -> None:
        """Take in one event."""
        self._users.follow(event)
