"""`headrace run`: the personalization job alone, between the Kafka and the Redis that are there, or on a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from infra import jars, java
from infra.flink import USUAL_WEB_PORT
from infra.home import home
from infra.kafka import topic_names
from infra.plugins import make_plugins
from infra.ports import claim
from infra.s3 import GROUP as S3
from infra.s3 import in_s3, s3_access
from jobs import options, settings
from jobs.checkpoints import newest_checkpoint, prune_checkpoints
from jobs.settings import Settings
from schemas.errors import HeadraceError

_PING_S = 5.0


class NotReady(HeadraceError):  # noqa: N818 (a state, told as one line)
    """Something that the job needs is missing."""


def command(
    config: options.Config = None,
    brokers: options.Brokers = None,
    redis: options.Redis = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Submit to the Flink cluster at HOST:PORT.")
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option("--parallelism", min=1, help="Parallel subtasks.")
    ] = None,
    web_port: Annotated[int | None, typer.Option("--web-port", help="Port of Flink's web UI.")] = None,
    model: Annotated[Path | None, typer.Option("--model", help="Model bundle to rank with.")] = None,
    restore: Annotated[
        str,
        typer.Option("--restore", help="Go on from: auto (newest local checkpoint), none, or a savepoint."),
    ] = "auto",
    source: Annotated[Path | None, typer.Option("--source", help="Events file; no Kafka, bounded.")] = None,
    items: Annotated[Path | None, typer.Option("--items", help="Items file, with --source.")] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for what would go to Kafka, with --source.")
    ] = Path("out"),
    as_json: options.AsJson = False,
) -> None:
    """Run the personalization job.

    Example: headrace run --brokers localhost:9092 --redis redis://localhost:6379/0
    """
    chosen = {
        "kafka.brokers": brokers,
        "redis.url": redis,
        "flink.parallelism": parallelism,
        "flink.web_port": web_port,
        "model.bundle": model,
    }
    told = settings.load(config, {name: value for name, value in chosen.items() if value is not None})
    if cluster is None:
        check_bundle(told)
    if source is not None:
        if cluster is not None:
            raise NotReady(
                "--source runs a file here and now: leave out --cluster, or send the file to Kafka"
            )
        from jobs.bounded_run import run_file

        if redis is not None:
            check_redis(told)
        run_file(told, source, items, out, own_redis=redis is None, as_json=as_json)
        return
    if items is not None:
        raise NotReady(
            "--items goes with --source; a live job reads items from the catalogue topic: headrace send --items"
        )
    check_topics(told)
    check_redis(told)
    if cluster is not None:
        submit(told, cluster, restore)
    else:
        run_job(told, restore)


def check_topics(told: Settings) -> None:
    """Raise `NotReady` when a topic of the job is missing."""
    kafka = told.kafka
    wanted = {
        kafka.events, kafka.catalog, kafka.control, kafka.control_status,
        kafka.recommendations, kafka.segment_changes, kafka.drift, kafka.dead_letters,
    }  # fmt: skip
    if missing := sorted(wanted - set(topic_names(kafka.brokers, kafka.access().client()))):
        raise NotReady(
            f"Kafka at {kafka.brokers} lacks {', '.join(missing)}: create them, or start with `headrace up`"
        )


def check_redis(told: Settings) -> None:
    """Raise `NotReady` when Redis does not answer, or not to this password."""
    from redis import AuthenticationError, Redis, RedisError

    place = f"Redis at {told.redis.url}"
    try:
        with Redis.from_url(
            told.redis_url(), socket_connect_timeout=_PING_S, socket_timeout=_PING_S
        ) as client:
            client.ping()
    except AuthenticationError as error:
        raise NotReady(f"{place} refuses the password ({error}): set HEADRACE_REDIS__PASSWORD") from None
    except (RedisError, ValueError) as error:
        raise NotReady(f"{place} does not answer ({error}): start it, or give another --redis") from None


def check_bundle(told: Settings) -> None:
    """Raise `BundleRefused` when the rank worker of this machine would refuse the model bundle."""
    if told.model.bundle is not None:
        from operators.bundle import load_bundle
        from operators.feature_plan import known_features

        load_bundle(told.model.bundle, known_features(told.step))


def run_job(told: Settings, restore: str = "auto", on_start: Callable[[str], None] = print) -> None:
    """Run the live job on the embedded minicluster until it is interrupted. Raises `JobFailed` when it ends itself.

    `on_start` is told the address of the web UI once the job is submitted.
    """
    java.use()
    from jobs.engine import environment, job_options, minicluster_options
    from jobs.job_graph import check_python_mode, name_operators
    from jobs.plan import live_plan, sums_days
    from jobs.running_job import wait
    from jobs.topology import build

    folder = checkpoint_folder(told)
    port = claim(
        "Flink's web UI", told.flink.web_port, usual=USUAL_WEB_PORT, option="HEADRACE_FLINK__WEB_PORT"
    )
    flink = job_options(told.flink.checkpoint_seconds, sums_days(told.statistics), folder)
    flink |= minicluster_options(_jars(told), port, told.flink.parallelism)
    flink |= _restored(restore, folder, told.flink.kept_jobs)
    reach_lake(told)
    streams, tables = environment(flink, told.flink.parallelism)
    build(tables, live_plan(told))
    name_operators(streams)
    check_python_mode(streams)
    client = streams.execute_async("personalize")
    on_start(f"http://127.0.0.1:{port}")
    wait(client)


def reach_lake(told: Settings) -> None:
    """Have the embedded minicluster reach a lake in S3: Flink's plugin is fetched where it is missing."""
    if told.lake.folder is None or not in_s3(told.lake.folder):
        return
    from jobs.engine import load_file_systems

    load_file_systems(make_plugins(home() / "plugins", (S3,)), s3_access().flink_options())


