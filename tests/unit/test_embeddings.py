"""Neighbours by embeddings: near items find each other in any order of arrival, and the model can be any."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from operators.candidates import CandidateSettings
from operators.embedders import NoEmbedder, OnnxEmbedder, load_embedder
from operators.embedding_index import EmbeddingIndex
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Items
from schemas.records import Item
from schemas.state import RecentItem, UserState

HASHES = np.arange(50, dtype=np.uint32)
NOW = 1_700_000_000_000


class Colours:
    """An embedder of a deployment's own: a text is where its colours are."""

    name = "colours"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        words = ("red", "crimson", "blue")
        near = np.array([[1.0, 0.0], [0.9, 0.2], [0.0, 1.0]], np.float32)
        return np.array(
            [sum((near[k] * (w in text) for k, w in enumerate(words)), near[0] * 0) for text in texts]
        )


def filled(order: Sequence[int], vectors: NDArray[np.float32], width: int = 4) -> EmbeddingIndex:
    index = EmbeddingIndex(most_items=50, width=width)
    for item in order:
        index.write(item, *index.near(item, vectors[item], HASHES))
    return index


def test_rows_hold_the_nearest_of_all_whatever_the_order_of_arrival() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(40, 6)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T - 2 * np.eye(40)
    first = filled(range(40), vectors)
    for item in range(40):
        best = [k for k in np.argsort(-cosines[item])[:4].tolist() if cosines[item, k] >= 0.3]
        assert [k for k, _ in first.neighbours.of(item)] == best
    again = filled(rng.permutation(40).tolist(), vectors)
    assert all(
        [k for k, _ in first.neighbours.of(item)] == [k for k, _ in again.neighbours.of(item)]
        for item in range(40)
    )


def test_an_item_that_changes_or_leaves_is_in_no_row_any_more() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)
    index = filled(range(3), vectors)
    assert [k for k, _ in index.neighbours.of(0)] == [1]
    index.write(1, *index.near(1, vectors[2], HASHES))
    assert index.neighbours.of(0) == []
    assert [k for k, _ in index.neighbours.of(2)] == [1]
    index.write(1, *index.near(1, np.zeros(2, np.float32), HASHES))
    assert index.neighbours.of(2) == []


def test_items_beyond_the_bound_have_no_vector() -> None:
    index = EmbeddingIndex(most_items=2, width=2)
    for item in range(4):
        index.write(item, *index.near(item, np.ones(2, np.float32), HASHES))
    assert [k for k, _ in index.neighbours.of(0)] == [1]
    assert index.neighbours.of(1) == [(0, pytest.approx(1.0))]


def shop(embedder: str, compare: bool = True) -> Shelf:
    shelf = Shelf(ShelfBounds(items=2_000, sessions=100, embedder=embedder))
    entries = [("a", "a red cup"), ("b", "crimson mug"), ("c", "blue plate")]
    shelf.apply(Items([Item(item_id=item, title=title) for item, title in entries]), compare)
    return shelf


def test_a_list_holds_what_means_the_like_and_says_so() -> None:
    shelf = shop(f"{__name__}:Colours")
    settings = RankSettings(length=2, candidates=CandidateSettings(embedded=5), blend={"embedded": 1.0})
    user = UserState("u", born=1, n=1, last=NOW, recent=[RecentItem.of("a", NOW, "view", "?")])
    user.touched = int(shelf.catalogue.arrays.id_hash[shelf.number("a")]).to_bytes(4, "little")
    [made] = Ranker(shelf, settings).rank([user], [NOW])
    assert (made.items[0], made.whys[0]) == ("b", "similar:a")
    assert made.sources[0]["embedded"] > 0.9
    off = RankSettings(length=2, blend={"embedded": 1.0})
    assert "embedded" not in Ranker(shelf, off).rank([user], [NOW])[0].sources[0]


def test_a_shelf_that_is_filled_compares_texts_afterwards() -> None:
    shelf = shop(f"{__name__}:Colours", compare=False)
    assert shelf.unsettled
    shelf.settle()
    assert [shelf.item_id(k) for k, _ in shelf.embedded.neighbours.of(shelf.number("a"))] == ["b"]
    shelf.apply(Items([Item(item_id="b", deleted=True)]))
    assert shelf.embedded.neighbours.of(shelf.number("a")) == []


