"""The Flink environment that the job runs in: the embedded minicluster, or what a cluster gives."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

BUNDLE_MS = 20
"""How long the rank stage gathers users. Less makes batches too small, more is waited for by every list."""

_JOB = {
    "python.execution-mode": "thread",
    "python.fn-execution.bundle.time": str(BUNDLE_MS),
    "python.fn-execution.bundle.size": "500",
    "python.fn-execution.arrow.batch.size": "500",
    "execution.buffer-timeout.interval": "5 ms",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "execution.checkpointing.timeout": "15 min",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    "pipeline.object-reuse": "true",
    "pipeline.name": "personalize",
    "restart-strategy.type": "exponential-delay",
    "restart-strategy.exponential-delay.initial-backoff": "500 ms",
    "restart-strategy.exponential-delay.max-backoff": "5 s",
    "table.exec.sink.upsert-materialize": "NONE",
    "table.exec.source.idle-timeout": "5 s",
    "table.local-time-zone": "UTC",
}
"""What the job asks of Flink wherever it runs."""


def job_options(checkpoint_seconds: float, sums_days: float, checkpoints: Path | None) -> dict[str, str]:
    """Flink's options for the job: how often it checkpoints and where, and how long item sums are kept."""
    options = dict(_JOB)
    options["execution.checkpointing.interval"] = f"{int(checkpoint_seconds * 1000)} ms"
    options["table.exec.state.ttl"] = f"{int(sums_days * 24)} h"
    if checkpoints is not None:
        options["execution.checkpointing.dir"] = checkpoints.resolve().as_uri()
    return options


def minicluster_options(jars: list[Path], web_port: int, slots: int) -> dict[str, str]:
    """What the embedded minicluster needs besides."""
    return {
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "pipeline.jars": ";".join(jar.as_uri() for jar in jars),
        "rest.port": str(web_port),
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "taskmanager.numberOfTaskSlots": str(slots),
        "taskmanager.memory.network.min": "64m",
        "taskmanager.memory.network.max": "64m",
        "metrics.fetcher.update-interval": "1000",
    }


def environment(
    options: Mapping[str, str], parallelism: int
) -> tuple[StreamExecutionEnvironment, StreamTableEnvironment]:
    """A fresh environment with these options."""
    # Thread mode starts `python` from PATH: it has to be the one that runs this.
    bin_folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = bin_folder + os.pathsep + os.environ.get("PATH", "")
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    return _prepared(
        StreamExecutionEnvironment.get_execution_environment(configuration), options, parallelism
    )


def load_file_systems(plugins: Path, options: Mapping[str, str]) -> None:
    """Have the embedded minicluster know the file systems among the plugins in that folder.

    A cluster's processes load them at their start; a minicluster lives in PyFlink's JVM, which does not. `options`
    are those of the file systems.
    """
    from pyflink.java_gateway import get_gateway

    jvm = get_gateway().jvm
    core = jvm.org.apache.flink.core
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    told = configuration._j_configuration
    # PyFlink has FLINK_PLUGINS_DIR name its own folder, whatever it named: so the folder is given by hand.
    found = core.plugin.DirectoryBasedPluginFinder(
        jvm.java.nio.file.Path.of(jvm.java.net.URI(plugins.as_uri()))
    ).findPlugins()
    shared = core.plugin.PluginConfig.fromConfiguration(told).getAlwaysParentFirstPatterns()
    core.fs.FileSystem.initialize(told, core.plugin.DefaultPluginManager(found, shared))


def remote_environment(
    options: Mapping[str, str], parallelism: int, host: str, port: int, jars: Sequence[Path]
) -> tuple[StreamExecutionEnvironment, StreamTableEnvironment]:
    """An environment whose jobs run on the cluster with its REST interface at host:port.

    `jars` are needed here to lay out the job, and are not sent along: the cluster's lib folder holds them.
    """
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import add_jars_to_context_class_loader, to_jarray

    gateway = get_gateway()
    add_jars_to_context_class_loader([jar.as_uri() for jar in jars])
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    remote = gateway.jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment
    streams = StreamExecutionEnvironment(
        remote.createRemoteEnvironment(
            host, port, configuration._j_configuration, to_jarray(gateway.jvm.String, [])
        )
    )
    return _prepared(streams, options, parallelism)


def _prepared(
    streams: StreamExecutionEnvironment, options: Mapping[str, str], parallelism: int
) -> tuple[StreamExecutionEnvironment, StreamTableEnvironment]:
    streams.set_parallelism(parallelism)
    tables = StreamTableEnvironment.create(streams)
    for key, value in options.items():
        if key.startswith(("table.", "python.fn-execution.")):
            tables.get_config().set(key, value)
    return streams, tables
