"""What the stream's models tell others: rows of a table of category affinities, and figures."""

from __future__ import annotations

import msgspec

from operators.prequential_loss import Judged

ENGAGES = "engages"
BUYS = "buys"
MODELS = (ENGAGES, BUYS)
"""The stream's models, by name: what they learn is told in operators/stream_models.py."""


class CategoryAffinities(msgspec.Struct, tag="affinities", frozen=True):
    """A row of a model's table: what goes with category `last` for a user of whom nothing else is special.

    `log_odds[k]` of `categories[k]` compares with the stream: above 0, users who were last at `last` go there
    more often than users go there at all (model "engages"), or buy there rather than look (model "buys").
    `shares[k]` is the category's part of the stream then; rows of the first release tell none. What is told last
    of a category holds.
    """

    model: str
    last: str
    categories: list[str]
    log_odds: list[float]
    examples: int
    shares: list[float] = []


class ModelFigures(msgspec.Struct, frozen=True):
    """A model as it is now: `chosen` names the member that answers, `at` is the event time of the last example.

    `together` judges what was answered, whichever member it came from; `rebuilt` counts members that began
    anew since their stored form was unreadable or too large.
    """

    model: str
    at: int
    examples: int
    chosen: str
    switches: int
    rebuilt: int
    stored_bytes: int
    together: dict[str, Judged]
    members: dict[str, dict[str, Judged]]
