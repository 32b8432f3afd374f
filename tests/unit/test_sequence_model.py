"""A sequence model folds users in from their last items, and does no harm to items that it does not know."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sequence_onnx import ExportedSequence, exported
from jobs.sequence_settings import SequenceSettings
from operators.onnx_session import UnusableGraph
from operators.sequence_columns import fill_sequence
from operators.sequence_model import SequenceModel
from tests.unit.made_sequence import drawn_parameters

KNOWN = 9
SETTINGS = SequenceSettings(length=5, width=8, heads=2, blocks=2)
PARAMETERS = drawn_parameters(SETTINGS, KNOWN)
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


def by_hand(given: dict[str, Floats], window: Ints, settings: SequenceSettings = SETTINGS) -> Floats:
    """The vector of one user, with keys and values written out and items that are none left out."""
    kept = window[window > 0]
    if len(kept) == 0:
        return np.zeros(settings.width, np.float32)
    places = np.flatnonzero(window > 0)
    x = given["items"][kept].astype(np.float64) + given["places"][places]
    size = settings.width // settings.heads
    for k in range(settings.blocks):
        seen = normed(x, given[f"seen_scale_{k}"], given[f"seen_shift_{k}"])
        q, key, value = (seen @ given[f"{name}_{k}"] for name in ("query", "key", "value"))
        mixed = np.zeros_like(x)
        for head in range(settings.heads):
            part = slice(head * size, (head + 1) * size)
            weight = np.exp(q[:, part] @ key[:, part].T / np.sqrt(size))
            mixed[:, part] = weight / weight.sum(axis=1, keepdims=True) @ value[:, part]
        x = x + mixed @ given[f"out_{k}"]
        wide = normed(x, given[f"asked_scale_{k}"], given[f"asked_shift_{k}"])
        wide = np.maximum(wide @ given[f"wide_{k}"] + given[f"wide_{k}_bias"], 0.0)
        x = x + wide @ given[f"narrow_{k}"] + given[f"narrow_{k}_bias"]
    return normed(x[:1], given["scale"], given["shift"])[0].astype(np.float32)


def normed(x: npt.NDArray[np.float64], scale: Floats, shift: Floats) -> npt.NDArray[np.float64]:
    centred = x - x.mean(axis=1, keepdims=True)
    made: npt.NDArray[np.float64] = centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5) * scale + shift
    return made


def all_by_hand(windows: Ints) -> Floats:
    return np.array([by_hand(PARAMETERS, window) for window in windows], np.float32)


WINDOWS = np.array([[0, 0, 0, 0, 0], [3, 0, 0, 0, 0], [1, 2, 3, 4, 5], [9, 8, 7, 0, 0]], np.int32)
NUMBERS = np.array([1, 2, 0, 3, 4, 5, 6, 7, 8, 9], np.int32)
"""Row 2 of the bundle is an item that too few users took."""


@pytest.fixture(scope="module")
def export() -> ExportedSequence:
    return exported(PARAMETERS, SETTINGS, NUMBERS, WINDOWS, all_by_hand)


@pytest.fixture(scope="module")
def model(export: ExportedSequence) -> SequenceModel:
    return export.model()


def test_the_graph_is_the_transformer_of_the_paper(export: ExportedSequence, model: SequenceModel) -> None:
    np.testing.assert_allclose(model.encode(WINDOWS), all_by_hand(WINDOWS), rtol=1e-4, atol=1e-4)
    assert not export.vectors[0].any()


def test_a_user_of_whom_nothing_is_known_has_no_vector(model: SequenceModel) -> None:
    assert not model.encode(WINDOWS[:1]).any()
    assert model.encode(np.zeros((0, 5), np.int32)).shape == (0, 8)


@given(st.lists(st.lists(st.integers(-1, 13), min_size=6, max_size=6), min_size=1, max_size=9))
def test_unknown_items_are_as_if_they_had_not_been_taken(
    model: SequenceModel, recent: list[list[int]]
) -> None:
    """Items 10 to 13 came after the bundle; 2 has too few users; -1 ends a record."""
    row = np.arange(10, dtype=np.int32)
    ended = [numbers[: numbers.index(-1)] if -1 in numbers else numbers for numbers in recent]
    shown = np.array([numbers + [-1] * (6 - len(numbers)) for numbers in ended], np.int32)
    known = [[NUMBERS[n] for n in numbers if n < 10 and n != 2][:5] for numbers in ended]
    windows = np.array([numbers + [0] * (5 - len(numbers)) for numbers in known], np.int32)
    np.testing.assert_allclose(model.users(shown, row), model.encode(windows), rtol=1e-5, atol=1e-5)


@given(st.lists(st.permutations(range(10)), min_size=2, max_size=8))
def test_the_vector_of_a_user_does_not_depend_on_who_else_is_in_the_batch(
    model: SequenceModel, recent: list[list[int]]
) -> None:
    shown, row = np.array(recent, np.int32), np.arange(10, dtype=np.int32)
    together = model.users(shown, row)
    alone = np.concatenate([model.users(shown[k : k + 1], row) for k in range(len(shown))])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)


def filled(model: SequenceModel, items: list[int], users: Floats, bounds: list[int]) -> Floats:
    out = np.full((len(items), 2), np.nan, np.float32)
    row = np.arange(10, dtype=np.int32)
    start = np.array(bounds, np.int32)
    fill_sequence(np.array(items, np.int32), start, row, model.numbers, model.vectors, users, out)
    return out


def test_a_candidate_is_compared_with_the_others_that_are_known(model: SequenceModel) -> None:
    users = model.encode(WINDOWS[2:3])
    found = filled(model, [5, 2, 7, 11, 9], users, [0, 5])
    scores = model.vectors[NUMBERS[[5, 7, 9]]] @ users[0]
    np.testing.assert_allclose(found[[0, 2, 4], 0], scores - scores.mean(), rtol=1e-4, atol=1e-5)
    shares = np.exp(scores - scores.max())
    np.testing.assert_allclose(found[[0, 2, 4], 1], shares / shares.sum(), rtol=1e-4, atol=1e-6)
    assert not found[[1, 3]].any()  # neither praised nor blamed


def test_where_nothing_is_known_of_a_user_or_of_any_candidate_nothing_is_said(model: SequenceModel) -> None:
    users = model.encode(WINDOWS[[0, 2, 3]])
    found = filled(model, [5, 7, 2, 12, 3], users, [0, 2, 4, 5])
    assert not found[:4].any()
    np.testing.assert_allclose(found[4], [0.0, 1.0], atol=1e-6)


@pytest.mark.parametrize(
    ("vectors", "numbers", "why"),
    [
        (np.zeros((10, 7), np.float32), NUMBERS, r"float32\[m, 7\] is needed"),
        (np.ones((10, 8), np.float32), NUMBERS, "the vector of no item is not 0"),
        (np.zeros((9, 8), np.float32), NUMBERS, "beyond the 8 that have a vector"),
        (np.full((10, 8), np.nan, np.float32), NUMBERS, r"float32\[k \+ 1, d\] is needed"),
        (np.zeros((10, 8), np.float32), NUMBERS.astype(np.int64), r"no int32\[n\]"),
    ],
)
def test_arrays_that_do_not_fit_the_graph_are_refused(
    export: ExportedSequence, vectors: Floats, numbers: Ints, why: str
) -> None:
    with pytest.raises(UnusableGraph, match=why):
        SequenceModel(export.graph, vectors, numbers)
