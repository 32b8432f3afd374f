"""A sequence model as an ONNX graph that takes int32[m, L] and returns float32[m, d]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from jobs.onnx_graph import OnnxGraph
from jobs.ranker_onnx import PARITY, ExportDiffers
from jobs.sequence_settings import SequenceSettings
from operators.bundle_manifest import SEQUENCE, SEQUENCE_ITEMS
from operators.sequence_model import NO_ITEM, SequenceModel

INPUT = "last_items"
OUTPUT = "users"
_OPSET = 17
_IR_VERSION = 8
"""Of 2022: read by every onnxruntime since 1.12."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class ExportedSequence:
    """A sequence model as a bundle holds it: see `SequenceModel`. `golden_items` are windows, int32[g, L],
    that must give the `golden_vectors`, float32[g, d]. `files` are the names of its graph and its arrays there."""

    graph: bytes
    vectors: Floats
    numbers: Ints
    golden_items: Ints
    golden_vectors: Floats
    files: tuple[str, str] = (SEQUENCE, SEQUENCE_ITEMS)

    def model(self) -> SequenceModel:
        """The model as the job loads it."""
        return SequenceModel(self.graph, self.vectors, self.numbers)

    def save(self, folder: Path) -> None:
        """Write the two files of a bundle."""
        graph, arrays = self.files
        (folder / graph).write_bytes(self.graph)
        np.savez(
            folder / arrays,
            vectors=self.vectors,
            numbers=self.numbers,
            golden_items=self.golden_items,
            golden_vectors=self.golden_vectors,
        )


def exported(
    arrays: Mapping[str, Floats],
    settings: SequenceSettings,
    numbers: Ints,
    golden: Ints,
    source: Callable[[Ints], Floats],
    axes: Floats | None = None,
) -> ExportedSequence:
    """Export trained `arrays` (jobs/sasrec.py) and hold the graph to the `source` model on windows `golden`.

    With `axes`, float32[d, d], orthogonal, all vectors are turned by them, which leaves every product as it was: see
    `principal_axes`. Raises `ExportDiffers` as `held_to` does.
    """
    vectors = arrays["items"].copy()
    vectors[NO_ITEM] = 0.0
    golden_vectors = source(golden)
    if axes is not None:
        vectors, golden_vectors = vectors @ axes, golden_vectors @ axes
    graph = export_sequence(arrays, settings, axes)
    return held_to(ExportedSequence(graph, vectors, numbers, golden, golden_vectors))


def principal_axes(users: Floats) -> Floats:
    """float32[d, d]: the directions along which users' vectors float32[m, d] differ, the greatest first, as columns.

    >>> users = np.array([[0.0, 3.0], [0.0, -3.0], [1.0, 0.0], [-1.0, 0.0]], np.float32)
    >>> np.abs(users @ principal_axes(users)).round(3).tolist()
    [[3.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    """
    apart = users.astype(np.float64) - users.mean(axis=0)
    _, axes = np.linalg.eigh(apart.T @ apart)
    axes = axes[:, ::-1]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    turned: Floats = (axes * signs).astype(np.float32)
    return turned


def held_to(made: ExportedSequence) -> ExportedSequence:
    """`made`, once its graph gave the golden vectors, which are those of its source.

    Raises `ExportDiffers` where a vector is off by more than `PARITY`, absolutely and relatively.
    """
    found = made.model().encode(made.golden_items)
    off = ~np.isclose(found, made.golden_vectors, rtol=PARITY, atol=PARITY).all(axis=1)
    if off.any():
        user = int(np.flatnonzero(off)[0])
        raise ExportDiffers(
            f"{int(off.sum())} of {len(off)} exported vectors are off; that of user {user} by"
            f" {np.abs(found[user] - made.golden_vectors[user]).max():.6g}"
        )
    return made


def export_sequence(
    arrays: Mapping[str, Floats], settings: SequenceSettings, axes: Floats | None = None
) -> bytes:
    """The ONNX graph of `jobs.sasrec.encode` with these parameters, without dropout, its vectors turned by `axes`."""
    graph = OnnxGraph(arrays)
    known = graph.cast(graph.add("Greater", INPUT, graph.held("none", np.array(NO_ITEM, np.int32))))
    one, masked = graph.held("one", np.float32(1.0)), graph.held("masked", np.float32(1e9))
    axis, zero, end = (graph.held(f"at_{k}", np.array([v], np.int64)) for k, v in enumerate((1, 0, 1)))
    bias = graph.add("Unsqueeze", graph.add("Mul", graph.add("Sub", known, one), masked), axis)
    x = graph.add("Add", graph.add("Gather", graph.array("items"), INPUT), graph.array("places"))
    for k in range(settings.blocks):
        seen = graph.norm(x, f"seen_scale_{k}", f"seen_shift_{k}")
        across = graph.add("Transpose", seen, perm=[0, 2, 1])
        asked = seen
        if k == settings.blocks - 1:
            x, asked = (graph.add("Slice", part, zero, end, axis) for part in (x, seen))
        for query, value in _heads(graph, arrays, k, settings):
            weight = graph.add("Add", graph.add("MatMul", graph.add("MatMul", asked, query), across), bias)
            mixed = graph.add("MatMul", graph.add("Softmax", weight, axis=-1), seen)
            x = graph.add("Add", x, graph.add("MatMul", mixed, value))
        wide = graph.norm(x, f"asked_scale_{k}", f"asked_shift_{k}")
        wide = graph.add("Relu", graph.layer(wide, f"wide_{k}"))
        x = graph.add("Add", x, graph.layer(wide, f"narrow_{k}"))
    last = graph.norm(graph.add("Squeeze", x, axis), "scale", "shift")
    if axes is not None:
        last = graph.add("MatMul", last, graph.held("axes", axes))
    graph.add("Mul", last, graph.add("Slice", known, zero, end, axis), to=OUTPUT)
    return encoder(graph, settings.length, settings.width)


def encoder(graph: OnnxGraph, length: int, width: int) -> bytes:
    """The finished graph of an encoder: int32[m, length] windows to float32[m, width] vectors."""
    taken = onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.INT32, [None, length])
    given = onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [None, width])
    model = graph.made("sequence", [taken], [given], _OPSET)
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def _heads(
    graph: OnnxGraph, arrays: Mapping[str, Floats], k: int, settings: SequenceSettings
) -> list[tuple[str, str]]:
    """For each head of block k the product of query and key, scaled, and that of value and output."""
    size = settings.width // settings.heads
    made = []
    for head in range(settings.heads):
        part = slice(head * size, (head + 1) * size)
        query, key, value, out = (arrays[f"{n}_{k}"] for n in ("query", "key", "value", "out"))
        asks = (query[:, part] @ key[:, part].T * size**-0.5).astype(np.float32)
        gives = (value[:, part] @ out[part]).astype(np.float32)
        made.append((graph.held(f"asks_{k}_{head}", asks), graph.held(f"gives_{k}_{head}", gives)))
    return made
