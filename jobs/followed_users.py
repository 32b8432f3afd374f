"""Every user of a stream of events with their record, in one process."""

from __future__ import annotations

from operators.following import Followed, Following
from operators.user_step import StepOutcome
from schemas.records import Event
from schemas.state import UserState


class FollowedUsers:
    """`states` holds every user's record by user id, which stands for the pseudonym here.

    >>> from operators.following import FollowingSettings
    >>> users = FollowedUsers(Following(FollowingSettings(), {}))
    >>> users.follow(Event(event_id="e1", user_id="ann", type="view", time=1_000, item_id="mug")).refused
    >>> users.states["ann"].n
    1
    """

    def __init__(self, following: Following) -> None:
        self.states: dict[str, UserState] = {}
        self._following = following
        self._drift_windows: dict[str, bytes] = {}

    def state(self, event: Event) -> UserState:
        """The record of an event's user, begun where there is none."""
        state = self.states.get(event.user_id)
        if state is None:
            state = self.states[event.user_id] = UserState(event.user_id, born=event.time)
        return state

    def follow(self, event: Event) -> StepOutcome:
        """Take one event into its user's record."""
        return self.take(event).outcome

    def take(self, event: Event) -> Followed:
        """The same with all that comes of it."""
        user_id = event.user_id
        followed = self._following.update(self.state(event), event, self._drift_windows.get(user_id))
        if followed.outcome.drift_window is not None:
            self._drift_windows[user_id] = followed.outcome.drift_window
        return followed

    def forget(self, user_id: str) -> None:
        """Drop what is kept of a user; nothing where they are not known."""
        self.states.pop(user_id, None)
        self._drift_windows.pop(user_id, None)
