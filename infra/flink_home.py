"""The folder that Flink's scripts run from: the `apache-flink` package's files, our jars and configuration.

The job's own class loader must not load pemja (Python inside the JVM): a second job or a restarted
task in the same TaskManager would load it again and die. So flink-python and the connectors lie in
the cluster's lib folder, and pemja is always taken from there.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra import jars, plugins
from infra.packages import link, pyflink_folder

PROMETHEUS = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"


def library(groups: Sequence[str] = ("connector",)) -> list[Path]:
    """The archives of a lib folder: Flink's own, flink-python, and those of `groups` that are no plugins."""
    package = pyflink_folder()
    return [
        *sorted(package.glob("lib/*.jar")),
        *package.glob("opt/flink-python-*.jar"),
        *(jar for group in groups if group not in plugins.GROUPS for jar in jars.classpath(group)),
    ]


def make_flink_home(
    folder: Path, configuration: Mapping[str, str], groups: Sequence[str] = ("connector",)
) -> None:
    """Fill `folder` so that FLINK_HOME may point to it; `groups` are those of `jars.toml` that jobs need."""
    package = pyflink_folder()
    for name in ("lib", "conf", "log", "pid", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for jar in library(groups):
        link(folder / "lib" / jar.name, jar)
    link(folder / "opt", package / "opt")
    plugins.make_plugins(folder / "plugins", groups)
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
