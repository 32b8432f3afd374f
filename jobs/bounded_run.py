"""`headrace run --source FILE`: a file through the whole job with no Kafka, each user published at the end."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from infra import jars, java
from infra.ports import claim
from infra.redis import RedisServer
from jobs.avro_files import write_avro
from jobs.files import carries_items, open_events, open_items
from jobs.settings import Settings
from jobs.spool import clean_items, spool_events, spooled_rows
from jobs.spooled_requests import count_requests, drop_forgets
from jobs.tables import FileTables
from operators.preload import write_messages
from schemas.codec import DEAD_LETTERS, DRIFT_ALERTS, ITEMS, RECOMMENDATIONS, SEGMENT_CHANGES, Codec
from schemas.records import DeadLetter, Recommendation

_ITEM_BATCH = 1_000


class RunSummary(msgspec.Struct, kw_only=True):
    """What became of a file. Every event in is accepted, a duplicate, or a dead letter of one reason.

    `users` are those who are known at the end: not whoever was forgotten and did not come back.
    """

    events_in: int = 0
    accepted: int = 0
    duplicates: int = 0
    dead_letters: dict[str, int] = {}
    users: int = 0
    refreshes: int = 0
    recommendations: int = 0
    drifts: int = 0
    segment_changes: int = 0
    items: int = 0
    bad_items: dict[str, int] = {}
    seconds: float = 0.0
    redis: str | None = None
    out: str = ""


def run_file(
    told: Settings, source: Path, items: Path | None, out: Path, *, own_redis: bool, as_json: bool
) -> RunSummary:
    """Run the job on a file of events, and print what became of it.

    With `own_redis` a Redis of the run's own serves it, and ends with it. Raises `FileRefused` for a file
    that cannot be read, `JobFailed` when the job fails.
    """
    java.use()
    began = time.monotonic()
    console = Console(stderr=True, quiet=as_json)
    summary = RunSummary(out=str(out))
    with ExitStack() as ending:
        spool = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="headrace-")))
        if own_redis:
            server = ending.enter_context(RedisServer())
            own = told.redis.model_copy(update={"url": server.url, "password": None})
            told = told.model_copy(update={"redis": own})
        else:
            summary.redis = told.redis.url
        files = FileTables(spool)
        console.print(f"reading {source}")
        catalogue = items or (source if carries_items(source) else None)
        bad_items: list[DeadLetter] = []
        if catalogue is None:
            write_messages(files.items, ())
        else:
            summary.items, bad_items = _put_in_items(told, catalogue, files.items)
        count, letters = spool_events(open_events(source), files.events)
        summary.events_in = count + len(letters)
        console.print(f"{count} events: following users")
        _execute(told, source, files, ranking=False)
        _count_users(told, files, summary)
        console.print(f"{summary.users} users: making lists")
        _execute(told, source, files, ranking=True)
        _write_out(told, files, out, letters, bad_items, summary)
    summary.seconds = round(time.monotonic() - began, 3)
    _show(summary, as_json)
    return summary


def _execute(told: Settings, source: Path, files: FileTables, *, ranking: bool) -> None:
    from jobs.bounded_topology import build_following, build_ranking
    from jobs.engine import environment, job_options, minicluster_options
    from jobs.job_graph import check_python_mode, name_operators
    from jobs.plan import bounded_plan, sums_days
    from jobs.running_job import wait

    port = claim("Flink's web UI", told.flink.web_port)
    options = job_options(
        told.flink.checkpoint_seconds, sums_days(told.statistics), files.spool / "checkpoints"
    )
    options |= minicluster_options(jars.classpath("connector"), port, slots=1)
    streams, tables = environment(options, parallelism=1)
    plan = bounded_plan(told, source, files)
    build = build_ranking if ranking else build_following
    build(tables, plan)
    name_operators(streams)
    check_python_mode(streams)
    wait(streams.execute_async("personalize a file"))


def _put_in_items(told: Settings, source: Path, file: Path) -> tuple[int, list[DeadLetter]]:
    """The catalogue to the user step's file, and to Redis for the rank worker."""
    from redis import Redis

    from operators.shelf_records import Items
    from schemas.redis_keys import RedisKeys
    from udfs.item_side import ItemSide

    items, letters = clean_items(open_items(source), told.ingest)
    client = Redis.from_url(told.redis_url())
    side = ItemSide(client, RedisKeys(told.redis.prefix), told.publish)
    for start in range(0, len(items), _ITEM_BATCH):
        side.write([Items(items[start : start + _ITEM_BATCH])])
    client.close()
    return write_messages(file, map(ITEMS.encode, items)), letters


def _count_users(told: Settings, files: FileTables, summary: RunSummary) -> None:
    """Users and accepted events; who asked to be forgotten is erased from Redis before lists are made."""
    from redis import Redis

    from schemas.redis_keys import RedisKeys
    from udfs.slot_names import published_slots

    requests = files.spool / "requests"
    count = count_requests(requests)
    summary.users, summary.accepted = count.users, count.accepted
    if not count.forgotten:
        return
    names = RedisKeys(told.redis.prefix)
    with Redis.from_url(told.redis_url()) as client:
        slots = published_slots(client, names)
        for uid in count.forgotten:
            client.delete(*names.of_user(uid, slots))
            client.zrem(names.asked, uid)
    drop_forgets(requests)


def _write_out(
    told: Settings,
    files: FileTables,
    out: Path,
    letters: list[DeadLetter],
    bad_items: list[DeadLetter],
    summary: RunSummary,
) -> None:
    """The spooled messages as Avro object containers, one file a topic, and the rest of the summary."""
    out.mkdir(parents=True, exist_ok=True)
    topics = told.kafka
    reasons = Counter[str]()

    def messages(topic: str, codec: Codec[Any]) -> Iterator[Any]:
        rows = spooled_rows(files.spool / "messages")
        return (codec.decode(payload) for name, payload in rows if name == topic)

    def by_reason(found: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        for letter in found:
            reasons[letter.reason] += 1
            yield letter

    def lists() -> Iterator[Recommendation]:
        for _, payload in spooled_rows(files.spool / "recommendations"):
            each = RECOMMENDATIONS.decode(payload)
            summary.recommendations += bool(each.items)
            yield each

    of_events = by_reason(chain(letters, messages(topics.dead_letters, DEAD_LETTERS)))
    write_avro(out / f"{topics.dead_letters}.avro", DEAD_LETTERS, chain(of_events, bad_items))
    summary.dead_letters = dict(reasons)
    summary.bad_items = dict(Counter(letter.reason for letter in bad_items))
    drifts = messages(topics.drift, DRIFT_ALERTS)
    summary.drifts = write_avro(out / f"{topics.drift}.avro", DRIFT_ALERTS, drifts)
    changes = messages(topics.segment_changes, SEGMENT_CHANGES)
    summary.segment_changes = write_avro(out / f"{topics.segment_changes}.avro", SEGMENT_CHANGES, changes)
    summary.refreshes = write_avro(out / f"{topics.recommendations}.avro", RECOMMENDATIONS, lists())
    summary.duplicates = summary.events_in - summary.accepted - reasons.total()


def _show(summary: RunSummary, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(summary).decode())
        return
    for name, value in msgspec.to_builtins(summary).items():
        print(f"{name.replace('_', ' '):<16} {value}")
