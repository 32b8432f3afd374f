"""The laid-out job before it runs: names that a person understands, and a check of where Python runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pyflink.datastream import StreamExecutionEnvironment

from schemas.errors import HeadraceError

NAMES: tuple[tuple[str, str], ...] = (
    (r"KafkaSource-\S+\.events\b|Source.*\.events\b", "events"),
    (r"KafkaSource-\S+\.configuration\b|Source.*\.configuration\b", "catalogue and control"),
    (r"_stream_key_by_map_operator", "key by user"),
    (r"PythonCalc.*rank_users", "rank and publish users"),
    (r"PythonCalc.*publish_items", "publish items"),
    (r"PythonCalc.*publish_co_visits", "publish co-visitation"),
    (r"PythonCalc.*publish_popularity", "publish popularity"),
    (r"PythonCalc.*publish_steps", "publish session steps"),
    (r"LocalGroupAggregate.*groupBy=\[a, b", "co-visitation: sums of a mini-batch"),
    (r"GlobalGroupAggregate.*groupBy=\[a, b", "co-visitation: decayed sums"),
    (r"GroupAggregate.*groupBy=\[a, b", "co-visitation: decayed sums"),
    (r"LocalGroupAggregate.*groupBy=\[area", "popularity: sums of a mini-batch"),
    (r"GlobalGroupAggregate.*groupBy=\[area", "popularity: decayed sums"),
    (r"GroupAggregate.*groupBy=\[area", "popularity: decayed sums"),
    (r"Correlate.*UNNEST\S*\(\$cor\d+\.earlier", "co-visitation: pairs"),
    (r"Correlate.*UNNEST\S*\(\$cor\d+\.scopes", "popularity: scopes"),
    (r"Calc\(select=\[a, b, .*LN\(", "co-visitation: log-scores"),
    (r"Calc.*LN\(", "popularity: log-scores"),
    (r"Calc.*AS epoch.*weight", "forward-decayed weights"),
    (r"Calc.*item IS NOT NULL", "item steps"),
    (r"Calc.*request IS NOT NULL", "refresh requests"),
    (r"Calc.*log IS NOT NULL", "recommendation log"),
    (r"Calc.*letter IS NOT NULL", "bad catalogue entries"),
    (r"Calc.*topic IS NOT NULL", "messages of the user step"),
    (r"DataStreamToTable", "rows of the user step"),
    (r"TableToDataStream", "records as rows"),
    (r"MiniBatchAssigner", "mini-batch"),
    (r"ConstraintEnforcer", "check for nulls"),
    (r"Calc", "columns"),
)
"""What an operator does, by a pattern of Flink's own name and description; the first that fits counts."""

WORKER_PROCESS = re.compile(r"\.ExternalPython")
"""Operator classes that run keyed or row-wise Python in a process of its own. The vectorised functions run in
`ArrowPython…` operators, which are meant to."""

_NO_OPERATOR = ("PartitionTransformation", "UnionTransformation", "SideOutputTransformation")


class WrongPythonMode(HeadraceError):  # noqa: N818 (named like the other refusals)
    """An operator fell back to a worker process: keyed work there is twenty times slower."""


def name_operators(streams: StreamExecutionEnvironment) -> list[str]:
    """Give every operator of the job a name and a uid. Returns the names in the order of the flow."""
    taken: Counter[str] = Counter()
    names = []
    for transformation in sorted(transformations(streams), key=lambda each: int(each.getId())):
        if transformation.getClass().getSimpleName() in _NO_OPERATOR:
            continue
        name = _name(str(transformation.getName()), str(transformation.getDescription() or ""))
        taken[name] += 1
        transformation.setName(name)
        if transformation.getUid() is None:
            count = taken[name]
            transformation.setUid(_slug(name) + (f"-{count}" if count > 1 else ""))
        names.append(name)
    return names


def check_python_mode(streams: StreamExecutionEnvironment) -> int:
    """Raise `WrongPythonMode` when keyed or row-wise Python would run outside thread mode.

    Returns how many embedded Python operators there are.
    """
    graph = streams._generate_stream_graph(clear_transformations=False, job_name="check")
    embedded = 0
    for node in graph.getStreamNodes().toArray():
        factory = node.getOperatorFactory()
        if factory is None or not hasattr(factory, "getStreamOperatorClass"):
            continue
        loader = graph.getClass().getClassLoader()
        operator = str(factory.getStreamOperatorClass(loader).getName())
        if WORKER_PROCESS.search(operator):
            raise WrongPythonMode(
                f"operator {node.getOperatorName()!r} would run as {operator}: not in thread mode;"
                " set python.execution-mode to thread, and use no Python that thread mode lacks"
            )
        embedded += ".EmbeddedPython" in operator
    return embedded


def transformations(streams: StreamExecutionEnvironment) -> Iterator[Any]:
    """Every transformation of the job, each once."""
    seen: set[int] = set()
    waiting = list(streams._j_stream_execution_environment.getTransformations())
    while waiting:
        transformation = waiting.pop()
        if transformation.getId() in seen:
            continue
        seen.add(transformation.getId())
        yield transformation
        waiting.extend(transformation.getInputs())


def _name(name: str, description: str) -> str:
    for text in (name, f"{name} {description}"):
        for pattern, plain in NAMES:
            if plain != "columns" and re.search(pattern, text):
                return plain
    if name.startswith("Calc"):
        return "columns"
    return re.sub(r"\[\d+\]$", "", name)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
