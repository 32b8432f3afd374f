"""The laid-out job before it runs: names that a person understands, and a check of where Python runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.util.java_utils import get_j_env_configuration

from schemas.errors import HeadraceError

NAMES: tuple[tuple[str, str], ...] = (
    (r"Source.*\.events\b", "events"),
    (r"Source.*\.configuration\b.* before MiniBatchAssigner", "catalogue"),
    (r"Source.*\.configuration\b", "catalogue and control"),
    (r"_stream_key_by_map_operator.* after (readable messages|events) as rows", "key by user"),
    (r"_stream_key_by_map_operator", "key by model or detector"),
    (r"PythonCalc.*rank_users", "rank and publish users"),
    (r"PythonCalc.*publish_items", "publish items"),
    (r"PythonCalc.*publish_co_visits", "publish co-visitation"),
    (r"PythonCalc.*publish_purchases", "publish what purchases say"),
    (r"PythonCalc.*publish_popularity", "publish popularity"),
    (r"PythonCalc.*publish_steps", "publish session steps"),
    (r"PythonCalc.*publish_segments", "publish counts of segments"),
    (r"PythonCalc.*publish_models", "publish models"),
    (r"LocalGroupAggregate.*groupBy=\[kind", "purchases: sums of a mini-batch"),
    (r"GroupAggregate.*groupBy=\[kind", "purchases: decayed sums"),
    (r"Calc.*'#purchase'", "rows of purchases"),
    (r"Correlate.* after rows of purchases", "purchases: pairs and areas"),
    (r"Calc.* after purchases: pairs and areas", "purchases: weights"),
    (r"Calc.* after purchases: decayed sums", "purchases: log-scores"),
    (r"LocalGroupAggregate.*groupBy=\[a, b", "co-visitation: sums of a mini-batch"),
    (r"GroupAggregate.*groupBy=\[a, b", "co-visitation: decayed sums"),
    (r"LocalGroupAggregate.*groupBy=\[area", "popularity: sums of a mini-batch"),
    (r"GroupAggregate.*groupBy=\[area", "popularity: decayed sums"),
    (r"LocalGroupAggregate.*groupBy=\[segment\]", "segments: sums of a mini-batch"),
    (r"GroupAggregate.*groupBy=\[segment\]", "segments: counts"),
    (r"Correlate.*UNNEST\S*\(\$cor\d+\.earlier", "co-visitation: pairs"),
    (r"Correlate.*UNNEST\S*\(\$cor\d+\.scopes", "popularity: scopes"),
    (r"Calc\(select=\[a, b, .*LN\(", "co-visitation: log-scores"),
    (r"Calc.*LN\(", "popularity: log-scores"),
    (r"Calc.*AS area.*AS epoch.*weight", "popularity: weights"),
    (r"Calc.*AS epoch.*weight", "co-visitation: weights"),
    (r"Calc.*\(scopes, 1\) AS segment", "segments: who came and went"),
    (r"Calc.*segment, CAST\(.* AS BIGINT\)", "segments: whole numbers"),
    (r"Calc.*'#models'.*'#watch'", "examples and summaries"),
    (r"Calc.*table_row, figures", "tables and figures of models"),
    (r"Calc.* after rows of models and detectors", "alerts and requests"),
    (r"Calc.*LIKE\(topic, '#%'\).* after rows of what was refused", "dead letters"),
    (r"Calc.*LIKE\(topic, '#%'\)", "messages of the user step"),
    (r"Calc.*'#watch'.* after rows of what was refused", "summaries of what was refused"),
    (r"PythonCalc.*turn_away", "turn away"),
    (r"Calc.*told IS NOT NULL", "summaries of what was turned away"),
    (r"Calc.* after what was turned away", "dead letters of what was turned away"),
    (r"Calc.*NOT.*(?i:STARTSWITH).* after messages to be told apart", "strange messages"),
    (r"Calc.*(?i:STARTSWITH).* after messages to be told apart", "readable messages"),
    (r"Calc.*item IS NOT NULL", "item steps"),
    (r"Calc.*request IS NOT NULL", "refresh requests"),
    (r"Calc.*log IS NOT NULL", "recommendation log"),
    (r"Calc.*letter IS NOT NULL", "bad catalogue entries"),
    (r"Calc.*refusal IS NOT NULL", "what workers refused"),
    (r"Calc.*CARDINALITY\(lake\)", "lake: columns"),
    (r"StreamingFileWriter", "lake: files"),
    (r"PartitionCommitter", "lake: days that are whole"),
    (r"^end\b", "lake: end"),
    (r"Calc.* after events$", "columns of events"),
    (r"Calc.* after catalogue and control$", "columns of catalogue and control"),
    (r"Calc.* after mini-batch", "columns of the catalogue"),
    (r"DataStreamToTable.* after models and detectors", "rows of models and detectors"),
    (
        r"DataStreamToTable.* after (key by user, user step|user step, key by user)",
        "rows of what was refused",
    ),
    (r"DataStreamToTable.* after events as rows", "messages to be told apart"),
    (r"DataStreamToTable.* after strange messages as rows", "strange messages again"),
    (r"Calc.* after strange messages again", "columns of strange messages"),
    (r"DataStreamToTable.* after turned away as rows", "what was turned away"),
    (r"DataStreamToTable", "rows of the user step"),
    (r"ConstraintEnforcer.* after columns of events", "columns of events: check for nulls"),
    (r"ConstraintEnforcer.* after readable messages", "readable messages: check for nulls"),
    (r"ConstraintEnforcer.* after strange messages", "strange messages: check for nulls"),
    (r"TableToDataStream.* after columns of events", "events as rows"),
    (r"TableToDataStream.* after readable messages", "readable messages as rows"),
    (r"TableToDataStream.* after strange messages", "strange messages as rows"),
    (r"TableToDataStream.* after turn away", "turned away as rows"),
    (r"TableToDataStream.* after columns of catalogue and control", "catalogue and control as rows"),
    (r"TableToDataStream", "examples and summaries as rows"),
    (r"MiniBatchAssigner", "mini-batch"),
    (r"ConstraintEnforcer.* after bad catalogue entries", "bad catalogue entries: check for nulls"),
    (r"Sink\(.*\.messages\].* after bad catalogue entries", "bad catalogue entries: messages"),
    (r"ConstraintEnforcer.* after what workers refused", "what workers refused: check for nulls"),
    (r"Sink\(.*\.messages\].* after what workers refused", "what workers refused: messages"),
    (r"ConstraintEnforcer.* after alerts and requests", "alerts and requests: check for nulls"),
    (r"Sink\(.*\.messages\].* after alerts and requests", "alerts and requests: messages"),
    (r"ConstraintEnforcer", "check for nulls"),
    (r"Calc", "columns"),
)
"""What an operator does, by a pattern of Flink's own name and description, and of what comes `after` which
operators (by their names from here) or, for sources, `before` which (by Flink's). The first that fits counts."""

UIDS: Mapping[str, str] = MappingProxyType({"catalogue": "catalogue-and-control-2"})
"""Under which uid the state of an operator lies in savepoints, where that is not its name.

Names that several operators have are numbered by where they stand in the layout: only for operators that keep
no state, so that nothing is lost when the layout changes.
"""

WORKER_PROCESS = re.compile(r"\.ExternalPython")
"""Operator classes that run keyed or row-wise Python in a process of its own. The vectorised functions run in
`ArrowPython…` operators, which are meant to."""

AT_ONCE = (
    "events", "columns of events", "columns of events: check for nulls", "events as rows",
    "messages to be told apart", "readable messages", "readable messages: check for nulls",
    "readable messages as rows", "key by user",
    "columns of catalogue and control", "catalogue and control as rows", "user step",
)  # fmt: skip
"""Operators on the way from an event to its list: what they send goes out within `AT_ONCE_MS`. What the others
send may wait for `GATHERED_MS`: each wake-up of a task costs more than the row that it is woken for."""

AT_ONCE_MS = 5
GATHERED_MS = 100

_NO_OPERATOR = ("PartitionTransformation", "UnionTransformation", "SideOutputTransformation")


class WrongPythonMode(HeadraceError):  # noqa: N818 (named like the other refusals)
    """An operator fell back to a worker process: keyed work there is twenty times slower."""


def name_operators(streams: StreamExecutionEnvironment) -> list[str]:
    """Give every operator of the job a name and a uid. Returns the names in the order of the flow."""
    taken: Counter[str] = Counter()
    names = []
    laid = sorted(transformations(streams), key=lambda each: int(each.getId()))
    for transformation, name in zip(laid, _names(laid), strict=True):
        if name is None:
            continue
        taken[name] += 1
        transformation.setName(name)
        transformation.setBufferTimeout(AT_ONCE_MS if name in AT_ONCE else GATHERED_MS)
        if transformation.getUid() is None:
            count = taken[name]
            transformation.setUid(UIDS.get(name, _slug(name)) + (f"-{count}" if count > 1 else ""))
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
    _leave_each_its_batches(streams)
    return embedded


def _leave_each_its_batches(streams: StreamExecutionEnvironment) -> None:
    """Lists and item sums go to Python in batches of their own sizes (`jobs/topology.py`).

    Translation leaves the last ones in the environment, which puts its own over those of all operators when
    the graph is made once more.
    """
    environment = get_j_env_configuration(streams._j_stream_execution_environment)
    for key in [key for key in environment.keySet() if key.startswith("python.fn-execution.")]:
        environment.removeKey(key)


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


def _names(laid: list[Any]) -> list[str | None]:
    """The names of transformations; None where one is no operator, but only a way between two."""
    by_id = {int(each.getId()): each for each in laid}
    inputs = {at: [int(one.getId()) for one in each.getInputs()] for at, each in by_id.items()}
    found: dict[int, str | None] = {}

    def operators_before(at: int) -> list[int]:
        return [
            one
            for given in inputs[at]
            for one in ([given] if _is_operator(by_id[given]) else operators_before(given))
        ]

    before = {at: operators_before(at) for at in by_id}
    after: dict[int, list[int]] = {at: [] for at in by_id}
    for at, given in before.items():
        if _is_operator(by_id[at]):
            for one in given:
                after[one].append(at)

    def name(at: int) -> str | None:
        if at not in found:
            each = by_id[at]
            text = f"{each.getName()} {each.getDescription() or ''}"
            if before[at]:
                text += f" after {', '.join(str(name(one)) for one in before[at])}"
            else:
                text += f" before {', '.join(str(by_id[one].getName()) for one in after[at])}"
            found[at] = _plain(str(each.getName()), text) if _is_operator(each) else None
        return found[at]

    return [name(int(each.getId())) for each in laid]


def _is_operator(transformation: Any) -> bool:
    return transformation.getClass().getSimpleName() not in _NO_OPERATOR


def _plain(name: str, text: str) -> str:
    for pattern, plain in NAMES:
        if re.search(pattern, text):
            return plain
    return re.sub(r"\[\d+\]$", "", name)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
