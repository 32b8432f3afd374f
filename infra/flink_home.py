"""The folder that Flink's scripts run from: the `apache-flink` package's files, our jars and configuration.

The job's own class loader must not load pemja (Python inside the JVM): a second job or a restarted
task in the same TaskManager would load it again and die. So flink-python and the connectors lie in
the cluster's lib folder, and pemja is always taken from there.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from infra import jars
from infra.errors import InfraError

PROMETHEUS = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"


def pyflink_folder() -> Path:
    """Where the `apache-flink` package is installed; it is not imported for that."""
    found = importlib.util.find_spec("pyflink")
    if found is None or not found.submodule_search_locations:
        raise InfraError("the Python package apache-flink is not installed; run `make setup`")
    return Path(found.submodule_search_locations[0])


def library() -> list[Path]:
    """All archives a cluster needs: Flink's own, flink-python, and the Kafka connector."""
    package = pyflink_folder()
    return [
        *sorted(package.glob("lib/*.jar")),
        *package.glob("opt/flink-python-*.jar"),
        *jars.classpath("connector"),
    ]


def make_flink_home(folder: Path, configuration: Mapping[str, str]) -> None:
    """Fill `folder` so that FLINK_HOME may point to it."""
    package = pyflink_folder()
    for name in ("lib", "conf", "log", "pid", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for jar in library():
        _link(folder / "lib" / jar.name, jar)
    for name in ("opt", "plugins"):
        _link(folder / name, package / name)
    # Copies, because pip may install the scripts without their execute bit.
    scripts = shutil.copytree(package / "bin", folder / "bin", dirs_exist_ok=True)
    for script in Path(scripts).iterdir():
        script.chmod(0o755)
    for file in (package / "conf").glob("log*"):
        shutil.copyfile(file, folder / "conf" / file.name)
    # A JSON string is a YAML string, whatever is in it.
    lines = (f"{key}: {json.dumps(value)}\n" for key, value in configuration.items())
    (folder / "conf" / "config.yaml").write_text("".join(lines))


def add_on_options() -> dict[str, str]:
    """What every cluster that runs our job is told, wherever it is started."""
    return {
        "env.java.opts.all": _java_options(),
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "classloader.parent-first-patterns.additional": "pemja",
        # A fixed number of quick restarts gives up before the heartbeat of a killed TaskManager times out.
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "5 s",
        "metrics.fetcher.update-interval": "1000",
        "metrics.reporter.prom.factory.class": PROMETHEUS,
        "metrics.reporter.prom.port": "9250-9350",
    }


def _java_options() -> str:
    """The module openings that Flink ships in its configuration, and needs from Java 17 on."""
    shipped = (pyflink_folder() / "conf" / "config.yaml").read_text()
    return shipped.split("all: ", 1)[1].splitlines()[0].strip()


def _link(place: Path, target: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)
