"""An ONNX graph in the making: nodes one after the other, and the arrays that they hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx

Floats = npt.NDArray[np.float32]


class OnnxGraph:
    """Nodes and held arrays, the `arrays` of a trained model among them by name. Names of values are numbers.

    >>> graph = OnnxGraph({"weight": np.ones((2, 1), np.float32)})
    >>> graph.add("Relu", graph.add("MatMul", "rows", graph.array("weight")))
    'v1'
    """

    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        self._arrays = arrays
        self._nodes: list[onnx.NodeProto] = []
        self._held: dict[str, onnx.TensorProto] = {}

    def add(self, kind: str, *inputs: str, to: str | None = None, **attributes: object) -> str:
        """A node of the `kind` that takes the named values; the name of what it gives, `to` where one is given.

        An attribute whose name is `to` in ONNX, as of Cast, is given by `cast`.
        """
        name = f"v{len(self._nodes)}" if to is None else to
        self._nodes.append(onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def cast(self, value: str) -> str:
        """The value as float32."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(onnx.helper.make_node("Cast", [value], [name], to=onnx.TensorProto.FLOAT))
        return name

    def held(self, name: str, array: npt.NDArray[np.generic] | np.float32) -> str:
        """Hold an array under a name of its own."""
        self._held[name] = onnx.numpy_helper.from_array(np.asarray(array), name)
        return name

    def array(self, name: str) -> str:
        """Hold the trained array of that name."""
        return self.held(name, self._arrays[name])

    def norm(self, value: str, scale: str, shift: str) -> str:
        """The last axis brought to mean 0 and variance 1, scaled and shifted by two trained arrays."""
        given = (value, self.array(scale), self.array(shift))
        return self.add("LayerNormalization", *given, axis=-1, epsilon=1e-5)

    def layer(self, value: str, name: str) -> str:
        """The product with the trained array of that name, and its `_bias` added."""
        return self.add("Add", self.add("MatMul", value, self.array(name)), self.array(f"{name}_bias"))

    def made(
        self, name: str, taken: list[onnx.ValueInfoProto], given: list[onnx.ValueInfoProto], opset: int
    ) -> onnx.ModelProto:
        """The model of all nodes, with these inputs and outputs."""
        graph = onnx.helper.make_graph(self._nodes, name, taken, given, list(self._held.values()))
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
