"""A sequence model as an ONNX graph that takes int32[m, L] and returns float32[m, d]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

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
    that must give the `golden_vectors`, float32[g, d]."""

    graph: bytes
    vectors: Floats
    numbers: Ints
    golden_items: Ints
    golden_vectors: Floats

    def model(self) -> SequenceModel:
        """The model as the job loads it."""
        return SequenceModel(self.graph, self.vectors, self.numbers)

    def save(self, folder: Path) -> None:
        """Write the two files of a bundle."""
        (folder / SEQUENCE).write_bytes(self.graph)
        np.savez(
            folder / SEQUENCE_ITEMS,
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
) -> ExportedSequence:
    """Export trained `arrays` (jobs/sasrec.py) and hold the graph to the `source` model on windows `golden`.

    Raises `ExportDiffers` where a vector is off by more than `PARITY`, absolutely and relatively.
    """
    vectors = arrays["items"].copy()
    vectors[NO_ITEM] = 0.0
    made = ExportedSequence(export_sequence(arrays, settings), vectors, numbers, golden, source(golden))
    found = made.model().encode(golden)
    off = ~np.isclose(found, made.golden_vectors, rtol=PARITY, atol=PARITY).all(axis=1)
    if off.any():
        user = int(np.flatnonzero(off)[0])
        raise ExportDiffers(
            f"{int(off.sum())} of {len(off)} exported vectors are off; that of user {user} by"
            f" {np.abs(found[user] - made.golden_vectors[user]).max():.6g}"
        )
    return made


def export_sequence(arrays: Mapping[str, Floats], settings: SequenceSettings) -> bytes:
    """The ONNX graph of `jobs.sasrec.encode` with these parameters, without dropout."""
    graph = _Graph(arrays)
    known = graph.add(
        "Cast", graph.add("Greater", INPUT, graph.held("none", np.array(NO_ITEM, np.int32))), to=1
    )
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
        for query, value in graph.heads(k, settings):
            weight = graph.add("Add", graph.add("MatMul", graph.add("MatMul", asked, query), across), bias)
            mixed = graph.add("MatMul", graph.add("Softmax", weight, axis=-1), seen)
            x = graph.add("Add", x, graph.add("MatMul", mixed, value))
        wide = graph.norm(x, f"asked_scale_{k}", f"asked_shift_{k}")
        wide = graph.add("Relu", graph.layer(wide, f"wide_{k}"))
        x = graph.add("Add", x, graph.layer(wide, f"narrow_{k}"))
    last = graph.norm(graph.add("Squeeze", x, axis), "scale", "shift")
    graph.add("Mul", last, graph.add("Slice", known, zero, end, axis), to_output=True)
    return graph.serialized(settings)


class _Graph:
    """Nodes and held arrays in the making. Names of values are numbers."""

    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        self._arrays = arrays
        self._nodes: list[onnx.NodeProto] = []
        self._held: dict[str, onnx.TensorProto] = {}

    def add(self, kind: str, *inputs: str, to_output: bool = False, **attributes: object) -> str:
        name = OUTPUT if to_output else f"v{len(self._nodes)}"
        self._nodes.append(onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def held(self, name: str, array: npt.NDArray[np.generic] | np.float32) -> str:
        self._held[name] = onnx.numpy_helper.from_array(np.asarray(array), name)
        return name

    def array(self, name: str) -> str:
        return self.held(name, self._arrays[name])

    def norm(self, value: str, scale: str, shift: str) -> str:
        given = (value, self.array(scale), self.array(shift))
        return self.add("LayerNormalization", *given, axis=-1, epsilon=1e-5)

    def layer(self, value: str, name: str) -> str:
        return self.add("Add", self.add("MatMul", value, self.array(name)), self.array(f"{name}_bias"))

    def heads(self, k: int, settings: SequenceSettings) -> list[tuple[str, str]]:
        """For each head of block k the product of query and key, scaled, and that of value and output."""
        size = settings.width // settings.heads
        made = []
        for head in range(settings.heads):
            part = slice(head * size, (head + 1) * size)
            query, key, value, out = (self._arrays[f"{n}_{k}"] for n in ("query", "key", "value", "out"))
            asks = (query[:, part] @ key[:, part].T * size**-0.5).astype(np.float32)
            gives = (value[:, part] @ out[part]).astype(np.float32)
            made.append((self.held(f"asks_{k}_{head}", asks), self.held(f"gives_{k}_{head}", gives)))
        return made

    def serialized(self, settings: SequenceSettings) -> bytes:
        taken = onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.INT32, [None, settings.length])
        given = onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [None, settings.width])
        graph = onnx.helper.make_graph(self._nodes, "sequence", [taken], [given], list(self._held.values()))
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", _OPSET)])
        model.ir_version = _IR_VERSION
        onnx.checker.check_model(model)
        serialized: bytes = model.SerializeToString()
        return serialized
