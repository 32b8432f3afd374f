"""How restless personas are under a margin, and the margin that a bundle is served with.

A margin keeps a user's persona until they are clearly beyond the border to another (`PersonaModel`): the greater it
is, the fewer personas change, and the more are of the past.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from sklearn.metrics import adjusted_rand_score

from jobs.personas_vectors import PersonaVectors
from operators.persona import Persona, PersonaModel
from operators.persona_arithmetic import PersonaArithmetic

MARGINS = tuple(round(0.05 * step, 2) for step in range(13))
"""What is tried: from none to 0.6 of the way from the border to the other centroid."""

KEPT_FIT = 0.9
"""Of the users who would end with the persona of their whole history without a margin, as many must with it."""


class Steadiness(msgspec.Struct, frozen=True, kw_only=True):
    """What the replayed users' personas do under one margin.

    `changes` is the share of a user's second and later looks that change their persona, `changes_a_user` how
    many that are, on average. `same` is the share of users who end with the persona that is nearest to them as of
    their last event, and `agreement` the adjusted Rand index of the two. `chosen`: the bundle is served so.
    """

    margin: float
    changes: float
    changes_a_user: float
    same: float
    agreement: float
    chosen: bool = False


def steadiness(
    vectors: PersonaVectors, personas: Sequence[Persona], arithmetic: PersonaArithmetic
) -> list[Steadiness]:
    """Every margin tried on the replayed users, one of them chosen.

    It is the one with the fewest changes, of equal ones the smallest. Margins are tried from the smallest on, as
    long as at least `KEPT_FIT` times as many users as without one end with the persona of their whole history.
    """
    tried: list[Steadiness] = []
    for margin in MARGINS:
        found = _under(vectors, PersonaModel("", personas, arithmetic, margin))
        if tried and found.same < KEPT_FIT * tried[0].same:
            break
        tried.append(found)
    steadiest = min(tried, key=lambda line: line.changes)
    return [msgspec.structs.replace(line, chosen=line is steadiest) for line in tried]


def _under(vectors: PersonaVectors, model: PersonaModel) -> Steadiness:
    held: dict[int, int] = {}
    changed = 0
    for user, vector in zip(vectors.user.tolist(), vectors.vectors.tolist(), strict=True):
        before = held.get(user)
        if before is None:
            held[user] = model.nearest(vector)
            continue
        held[user] = model.following(vector, before)
        changed += held[user] != before
    users = len(vectors.whole)
    last = np.array([held[user] for user in range(users)])
    whole = np.array([model.nearest(vector) for vector in vectors.whole.tolist()])
    return Steadiness(
        margin=model.margin,
        changes=round(changed / max(len(vectors.user) - users, 1), 4),
        changes_a_user=round(changed / users, 2),
        same=round(float((last == whole).mean()), 4),
        agreement=round(float(adjusted_rand_score(whole, last)), 4),
    )
