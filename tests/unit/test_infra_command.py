from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from infra.errors import InfraError
from jobs.cli import COMMANDS, build, ending_well
from schemas.errors import HeadraceError

HEADRACE = [sys.executable, "-m", "jobs.cli"]
REPOSITORY = Path(__file__).parents[2]


def headrace(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HEADRACE, *words], capture_output=True, text=True, cwd=REPOSITORY, timeout=60)


def test_help_names_every_command_without_loading_what_they_need() -> None:
    said = headrace("--help")
    assert said.returncode == 0
    assert all(name in said.stdout for name in COMMANDS)
    loads = "import sys; from jobs.cli import build; build(['--help']); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", loads], capture_output=True, text=True, cwd=REPOSITORY
    ).stdout
    assert not {"numpy", "pandas", "pyflink", "kafka", "redis", "numba"} & set(loaded.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    said = CliRunner().invoke(build([name]), [name, "--help"])
    assert said.exit_code == 0, said.output
    assert "Usage" in said.output


def test_a_mistyped_command_is_refused_with_the_one_that_was_meant() -> None:
    said = headrace("rn")
    assert said.returncode == 2
    assert "Did you mean 'run'?" in said.stderr


@pytest.mark.parametrize("kind", [HeadraceError, InfraError])
def test_an_error_of_ours_is_one_line_and_exit_code_2(kind: type[Exception]) -> None:
    def fail() -> None:
        raise kind("shop.toml: this cannot be")

    app = typer.Typer()
    app.command()(ending_well(fail))
    said = CliRunner().invoke(app)
    assert said.exit_code == 2
    assert said.output == "headrace: shop.toml: this cannot be\n"


def test_ctrl_c_is_obeyed_in_silence() -> None:
    def wait() -> None:
        raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(ending_well(wait))
    said = CliRunner().invoke(app)
    assert said.exit_code == 130
    assert said.output == ""


def test_a_settings_file_that_is_refused_stops_a_command(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text("[kafka]\nbrokrs = 'x'\n")
    said = headrace("up", "--config", str(file))
    assert said.returncode == 2
    assert said.stderr.startswith(f"headrace: {file}: kafka.brokrs is no setting; did you mean brokers?")
    assert len(said.stderr.splitlines()) == 1


def test_a_command_that_is_told_to_end_cleans_up_first(tmp_path: Path) -> None:
    waiting = f"""
import pathlib, sys, time, types
import jobs.cli
def command() -> None:
    try:
        pathlib.Path({str(tmp_path / "waits")!r}).touch()
        time.sleep(60)
    finally:
        pathlib.Path({str(tmp_path / "cleaned")!r}).touch()
sys.modules["waiting"] = types.SimpleNamespace(command=command)
jobs.cli.COMMANDS["wait"] = ("waiting", "Wait.")
sys.argv = ["headrace", "wait"]
jobs.cli.main()
"""
    process = subprocess.Popen([sys.executable, "-c", waiting], cwd=REPOSITORY)
    deadline = time.monotonic() + 30
    while not (tmp_path / "waits").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert (tmp_path / "cleaned").exists()
