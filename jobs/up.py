"""`headrace up`: Kafka, Redis and the job on this machine, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.home import home
from infra.redis import redis_cli
from jobs.local_stack import LocalStack
from jobs.options import Config
from jobs.settings import load
from schemas.errors import HeadraceError

HISTORY = Path(__file__).parents[1] / "data" / "online_retail_2010_2011.parquet"
LIMITS = HISTORY.with_name("online_retail_limits.json")
DEMO_RATE = "100/s"
DEMO_SLOTS = {"HEADRACE_SLOTS__PRODUCT__LENGTH": "12", "HEADRACE_SLOTS__CART__LENGTH": "8"}
"""Slots of the demo beside `home`, where the settings have none: the replay fills `product`, a visitor `cart` too."""
DEMO_HEAD_START = 60_000
"""Events of the demo's history that are there when one begins to watch: three months of a shop."""

KafkaPort = Annotated[int | None, typer.Option("--kafka-port", help="Port of Kafka; 9092 if that is free.")]
RedisPort = Annotated[int | None, typer.Option("--redis-port", help="Port of Redis; 6379 if that is free.")]
WebPort = Annotated[
    int | None, typer.Option("--web-port", help="Port of Flink's web UI; 8081 if that is free.")
]
PagePort = Annotated[
    int | None, typer.Option("--page-port", help="Port of the demo page; 8080 if that is free.")
]
Demo = Annotated[
    bool, typer.Option("--demo", help="Begin empty, replay a shop's history, and show the page.")
]
DemoRate = Annotated[str, typer.Option("--rate", help="Speed of the replay of --demo.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin with an empty Kafka and Redis.")]


def command(
    demo: Demo = False,
    rate: DemoRate = DEMO_RATE,
    fresh: Fresh = False,
    kafka_port: KafkaPort = None,
    redis_port: RedisPort = None,
    web_port: WebPort = None,
    page_port: PagePort = None,
    config: Config = None,
) -> None:
    """Start Kafka, Redis and the job on this machine, and say where each one is. Ctrl-C ends all of them.

    What was sent is kept for the next time, under HEADRACE_HOME.

    Example: headrace up --demo
    """
    ports = {
        "kafka.port": kafka_port,
        "redis.port": redis_port,
        "flink.web_port": web_port,
        "page.port": page_port,
    }
    settings = load(config, ports)
    if settings.kafka.security_protocol != "PLAINTEXT":
        raise HeadraceError(
            "headrace up starts a Kafka of its own, without passwords: leave kafka.security_protocol and"
            " what goes with it out of its settings, or use headrace run with your Kafka"
        )
    if demo and not HISTORY.exists():
        raise HeadraceError(
            f"{HISTORY} is missing: the demo replays it; run it from a clone of the repository"
        )
    with LocalStack(settings, config=config, data="demo" if demo else "data", afresh=fresh or demo) as stack:
        try:
            _start(stack, demo, rate, slots=bool(settings.slots))
            stack.wait()
        except KeyboardInterrupt:
            print("\nending …", flush=True)
            raise


def _start(stack: LocalStack, demo: bool, rate: str, *, slots: bool) -> None:
    say("Logs", str(stack.logs))
    stack.start_compiling()
    server = stack.start_redis()
    say("Redis", server.url, f"{redis_cli()} -p {server.port} --scan --pattern 'hr:rec:*' | head")
    broker = stack.start_kafka()
    say("Kafka", broker.brokers, f"headrace send FILE --brokers {broker.brokers}")
    if demo:
        stack.tell(HEADRACE_INGEST__LIMITS_FILE=str(LIMITS))
        if not slots:
            stack.tell(**DEMO_SLOTS)
    say("Flink", f"{stack.start_job()}", "the personalize job runs")
    if demo:
        stack.start_replay(HISTORY, rate, DEMO_HEAD_START)
        say("Page", stack.start_page(), f"{HISTORY.name} is replayed at {rate}")
    say("Ready", "Ctrl-C ends everything", f"data is kept under {home()}")


def say(name: str, place: str, more: str = "") -> None:
    """One line: what it is, where it is, and what to do with it."""
    print(f"{name:<6} {place:<28} {more}".rstrip(), flush=True)
