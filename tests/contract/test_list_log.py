"""The log of lists written from columns is byte for byte what the codec writes from records."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import RECOMMENDATIONS
from schemas.list_log import ListLog
from schemas.records import Recommendation, ScoredItem

SOURCES = ("session_knn", "covisit", "a-source-with-a-name-longer-than-the-sixty-three-bytes-of-a-short-one")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
SCORES = st.floats(allow_nan=False)
SAID = st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=len(SOURCES), max_size=len(SOURCES))
PLACES = st.lists(st.tuples(TEXTS, SCORES, TEXTS, SAID), max_size=25)


@given(st.lists(st.tuples(TEXTS, PLACES), max_size=5))
def test_columns_give_the_bytes_that_records_give(lists: list[tuple[str, list[tuple]]]) -> None:  # type: ignore[type-arg]
    heads = [
        Recommendation(rec_id=name, uid="u", seq="s", at=1, written_at=2, model="m") for name, _ in lists
    ]
    records = [
        msgspec.structs.replace(
            head,
            items=tuple(
                ScoredItem(
                    item_id=item,
                    score=score,
                    why=why,
                    sources={name: value for name, value in zip(SOURCES, said, strict=True) if value},
                )
                for item, score, why, said in places
            ),
        )
        for head, (_, places) in zip(heads, lists, strict=True)
    ]
    said = [place[3] for _, places in lists for place in places]
    written = ListLog(SOURCES).encode(
        heads,
        *([[place[column] for place in places] for _, places in lists] for column in range(3)),
        np.array(said, np.float32).reshape(-1, len(SOURCES)),
    )
    assert written == [RECOMMENDATIONS.encode(record) for record in records]
