"""Every user of a stream of events with their record, in one process."""

from __future__ import annotations

from operators.following import Following
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

    def follow(self, event: Event) -> StepOutcome:
        """Take one event into its user's record."""
        user_id = event.user_id
        state = self.states.get(user_id)
        if state is None:
            state = self.states[user_id] = UserState(user_id, born=event.time)
        outcome = self._following.update(state, event, self._drift_windows.get(user_id)).outcome
        if outcome.drift_window is not None:
            self._drift_windows[user_id] = outcome.drift_window
        return outcome

    def forget(self, user_id: str) -> None:
        """Drop what is kept of a user; nothing where they are not known."""
        self.states.pop(user_id, None)
        self._drift_windows.pop(user_id, None)
