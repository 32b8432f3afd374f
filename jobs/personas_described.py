"""From a clustering to personas: what their users are like, which of them were there before, ids and names."""

from __future__ import annotations

import numpy as np

from jobs.personas_clusters import Clustering, Labels
from jobs.personas_fit import Projection
from jobs.personas_identity import matched
from jobs.personas_names import names_of, traits_of
from operators.persona import Persona
from operators.persona_arithmetic import Floats
from operators.persona_bundle import PersonaManifest
from operators.persona_vector import DIMENSIONS


def described(
    vectors: Floats, chosen: Clustering, projection: Projection, before: PersonaManifest | None
) -> tuple[list[Persona], int]:
    """The personas in the order of the centroids, and the number of the next new one.

    `vectors` [n, d] are those that were clustered; `before` is the bundle whose personas keep id and name.
    """
    frame = projection.frame
    standardised = frame.standardised(vectors)
    shown = ~np.isnan(vectors).all(axis=0)
    raw = [
        {dimension.name: float(mean[place]) for place, dimension in enumerate(DIMENSIONS) if shown[place]}
        for mean in means_of(np.where(np.isnan(vectors), frame.mean, vectors), chosen.labels)
    ]
    scale = {dimension.name: float(frame.scale[place]) for place, dimension in enumerate(DIMENSIONS)}
    same = matched(raw, before.personas if before is not None else (), scale)
    traits = traits_of(means_of(standardised, chosen.labels), _correlation(standardised))
    new = [number for number, persona in enumerate(same) if persona is None]
    fresh = names_of([traits[number] for number in new], [p.name for p in same if p is not None])
    names = dict(zip(new, fresh, strict=True))
    next_id = 1 if before is None else before.next_id
    users = np.bincount(chosen.labels, minlength=len(raw)).tolist()
    personas = []
    for number, (means, share) in enumerate(zip(raw, chosen.shares.tolist(), strict=True)):
        persona = same[number]
        if persona is None:
            id, name = f"p{next_id}", names[number]
            next_id += 1
        else:
            id, name = persona.id, persona.name
        personas.append(
            Persona(
                id=id,
                name=name,
                traits=traits[number],
                users=users[number],
                share=round(share, 4),
                means=means,
            )
        )
    return personas, next_id


def means_of(vectors: Floats, labels: Labels) -> Floats:
    """[c, d] means of [n, d] vectors by label."""
    return np.array([vectors[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def _correlation(standardised: Floats) -> Floats:
    spread = standardised.std(axis=0)
    scaled = (standardised - standardised.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    correlation: Floats = scaled.T @ scaled / len(scaled)
    return correlation
