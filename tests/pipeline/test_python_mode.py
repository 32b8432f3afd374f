"""No operator may fall back to a worker process in silence: keyed work there is twenty times slower."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def lay_out(mode: str) -> None:
    """Lay out the live job in that mode, and print what the check says and how the operators are named."""
    from infra import jars, java
    from jobs.engine import environment, job_options, minicluster_options
    from jobs.job_graph import WrongPythonMode, check_python_mode, name_operators
    from jobs.plan import live_plan
    from jobs.settings import Settings
    from jobs.topology import build

    java.use()
    options = job_options(10.0, 90, None) | minicluster_options(jars.classpath("connector"), 8081, slots=1)
    options["python.execution-mode"] = mode
    streams, tables = environment(options, parallelism=1)
    build(tables, live_plan(Settings())).attach_as_datastream()
    names = name_operators(streams)
    try:
        said: object = check_python_mode(streams)
    except WrongPythonMode as refusal:
        said = str(refusal)
    print(json.dumps({"said": said, "names": names}))


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
    assert laid_out["thread"]["said"] == 2  # the key selector and the user step


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
    assert {"user step", "key by user", "rank and publish users", "co-visitation: decayed sums"} <= {*names}
    flinks_own = ("PythonCalc", "Correlate", "GroupAggregate", "_stream_key_by", "Calc[", "TableToDataSteam")
    assert not [name for name in names if any(word in name for word in flinks_own)]


if __name__ == "__main__":
    sys.path.pop(0)
    lay_out(Path(sys.argv[1]).name)