def submit(told: Settings, cluster: str, restore: str = "none") -> str:
    """Submit the live job to a cluster, whose lib folder holds the connector. Returns the job's id."""
    java.use()
    from jobs.engine import job_options, remote_environment
    from jobs.job_graph import check_python_mode, name_operators
    from jobs.plan import live_plan, sums_days
    from jobs.topology import build

    host, _, port = cluster.rpartition(":")
    if not host or not port.isdigit():
        raise NotReady(f"--cluster {cluster!r}: give HOST:PORT of the cluster's REST interface")
    flink = job_options(told.flink.checkpoint_seconds, sums_days(told.statistics), told.flink.checkpoint_dir)
    if restore not in ("auto", "none"):
        flink["execution.state-recovery.path"] = restore
    streams, tables = remote_environment(flink, told.flink.parallelism, host, int(port), _jars(told))
    build(tables, live_plan(told))
    name_operators(streams)
    check_python_mode(streams)
    job = str(streams.execute_async("personalize").get_job_id())
    print(f"job {job} runs on http://{cluster}", file=sys.stderr)
    return job


def _jars(told: Settings) -> list[Path]:
    """What the job needs beside Flink itself; on a cluster its lib folder holds them."""
    return jars.classpath("connector") + (jars.classpath("lake") if told.lake.folder else [])


def checkpoint_folder(told: Settings) -> Path:
    """Where the local job keeps its checkpoints."""
    # Offsets in a checkpoint are those of one Kafka: another one's must not be taken for them.
    place = re.sub(r"[^\w.-]+", "-", f"{told.kafka.brokers}-{told.kafka.events}")
    return told.flink.checkpoint_dir or home() / "data" / "checkpoints" / place


def _restored(restore: str, folder: Path, kept_jobs: int) -> dict[str, str]:
    """Where to go on from; older jobs' checkpoints are removed."""
    place = None
    if restore != "none":
        place = newest_checkpoint(folder) if restore == "auto" else Path(restore)
    if place is not None and not place.exists():
        raise NotReady(f"--restore {restore}: there is no checkpoint or savepoint")
    prune_checkpoints(folder, kept_jobs, going_on_from=place)
    if place is None:
        return {}
    print(f"going on from {place}", file=sys.stderr)
    return {"execution.state-recovery.path": place.resolve().as_uri()}
