"""No operator may fall back to a worker process in silence: keyed work there is twenty times slower.

python tests/pipeline/test_python_mode.py uids     write the golden uids anew, after a change that is meant
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

UIDS = Path(__file__).parents[1] / "contract" / "golden" / "job" / "uids.txt"


def laid_out_in(mode: str) -> dict[str, object]:
    """Lay out the live job in that mode: what the check says, and how the operators are named."""
    from infra import jars, java
    from jobs.engine import BUNDLE_MS, environment, job_options, minicluster_options
    from jobs.job_graph import WrongPythonMode, check_python_mode, name_operators, transformations
    from jobs.plan import live_plan
    from jobs.settings import Settings
    from jobs.topology import ITEM_SIDE, build

    java.use()
    options = job_options(10.0, 90, None) | minicluster_options(jars.classpath("connector"), 8081, slots=1)
    options["python.execution-mode"] = mode
    streams, tables = environment(options, parallelism=1)
    build(tables, live_plan(Settings()))
    names = name_operators(streams)
    laid = sorted(transformations(streams), key=lambda each: int(each.getId()))
    uids = [str(each.getUid()) for each in laid if each.getUid() is not None]
    stateful = [str(each.getUid()) for each in laid if each.getUid() is not None and keeps_state(each)]
    try:
        said: object = check_python_mode(streams)
    except WrongPythonMode as refusal:
        said = str(refusal)
    waits = {} if isinstance(said, str) else batch_times(streams)
    meant = {"lists": str(BUNDLE_MS), "items": ITEM_SIDE["python.fn-execution.bundle.time"]}
    return {
        "said": said, "names": names, "uids": uids, "stateful": stateful, "waits": waits, "meant": meant
    }  # fmt: skip


def keeps_state(transformation: Any) -> bool:
    """Whether a checkpoint holds something of the operator: places in topics, keyed state, what a sink has open."""
    kind = str(transformation.getClass().getSimpleName())
    if kind.startswith(("Source", "Sink")) or kind == "PythonKeyedBroadcastStateTransformation":
        return True
    return kind in ("OneInputTransformation", "TwoInputTransformation") and (
        transformation.getStateKeyType() is not None
    )


def batch_times(streams: Any) -> dict[str, str]:
    """How long each vectorised function gathers rows (ms), in the graph that would be submitted."""
    graph = streams._generate_stream_graph(clear_transformations=False, job_name="check")
    waits = {}
    for node in graph.getStreamNodes().toArray():
        factory = node.getOperatorFactory()
        simple = factory is not None and factory.getClass().getSimpleName() == "SimpleOperatorFactory"
        if simple and ".ArrowPython" in factory.getOperator().getClass().getName():
            config = factory.getOperator().getConfiguration()
            waits[node.getOperatorName()] = config.toMap()["python.fn-execution.bundle.time"]
    return waits


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What came of each mode; each in a process of its own, which takes the JVM with it."""
    answers = {}
    for mode in ("thread", "process"):
        ran = subprocess.run(
            [sys.executable, __file__, mode], capture_output=True, text=True, timeout=280, check=False
        )
        assert ran.returncode == 0, ran.stderr
        answers[mode] = json.loads(ran.stdout.splitlines()[-1])
    return answers


def test_the_job_runs_its_keyed_python_in_threads(laid_out: dict[str, dict[str, object]]) -> None:
    # The user step, and the step of models and detectors, each behind its key selector.
    assert laid_out["thread"]["said"] == 4


def test_a_fall_back_to_processes_is_refused_by_the_operators_name(
    laid_out: dict[str, dict[str, object]],
) -> None:
    said = str(laid_out["process"]["said"])
    assert "ExternalPython" in said
    assert "not in thread mode" in said
    assert "python.execution-mode" in said


def test_every_operator_has_a_name_that_says_what_it_does(laid_out: dict[str, dict[str, object]]) -> None:
    names = laid_out["thread"]["names"]
    assert isinstance(names, list)
    assert {"user step", "rank and publish users", "co-visitation: decayed sums"} <= {*names}
    for name in ("key by user", "key by model or detector", "publish models", "publish counts of segments"):
        assert names.count(name) == 1, name
    flinks_own = (
        "Calc",
        "Correlate",
        "Join",
        "Aggregate",
        "_stream_key_by",
        "Values",
        "ToDataStream",
        "ToTable",
    )
    assert not [name for name in names if any(word in name for word in flinks_own)]


def test_lists_are_gathered_shortly_and_item_sums_for_longer(laid_out: dict[str, dict[str, object]]) -> None:
    waits, meant = laid_out["thread"]["waits"], laid_out["thread"]["meant"]
    assert isinstance(waits, dict)
    assert isinstance(meant, dict)
    assert waits.pop("rank and publish users") == meant["lists"]
    assert len(waits) >= 4
    assert set(waits.values()) == {meant["items"]}


def test_uids_are_those_of_savepoints_that_were_taken(laid_out: dict[str, dict[str, object]]) -> None:
    # A savepoint finds its state by uid: what is renamed here is lost to every job that goes on from one.
    # Where that is meant, the file is written anew and the release says so.
    assert laid_out["thread"]["uids"] == UIDS.read_text("utf-8").splitlines()


def test_state_lies_under_uids_that_no_other_layout_gives_to_another(
    laid_out: dict[str, dict[str, object]],
) -> None:
    stateful = laid_out["thread"]["stateful"]
    assert isinstance(stateful, list)
    assert {"user-step", "models-and-detectors", "events", "segments-counts", "popularity-decayed-sums"} <= {
        *stateful
    }
    numbered = [uid for uid in stateful if uid[-1].isdigit()]
    assert numbered == ["catalogue-and-control-2"]  # named so in `jobs.job_graph.UIDS`


if __name__ == "__main__":
    sys.path.pop(0)
    if sys.argv[1] == "uids":
        told: Any = laid_out_in("thread")["uids"]
        UIDS.write_text("\n".join(told) + "\n", encoding="utf-8")
    else:
        print(json.dumps(laid_out_in(sys.argv[1])))
