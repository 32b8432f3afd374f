"""Graphs that other exporters wrote, brought to the form a bundle holds: float32[n, F] in, float32[n] out.

Understood are a score per row, float[n] or float[n, 1] (regressors, rankers, networks), and probabilities of two
classes, float[n, 2], of which the second counts (classifiers, with or without ZipMap, beside a label or alone).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from operators.onnx_scorer import OnnxScorer, UnusableGraph
from schemas.errors import HeadraceError

INPUT, OUTPUT = "headrace_features", "headrace_score"
_OPSET = 15
_KINDS = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
}


class OutsideModelRefused(HeadraceError):  # noqa: N818 (named for what it says)
    """A model made elsewhere that cannot become a bundle; the message names what is wrong and the way out."""


def read_graph(file: Path) -> onnx.ModelProto:
    """The model in `file`, with weights that its exporter wrote beside it. Raises `OutsideModelRefused`."""
    try:
        model = onnx.load(file)
        onnx.checker.check_model(model)
    except OSError as error:
        raise OutsideModelRefused(f"{file}: cannot be read ({error.strerror or error})") from error
    except (
        Exception
    ) as error:  # protobuf and onnx raise types of their own, which share no base but Exception
        first = str(error).strip().split("\n")[0]
        raise OutsideModelRefused(f"{file}: is no valid ONNX model: {first}; export it again") from error
    return model


def as_ranker(
    model: onnx.ModelProto, features: Sequence[str], output: str | None = None, file: str = "model"
) -> tuple[bytes, str]:
    """The model as the graph of a ranker that takes these features, and the output that its scores come from.

    `output` names it where the model has several that could be meant; `file` is how errors call the model.
    `model` is changed. Raises `OutsideModelRefused` where it does not take one row of numbers a candidate, or
    returns no score for each.
    """
    graph = model.graph
    _let_opsets_in(model)
    _without_zip_maps(graph)
    _one_input(graph, features, file)
    chosen = _output_of(graph, output, file)
    shape, kind = _found(model, chosen, len(features), file)
    _one_output(graph, chosen, shape, kind, file)
    made: bytes = model.SerializeToString()
    try:
        OnnxScorer(made, len(features))
    except UnusableGraph as error:
        raise OutsideModelRefused(f"{file}: {error}; export it again") from error
    return made, chosen


def _let_opsets_in(model: onnx.ModelProto) -> None:
    if all(opset.domain not in ("", "ai.onnx") for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", _OPSET))


def _without_zip_maps(graph: Any) -> None:
    """Let probabilities come as a matrix, where they would come as a dictionary per row."""
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        for value in graph.output:
            if value.name == node.output[0]:
                kind = value.type.sequence_type.elem_type.map_type.value_type.tensor_type.elem_type
                value.CopyFrom(helper.make_tensor_value_info(node.input[0], kind, [None, None]))
        graph.node.remove(node)


def _one_input(graph: Any, features: Sequence[str], file: str) -> None:
    """Feed the graph from one matrix float32[n, F]: as it is, as float64, or a column to each input named so."""
    held = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in held]
    nodes = []
    if len(inputs) == 1 and len(inputs[0].type.tensor_type.shape.dim) == 2:
        _refuse_shape(inputs[0], len(features), file)
        nodes.append(_converted(INPUT, inputs[0]))
    else:
        columns = {value.name: value for value in inputs}
        if set(columns) != set(features):
            given = ", ".join(f"{value.name} {_shape(value)}" for value in inputs)
            raise OutsideModelRefused(
                f"{file}: takes {given or 'nothing'}; one input [n, {len(features)}] is needed, "
                "or one [n, 1] named after each feature"
            )
        for place, name in enumerate(features):
            _refuse_shape(columns[name], 1, file)
            index = numpy_helper.from_array(np.array([place], np.int64), f"headrace_place_{place}")
            graph.initializer.append(index)
            column = f"headrace_column_{place}"
            nodes.append(helper.make_node("Gather", [INPUT, index.name], [column], axis=1))
            nodes.append(_converted(column, columns[name]))
    for place, node in enumerate(nodes):
        graph.node.insert(place, node)
    for value in inputs:
        graph.input.remove(value)
    graph.input.insert(0, helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, len(features)]))


def _converted(source: str, value: Any) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [value.name], to=value.type.tensor_type.elem_type)


def _refuse_shape(value: Any, width: int, file: str) -> None:
    tensor = value.type.tensor_type
    if tensor.elem_type not in _KINDS:
        raise OutsideModelRefused(
            f"{file}: input {value.name} takes {_kind(tensor.elem_type)}; float32 or float64 is needed"
        )
    dims = list(tensor.shape.dim)
    if len(dims) != 2 or (dims[1].HasField("dim_value") and dims[1].dim_value != width):
        raise OutsideModelRefused(
            f"{file}: input {value.name} has the shape {_shape(value)}, and --features names {width}; "
            f"[n, {width}] is needed"
        )
    batch = dims[0]
    if batch.HasField("dim_value") and batch.dim_value > 0:
        raise OutsideModelRefused(
            f"{file}: input {value.name} takes exactly {batch.dim_value} rows; export it with a first "
            "dimension that is free (torch: dynamic_axes or dynamic_shapes)"
        )


def _output_of(graph: Any, output: str | None, file: str) -> str:
    names = {value.name: value for value in graph.output}
    if output is not None:
        if output not in names:
            raise OutsideModelRefused(
                f"{file}: has no output {output!r}; known: {', '.join(names) or 'none'}"
            )
        return output
    numbers: list[str] = [name for name, value in names.items() if value.type.tensor_type.elem_type in _KINDS]
    if len(numbers) != 1:
        listed = ", ".join(f"{name} {_kind(v.type.tensor_type.elem_type)}" for name, v in names.items())
        way_out = "say which is the score with --output" if numbers else "one of floats is needed"
        raise OutsideModelRefused(f"{file}: has the outputs {listed or 'none'}; {way_out}")
    return numbers[0]


def _found(model: onnx.ModelProto, output: str, width: int, file: str) -> tuple[tuple[int, ...], int]:
    """Shape and element type of an output, for five rows: what graphs declare is often less than they do."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        [found] = session.run([output], {INPUT: np.zeros((5, width), np.float32)})
    except Exception as error:  # onnxruntime raises its own types, which share no base but Exception
        first = str(error).strip().split("\n")[0]
        raise OutsideModelRefused(f"{file}: onnxruntime cannot run it: {first}") from error
    found = np.asarray(found)
    if found.dtype not in (np.float32, np.float64):
        raise OutsideModelRefused(f"{file}: output {output} is of {found.dtype}; floats are needed")
    return found.shape, TensorProto.FLOAT if found.dtype == np.float32 else TensorProto.DOUBLE


