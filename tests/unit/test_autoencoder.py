"""An autoencoder folds users in from what they took, in no order, and tells what goes with it."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.autoencoder_onnx import export_autoencoder
from jobs.autoencoder_settings import AutoencoderSettings
from jobs.deep import autoencoder_from
from jobs.sequence_onnx import principal_axes
from operators.sequence_model import SequenceModel
from schemas.records import Event
from tests.unit.made_sequence import drawn_weights

needs_torch = pytest.mark.skipif(
    find_spec("torch") is None, reason="the extra deep is not installed: pip install 'headrace[deep]'"
)
KNOWN = 9
SETTINGS = AutoencoderSettings(length=5, width=6)
WEIGHTS = drawn_weights(SETTINGS, KNOWN)
GROUPS, OF = 4, 6
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@pytest.fixture(scope="module")
def model() -> SequenceModel:
    vectors = WEIGHTS["items"].copy()
    vectors[0] = 0.0
    return SequenceModel(
        export_autoencoder(WEIGHTS, SETTINGS), vectors, np.arange(1, KNOWN + 1, dtype=np.int32)
    )


def by_hand(window: list[int]) -> Floats:
    kept = [item for item in window if item]
    if not kept:
        return np.zeros(SETTINGS.width + 1, np.float32)
    summed = sum(WEIGHTS["taken"][item].astype(np.float64) for item in kept) / np.sqrt(len(kept))
    return np.append(np.tanh(summed + WEIGHTS["bias"]), 1.0).astype(np.float32)


@given(st.lists(st.lists(st.integers(0, KNOWN), min_size=5, max_size=5), min_size=1, max_size=6))
def test_the_graph_is_the_encoder_of_the_paper(model: SequenceModel, windows: list[list[int]]) -> None:
    found = model.encode(np.array(windows, np.int32))
    np.testing.assert_allclose(found, [by_hand(window) for window in windows], rtol=1e-4, atol=1e-5)


def test_order_does_not_matter_and_a_user_of_whom_nothing_is_known_has_no_vector(
    model: SequenceModel,
) -> None:
    shown = np.array([[2, 5, 7, -1, -1], [7, 2, 5, -1, -1], [-1, -1, -1, -1, -1], [11, 12, -1, -1, -1]])
    found = model.users(shown.astype(np.int32), np.arange(KNOWN, dtype=np.int32))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)
    assert not found[2:].any()


def test_axes_turn_vectors_so_that_products_stay_and_the_first_numbers_differ_most() -> None:
    drawn = np.random.default_rng(1)
    users = (drawn.normal(size=(300, 6)) * [0.1, 3.0, 0.5, 1.0, 0.2, 2.0]).astype(np.float32)
    items = drawn.normal(size=(40, 6)).astype(np.float32)
    axes = principal_axes(users)
    np.testing.assert_allclose((users @ axes) @ (items @ axes).T, users @ items.T, rtol=1e-3, atol=1e-3)
    spread = (users @ axes).std(axis=0)
    assert (np.diff(spread) <= 0).all()
    assert spread[0] == pytest.approx(3.0, rel=0.2)


def baskets(users: int) -> list[Event]:
    """Every user takes items of one group, in any order."""
    drawn = np.random.default_rng(3)
    made = []
    for user in range(users):
        group = int(drawn.integers(GROUPS))
        for place, item in enumerate(drawn.permutation(OF)[:4]):
            made.append(
                Event(event_id="", user_id=f"user-{user}", type="view", time=user * 10 + place,
                      item_id=f"item-{group * OF + item}")
            )  # fmt: skip
    return made


@needs_torch
@pytest.mark.parametrize("others", [4_096, 12], ids=["all items", "drawn items"])
def test_what_goes_together_is_learned_and_exported(others: int) -> None:
    tiny = AutoencoderSettings(
        length=6, width=12, dropout=0.3, batch=64, epochs=15, rate=2e-2, others=others, least_users=1
    )
    ids = [f"item-{k}" for k in range(GROUPS * OF)]
    made = autoencoder_from(baskets(300), ids, {"view"}, 20, tiny)  # refuses what is off torch by 1e-4
    model = made.model()
    seen = np.array([[g * OF + 1, g * OF + 2, 0, 0, 0, 0] for g in range(GROUPS)], np.int32)
    scores = model.encode(seen) @ model.vectors[1:].T
    scores[np.arange(GROUPS)[:, None], seen[:, :2] - 1] = -np.inf
    first = np.argsort(-scores, axis=1)[:, : OF - 2]
    assert (first // OF == np.arange(GROUPS)[:, None]).all()
    assert made.files == ("autoencoder.onnx", "autoencoder.npz")
    assert autoencoder_from(baskets(300), ids, {"view"}, 20, tiny).graph == made.graph
