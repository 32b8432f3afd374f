"""Personas in the live job: trained from a file, put in force while it runs, refused where the bundle is bad."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobs.avro_files import write_avro
from jobs.control_topic import publish
from jobs.plain_stream import PlainStream
from operators.bundle_manifest import MANIFEST
from operators.bundle_reference import BundleReference, reference_to
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from operators.persona_bundle import ARITHMETIC, PERSONAS, load_personas
from schemas import codec
from schemas.records import Control, Event
from schemas.schema_book import SchemaBook
from tests.pipeline.conftest import LiveJob
from tests.pipeline.shoppers import KINDS, MONDAY, visits
from tests.pipeline.story import DAY, ITEMS, Story

Spoil = Callable[[Path], tuple[BundleReference, str]]
WEEKS_LATER = MONDAY + 140 * DAY


@dataclass
class Followed:
    """The live job with a bundle of personas in force, and the plain classes beside it."""

    live: LiveJob
    bundle: Path
    plain: PlainStream = field(default_factory=lambda: PlainStream(ITEMS))
    ingest: Ingest = field(default_factory=lambda: Ingest(IngestSettings(), SchemaBook()))

    def tell(self, events: list[Event]) -> None:
        """Let the job and the plain classes take in the same events, cleaned by the same rules."""
        for event in events:
            self.live.send(event)
            cleaned = self.ingest.accept(codec.EVENTS.encode(event), event.time, event.time)
            assert isinstance(cleaned, Event)
            assert self.plain.learn(cleaned).refused is None
        self.live.producer.flush()

    def profile(self, user: str) -> dict[str, Any]:
        """The stored profile of a user, once it is of their latest event."""
        wanted = self.plain.states[user].n

        def current() -> dict[str, Any] | None:
            stored = json.loads(self.live.profile(user) or "{}")
            return stored if stored.get("events") == wanted else None

        return dict(self.live.until(current, f"the profile of {user} at {wanted} events"))


@pytest.fixture(scope="module")
def bundle(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Personas of ninety shoppers, trained by the command."""
    folder = tmp_path_factory.mktemp("personas")
    events = [event for number in range(90) for event in visits(f"past-{number:02d}", number % KINDS, 6)]
    write_avro(folder / "events.avro", codec.EVENTS, iter(events))
    write_avro(folder / "items.avro", codec.ITEMS, iter(ITEMS))
    trained = story.live.headrace(
        "train", "personas", str(folder / "events.avro"), "--items", str(folder / "items.avro"),
        "--out", str(folder / "shop" / "1"), "--fewest", "3", "--most", "3", "--algorithm", "kmeans",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    return folder / "shop" / "1"


@pytest.fixture(scope="module")
def followed(story: Story, bundle: Path) -> Iterator[Followed]:
    """Shoppers who came before the personas did, and the personas put in force while the job runs."""
    followed = Followed(story.live, bundle)
    for number in range(KINDS):
        followed.tell(visits(f"early-{number}", number, 2))
        assert followed.profile(f"early-{number}")["persona"] is None
    put = followed.live.headrace("personas", "put", str(bundle))
    assert put.returncode == 0, put.stderr
    assert "in force" in put.stdout
    followed.plain.use_personas(load_personas(bundle))
    yield followed
    followed.live.headrace("personas", "remove")


def statuses(live: LiveJob) -> list[dict[str, Any]]:
    """What the job said of messages about personas."""
    told = map(json.loads, live.read(live.topics.control_status))
    return [status for status in told if status["kind"] == PERSONAS]


def test_users_have_the_persona_that_the_plain_classes_give_them(followed: Followed) -> None:
    given = {}
    for number in range(12):
        followed.tell(visits(f"alike-{number:02d}", number % KINDS, 6))
    for number in range(12):
        user = f"alike-{number:02d}"
        given[user] = followed.profile(user)["persona"]
        assert given[user] == followed.plain.states[user].persona
    assert {given[f"alike-{number:02d}"] for number in range(KINDS)} == {"p1", "p2", "p3"}


def test_users_who_came_before_get_theirs_with_their_next_due_event(followed: Followed) -> None:
    for number in range(KINDS):
        user = f"early-{number}"
        followed.tell(visits(user, number, 2, since=MONDAY + 28 * DAY))
        assert followed.plain.states[user].persona is not None
        assert followed.profile(user)["persona"] == followed.plain.states[user].persona


def test_users_who_change_their_ways_change_persona_when_the_plain_classes_say_so(followed: Followed) -> None:
    for number in range(KINDS):
        user, other = f"turning-{number}", (number + 1) % KINDS
        followed.tell(visits(user, number, 6))
        before = followed.profile(user)["persona"]
        followed.tell(visits(user, other, 20, since=WEEKS_LATER))
        after = followed.profile(user)["persona"]
        assert after == followed.plain.states[user].persona
        assert after != before


def broken(folder: Path) -> tuple[BundleReference, str]:
    """One byte of the arithmetic is another."""
    written = bytearray((folder / ARITHMETIC).read_bytes())
    written[-40] ^= 1
    (folder / ARITHMETIC).write_bytes(written)
    return reference_to(folder), "the file was altered"


def of_other_features(folder: Path) -> tuple[BundleReference, str]:
    """The bundle of a release whose vector was another."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["features"][0] = "shoe_size"
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return reference_to(folder), "its vector has the dimensions shoe_size"


def another(folder: Path) -> tuple[BundleReference, str]:
    """The manifest is not the one that the message means."""
    reference = reference_to(folder)
    with (folder / MANIFEST).open("ab") as file:
        file.write(b" ")
    return reference, "it is another bundle"


def moved(folder: Path) -> tuple[BundleReference, str]:
    """The folder is not where the message says."""
    reference = reference_to(folder)
    folder.rename(folder.with_name("elsewhere"))
    return reference, "no manifest.json can be read there"


@pytest.mark.parametrize("spoil", [broken, of_other_features, another, moved])
def test_a_bad_bundle_is_refused_with_a_reason_and_the_good_one_stays(
    followed: Followed, tmp_path: Path, spoil: Spoil
) -> None:
    live, folder = followed.live, tmp_path / "shop" / "2"
    shutil.copytree(followed.bundle, folder)
    reference, says = spoil(folder)
    # A version of its own: the message before may be of the same second.
    version = max(status["version"] for status in statuses(live)) + 1
    body = msgspec.json.encode(reference).decode()
    publish(Control(kind=PERSONAS, name=PERSONAS, version=version, body=body), live.topics)
    status = live.until(
        lambda: next((one for one in statuses(live) if one["version"] == version), None), "the job's answer"
    )
    assert not status["applied"]
    assert says in status["reason"]
    assert status["reason"].endswith("shop/1 stays in force")
    user = f"after-{spoil.__name__}"
    followed.tell(visits(user, 1, 2))
    assert followed.plain.states[user].persona is not None
    assert followed.profile(user)["persona"] == followed.plain.states[user].persona


def test_personas_are_taken_out_of_force_and_users_keep_theirs(followed: Followed) -> None:
    removed = followed.live.headrace("personas", "remove")
    assert removed.returncode == 0, removed.stderr
    followed.plain.use_personas(None)
    held = followed.plain.states["alike-00"].persona
    followed.tell(visits("alike-00", 1, 12, since=WEEKS_LATER))
    assert followed.profile("alike-00")["persona"] == held
    followed.tell(visits("unled", 1, 2))
    assert followed.profile("unled")["persona"] is None
