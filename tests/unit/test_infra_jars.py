from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import InfraError
from infra.jars import classpath, pinned

CONTENT = b"the bytes of a jar"
SUM = hashlib.sha256(CONTENT).hexdigest()


def pins(folder: Path, sha256: str = SUM, count: int = 1) -> Path:
    path = folder / "jars.toml"
    lines = "".join(f'"org.example:part{k}:1.0" = "{sha256}"\n' for k in range(count))
    path.write_text(f"[broker]\ncoordinates = []\n[broker.sha256]\n{lines}")
    return path


def bring(coordinate: str, folder: Path) -> Path:
    path = folder / "brought.jar"
    path.write_bytes(CONTENT)
    return path


def refuse_to_bring(coordinate: str, folder: Path) -> Path:
    raise ConnectionError(f"no network for {coordinate}")


def test_every_pinned_jar_has_a_coordinate_and_a_sum() -> None:
    for jars in pinned().values():
        assert jars
        for jar in jars:
            assert jar.coordinate.count(":") == 2
            assert len(bytes.fromhex(jar.sha256)) == 32


def test_no_two_pinned_jars_are_versions_of_one_artifact() -> None:
    for jars in pinned().values():
        artifacts = [jar.coordinate.rsplit(":", 1)[0] for jar in jars]
        assert len(set(artifacts)) == len(artifacts)


def test_a_jar_is_fetched_once_and_then_taken_from_the_cache(tmp_path: Path) -> None:
    kept = tmp_path / "jars"
    first = classpath("broker", folder=kept, pins=pins(tmp_path), fetch=bring)
    assert first == [kept / "part0-1.0.jar"]
    assert classpath("broker", folder=kept, pins=pins(tmp_path), fetch=refuse_to_bring) == first


def test_a_fetched_jar_with_another_sum_is_refused_and_not_kept(tmp_path: Path) -> None:
    kept = tmp_path / "jars"
    wrong = "0" * 64
    with pytest.raises(InfraError) as refused:
        classpath("broker", folder=kept, pins=pins(tmp_path, wrong), fetch=bring)
    for said in ("org.example:part0:1.0", SUM, wrong, "delete the file"):
        assert said in str(refused.value)
    assert not list(kept.glob("*.jar"))


def test_a_cached_jar_that_was_changed_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "jars"
    [jar] = classpath("broker", folder=kept, pins=pins(tmp_path), fetch=bring)
    jar.write_bytes(b"something else")
    with pytest.raises(InfraError, match=r"part0-1\.0\.jar: SHA-256 of org\.example:part0:1\.0"):
        classpath("broker", folder=kept, pins=pins(tmp_path), fetch=bring)


def test_a_fetch_that_fails_twice_is_tried_again(tmp_path: Path) -> None:
    tries: list[str] = []

    def bring_at_last(coordinate: str, folder: Path) -> Path:
        tries.append(coordinate)
        return bring(coordinate, folder) if len(tries) == 3 else refuse_to_bring(coordinate, folder)

    assert classpath("broker", folder=tmp_path / "jars", pins=pins(tmp_path), fetch=bring_at_last)


def test_without_a_network_the_error_names_the_jar_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(InfraError) as refused:
        classpath("broker", folder=tmp_path / "jars", pins=pins(tmp_path), fetch=refuse_to_bring)
    assert "could not fetch org.example:part0:1.0" in str(refused.value)
    assert f"put part0-1.0.jar into {tmp_path / 'jars'}" in str(refused.value)


ASKING = """
import pathlib, sys
from infra.jars import classpath
folder = pathlib.Path(sys.argv[1])
def bring(coordinate, scratch):
    with (folder / "fetched").open("a") as file:
        file.write(coordinate + "\\n")
    path = scratch / "brought.jar"
    path.write_bytes(b"the bytes of a jar")
    return path
assert len(classpath("broker", folder=folder / "jars", pins=folder / "jars.toml", fetch=bring)) == 20
"""


def test_processes_that_ask_at_once_fetch_each_jar_once(tmp_path: Path) -> None:
    pins(tmp_path, count=20)
    processes = [subprocess.Popen([sys.executable, "-c", ASKING, tmp_path]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len((tmp_path / "fetched").read_text().splitlines()) == 20
    assert not list((tmp_path / "jars").glob(".fetch-*"))
