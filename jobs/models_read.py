"""Whether what is judged or trained reads the stream's models: only then does a replay train them."""

from __future__ import annotations

from collections.abc import Iterable

from operators.bundle import Bundle
from operators.rank_settings import RankSettings
from operators.stream_columns import STREAM_FEATURES
from operators.stream_models import ModelsSettings


def models_read(
    models: ModelsSettings,
    ranks: Iterable[RankSettings],
    bundles: Iterable[Bundle | None] = (),
    features: Iterable[str] = (),
) -> ModelsSettings | None:
    """The settings of the models where any of these reads them, None where none does.

    >>> models_read(ModelsSettings(), [RankSettings()]) is None
    True
    >>> models_read(ModelsSettings(), [], features=["stream_buys"]) == ModelsSettings()
    True
    """
    named = {*features, *(name for bundle in bundles if bundle is not None for name in bundle.features)}
    looked_at = any(rank.candidates.expected_categories > 0.0 for rank in ranks)
    return models if looked_at or not named.isdisjoint(STREAM_FEATURES) else None
