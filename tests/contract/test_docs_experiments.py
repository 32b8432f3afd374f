"""docs/experiments.md: its file can be used as it stands, its vectors hold, its programs draw as the job does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import load
from operators.assignment import draw, variant_for
from operators.experiment_record import ExperimentRefused
from operators.experiments import experiments_of_file

PAGE = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text("utf-8")
VECTORS = re.findall(
    r"^\| `([0-9a-f]{24})` \| `(\w+)` \| `([0-9.]+)` \| `(\w+)` \| `(\w+)` \|$", PAGE, re.MULTILINE
)
EVEN, UNEVEN = {"as_is": 1.0, "without": 1.0}, {"as_is": 9.0, "without": 1.0}


def block(kind: str, marker: str) -> str:
    [found] = [one for one in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) if marker in one]
    return str(found)


def test_the_experiments_of_the_page_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(block("toml", "[experiments.quiet]"), "utf-8")
    quiet, bolder = load(None, {"experiments.file": str(file)}, {}).experiments.in_force()
    assert (quiet.share, quiet.segment, quiet.until, list(quiet.variants)) == (
        0.5, "high_value", 1_775_001_600_000, ["as_is", "without"],
    )  # fmt: skip
    assert quiet.variants["without"].off == ("trending", "category_trending")
    assert (bolder.variants["as_is"].weight, bolder.variants["bolder"].blend) == (4.0, {"similar": 1.5})


def test_the_refusal_of_the_page_is_the_jobs(tmp_path: Path) -> None:
    status = json.loads(block("json", '"applied"'))
    quiet = block("toml", "[experiments.quiet]").split("[experiments.bolder")[0]
    quiet = quiet.replace(', "category_trending"', "")
    with pytest.raises(ExperimentRefused, match="change the source trending") as refusal:
        experiments_of_file(quiet + quiet.replace("quiet", "rival"), "f")
    assert str(refusal.value) == f"f: {status['reason']}"


def test_there_are_vectors_of_several_users_salts_and_variants() -> None:
    assert len(VECTORS) >= 7
    assert len({uid for uid, *_ in VECTORS}) >= 4
    assert {variant for *_, variant, _ in VECTORS} == set(EVEN)


@pytest.mark.parametrize("vector", VECTORS, ids=["-".join(each[:2]) for each in VECTORS])
def test_every_vector_of_the_page_holds(vector: tuple[str, str, str, str, str]) -> None:
    uid, salt, drawn, even, uneven = vector
    assert (repr(draw(salt, uid)), variant_for(salt, EVEN, uid), variant_for(salt, UNEVEN, uid)) == (
        drawn, even, uneven,
    )  # fmt: skip


def test_the_program_in_python_draws_alike() -> None:
    program: dict[str, Any] = {}
    exec(block("python", "def draw"), program)
    for number in range(500):
        uid = f"{number:024x}"
        assert program["draw"]("s", uid) == draw("s", uid)
        assert program["variant"]("s", UNEVEN, uid) == variant_for("s", UNEVEN, uid)


def test_the_program_in_javascript_draws_alike(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH")
    file = tmp_path / "draw.js"
    asked = [[uid, salt] for uid, salt, *_ in VECTORS]
    told = f"console.log(draw(salt, uid), variant(salt, {json.dumps(UNEVEN)}, uid));"
    loop = f"for (const [uid, salt] of {json.dumps(asked)}) {told}"
    file.write_text(block("javascript", "function draw") + loop, "utf-8")
    said = subprocess.run([node, str(file)], capture_output=True, text=True, timeout=60, check=True)
    assert [line.split() for line in said.stdout.splitlines()] == [
        [drawn, uneven] for _, _, drawn, _, uneven in VECTORS
    ]
