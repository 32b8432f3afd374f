"""Models that turn texts into vectors: one shipped in a package, an ONNX file, or a class of the deployment's own.

None of them reads anything but files of this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.embedding_index import Embedder
from schemas.errors import HeadraceError

SHIPPED = "wordllama"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENS = "tokenizers/l2_supercat_tokenizer_config.json"

MOST_TOKENS = 128
"""Of a text; what is beyond says little more of an item."""


class NoEmbedder(HeadraceError):  # noqa: N818 (named like the other refusals)
    """An embedding model that is not there or cannot be used; the text says which and what to do."""


def load_embedder(named: str) -> Embedder:
    """The embedding model of that name.

    `wordllama` is the one whose weights the package of that name ships (`pip install headrace[embeddings]`); a folder
    holds `model.onnx` and `tokenizer.json`; `package.module:Class` is a class that can be called without arguments and
    is an `Embedder`. Raises `NoEmbedder`.

    >>> load_embedder("nowhere/model")
    Traceback (most recent call last):
    operators.embedders.NoEmbedder: shelf.embedder: 'nowhere/model' is no folder with model.onnx and tokenizer.json
    """
    if named == SHIPPED:
        return _shipped()
    if ":" in named:
        return _own(named)
    folder = Path(named)
    if not (folder / "model.onnx").is_file() or not (folder / "tokenizer.json").is_file():
        raise NoEmbedder(f"shelf.embedder: {named!r} is no folder with model.onnx and tokenizer.json")
    return OnnxEmbedder(folder)


class StaticEmbedder:
    """The mean of the vectors of a text's tokens: no network, 25 µs a text. Letters are made small first."""

    def __init__(self, name: str, tokenizer: Path, weights: Path) -> None:
        self.name = name
        self._tokenizer = _tokenizer(tokenizer)
        tensors = _needed("safetensors.numpy").load_file(weights)
        self._vectors: NDArray[np.float32] = next(iter(tensors.values())).astype(np.float32)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[n, D] of n texts; 0 for a text without tokens."""
        made = np.zeros((len(texts), self._vectors.shape[1]), np.float32)
        lowered = [text.lower() for text in texts]
        for row, encoded in enumerate(self._tokenizer.encode_batch(lowered, add_special_tokens=False)):
            if encoded.ids:
                made[row] = self._vectors[encoded.ids[:MOST_TOKENS]].mean(axis=0)
        return made


class OnnxEmbedder:
    """A sentence encoder: the mean of its first output over a text's tokens.

    `model.onnx` takes int64 `input_ids` and `attention_mask` (and `token_type_ids`, if it wants them) of shape
    [n, tokens] and gives float[n, tokens, D], or float[n, D] where it has taken the mean itself.
    """

    def __init__(self, folder: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        self.name = folder.name
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        options = SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = InferenceSession(folder / "model.onnx", options, ["CPUExecutionProvider"])
        self._inputs = {given.name for given in self._session.get_inputs()}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[n, D] of n texts."""
        # One by one: padding would make a text's vector depend on the others in its last digits.
        return np.stack([self._embed(text) for text in texts])

    def _embed(self, text: str) -> NDArray[np.float32]:
        ids = np.array([self._tokenizer.encode(text).ids[:MOST_TOKENS] or [0]], np.int64)
        given = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        [made, *_] = self._session.run(
            None, {name: value for name, value in given.items() if name in self._inputs}
        )
        vector: NDArray[np.float32] = made[0].mean(axis=0) if made.ndim == 3 else made[0]
        return vector.astype(np.float32)


def _shipped() -> Embedder:
    # The package's own loader looks in a folder that the wheel does not have, and would fetch the tokenizer.
    spec = find_spec(SHIPPED)
    if spec is None or spec.origin is None:
        raise NoEmbedder(
            f"shelf.embedder: the package {SHIPPED} is missing; pip install 'headrace[embeddings]'"
        )
    home = Path(spec.origin).parent
    if missing := [name for name in (_WEIGHTS, _TOKENS) if not (home / name).is_file()]:
        raise NoEmbedder(f"shelf.embedder: {home} has no {missing[0]}; another release of {SHIPPED}?")
    return StaticEmbedder(SHIPPED, home / _TOKENS, home / _WEIGHTS)


def _own(named: str) -> Embedder:
    module, _, attribute = named.partition(":")
    try:
        made: Embedder = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise NoEmbedder(f"shelf.embedder: {named!r} cannot be made: {error}") from error
    if not callable(getattr(made, "embed", None)):
        raise NoEmbedder(f"shelf.embedder: {named!r} has no method embed(texts)")
    return made


def _tokenizer(file: Path) -> Any:
    return _needed("tokenizers").Tokenizer.from_file(str(file))


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise NoEmbedder(
            f"shelf.embedder: the package {package} is missing; pip install 'headrace[embeddings]'"
        ) from error