class Counting(Colours):
    """Keeps the texts that it was asked for."""

    asked: ClassVar[list[str]] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.extend(texts)
        return super().embed(texts)


def test_a_text_that_is_the_same_is_not_embedded_again_whatever_else_of_its_entry_changed() -> None:
    Counting.asked.clear()
    shelf = shop(f"{__name__}:Counting")
    assert sorted(Counting.asked) == ["a red cup", "blue plate", "crimson mug"]
    before = shelf.embedded.neighbours.of(shelf.number("a"))
    shelf.apply(
        Items([Item(item_id="a", title="a red cup", price=5.0), Item(item_id="c", title="blue plate")])
    )
    assert len(Counting.asked) == 3
    assert shelf.embedded.neighbours.of(shelf.number("a")) == before
    shelf.apply(Items([Item(item_id="a", title="a blue cup")]))
    assert Counting.asked[3:] == ["a blue cup"]
    shelf.apply(Items([Item(item_id="a", deleted=True)]))
    shelf.apply(Items([Item(item_id="a", title="a blue cup")]))
    assert Counting.asked[-1] == "a blue cup", "what has left is not known any more"
    assert [shelf.item_id(k) for k, _ in shelf.embedded.neighbours.of(shelf.number("a"))] == ["c"]


def test_a_text_that_waits_is_let_be_where_the_one_before_it_comes_back() -> None:
    Counting.asked.clear()
    shelf = shop(f"{__name__}:Counting")
    for title in ("a blue cup", "a red cup"):
        shelf.apply(Items([Item(item_id="a", title=title)]), compare=False)
    shelf.settle()
    assert len(Counting.asked) == 3
    assert [shelf.item_id(k) for k, _ in shelf.embedded.neighbours.of(shelf.number("a"))] == ["b"]


def test_a_text_in_which_the_model_finds_nothing_is_not_asked_for_again_and_one_that_failed_is() -> None:
    Counting.asked.clear()
    shelf = shop(f"{__name__}:Counting")
    for _ in range(2):
        shelf.apply(Items([Item(item_id="d", title="a bowl")]))
    assert Counting.asked.count("a bowl") == 1
    shelf = shop(f"{__name__}:Failing")
    assert not any(shelf.embedded.knows(shelf.number(item), "a red cup") for item in "abc")


class Failing(Colours):
    """An embedder that is out of order."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise RuntimeError("out of order")


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("/nowhere", "no folder with model.onnx"),
        ("no.such.module:Model", "cannot be made"),
        (f"{__name__}:Missing", "cannot be made"),
        ("builtins:list", r"no method embed"),
    ],
)
def test_a_model_that_cannot_be_used_says_why(named: str, why: str) -> None:
    with pytest.raises(NoEmbedder, match=why):
        load_embedder(named)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("operators.embedders.find_spec", lambda name: None)
    with pytest.raises(NoEmbedder, match="pip install"):
        load_embedder("wordllama")
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(NoEmbedder, match="package tokenizers is missing"):
        load_embedder(str(tmp_path))


def test_an_onnx_file_embeds_the_mean_of_its_tokens(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the extra 'embeddings' is not installed")
    words = tokenizers.models.WordLevel({"[UNK]": 0, "red": 1, "cup": 2}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(words)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    table = onnx.numpy_helper.from_array(np.array([[0, 0], [1, 0], [0, 1]], np.float32), "table")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gather", ["table", "input_ids"], ["made"])],
        "lookup",
        [onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["n", "t"])],
        [onnx.helper.make_tensor_value_info("made", onnx.TensorProto.FLOAT, ["n", "t", 2])],
        [table],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "model.onnx")
    embedder = load_embedder(str(tmp_path))
    assert isinstance(embedder, OnnxEmbedder)
    assert embedder.embed(["red cup", "red", ""]).tolist() == [[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]]


def test_the_shipped_model_finds_what_titles_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("wordllama", "tokenizers", "safetensors"):
        if not any((Path(place) / package).is_dir() for place in sys.path):
            pytest.skip(f"the extra 'embeddings' is not installed: no {package}")
    monkeypatch.setattr("socket.socket.connect", lambda *told: pytest.fail("the model asks the network"))
    embedder = load_embedder("wordllama")
    made = embedder.embed(["red coffee mug", "CRIMSON TEA CUP", "garden spade", ""])
    unit = made[:3] / np.linalg.norm(made[:3], axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2]
    assert not made[3].any()
