"""The refusal of what would train a model on the answer."""

from __future__ import annotations


class FutureSeenError(ValueError):
    """An example was about to be made after its event was learned: the model would be trained on the answer."""
