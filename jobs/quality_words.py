"""What the figures of a report mean, in the words of the report (docs/evaluation.md has the sources)."""

from __future__ import annotations

from jobs.quality_report import LEAST_USERS
from operators.user_bootstrap import MOST_CLUSTERS

MEANINGS = (
    ("HR@k", "Share of lists with the wanted item among the first k."),
    ("Precision@k", "Wanted items among the first k, over k. With one wanted item, HR@k over k."),
    (
        "Recall@k",
        "Wanted items among the first k, over all wanted items. With one wanted item, the same as HR@k.",
    ),
    (
        "NDCG@k",
        "Gain of 1/log2(1 + place) for each wanted item among the first k, over that of the best list.",
    ),
    ("MRR@k", "Mean of 1/place of the first wanted item, 0 where none is among the first k."),
    ("Coverage@k", "Share of all items ever touched that stood among the first k of any list."),
    (
        "Gini@k",
        "How unevenly the first k places are spread over all items: 0 evenly, towards 1 all on a few"
        " (popularity bias).",
    ),
    (
        "Novelty@k",
        "Mean self-information of the first k items, in bits: −log2 of an item's share of all touches up to then,"
        " one touch added to each item.",
    ),
    (
        "Serendipity@k",
        "Wanted items among the first k that the popularity list does not hold among its first k.",
    ),
    (
        "Variety@k",
        "Intra-list diversity: mean of 1 − cosine over all pairs of the first k items. By category: 1 where the"
        " categories differ. By text: TF-IDF of title, tags, description and category. By audience: the sets of"
        " users who touched the items.",
    ),
)
"""Name and meaning of each figure."""

BASKET_NOTE = (
    "A basket is all that a user took anew at one time, predicted by the list made before its first event. All of"
    " it is wanted, so precision and recall say more here than event by event."
)


def bootstrap_note(draws: int) -> str:
    """How the bounds came about."""
    return (
        f"Bounds, beside or below a figure, are those of 95 % by bootstrap over users: {draws:,} draws of users with"
        f" replacement, each with all of their judgements (above {MOST_CLUSTERS:,} users, in {MOST_CLUSTERS:,} random"
        " groups). Differences are taken draw by draw, on the same judgements. Groups of fewer than"
        f" {LEAST_USERS} users have no bounds and are not drawn."
    )