def _one_output(graph: Any, output: str, shape: tuple[int, ...], kind: int, file: str) -> None:
    """Let the scores be the graph's one output, float32[n]."""
    if shape not in ((5,), (5, 1), (5, 2)):
        raise OutsideModelRefused(
            f"{file}: output {output} has the shape {list(shape)} for 5 rows; [5], [5, 1] or the "
            "probabilities of two classes, [5, 2], are needed: one score a candidate"
        )
    value = output
    if shape == (5, 2):
        graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), "headrace_second"))
        graph.node.append(helper.make_node("Gather", [value, "headrace_second"], ["headrace_of_two"], axis=1))
        value = "headrace_of_two"
    if kind == TensorProto.DOUBLE:
        graph.node.append(helper.make_node("Cast", [value], ["headrace_float"], to=TensorProto.FLOAT))
        value = "headrace_float"
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "headrace_flat"))
    graph.node.append(helper.make_node("Reshape", [value, "headrace_flat"], [OUTPUT]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None]))


def _kind(element: int) -> str:
    return "no tensor" if element == 0 else TensorProto.DataType.Name(element).lower()


def _shape(value: Any) -> str:
    dims = [
        str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "n"
        for dim in value.type.tensor_type.shape.dim
    ]
    return f"[{', '.join(dims)}]"
