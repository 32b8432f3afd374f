"""Personas by control message: put in force, refused, and a restart that no longer finds their folder."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from operators.backfill import Backfill
from operators.bundle_reference import BundleReference, reference_to
from operators.control import Applied, Configuration
from operators.following import Following, FollowingSettings
from operators.following_control import FollowingControl
from operators.idle_clock import IdleClock
from operators.persona_bundle import PERSONAS, load_personas
from operators.traffic_settings import TrafficSettings
from schemas.codec import CONTROLS
from schemas.records import Control, Event
from schemas.schema_book import SchemaBook
from schemas.state import UserState, decode_state, encode_state
from tests.unit.made_personas import learned, vectors

HOUR = 3_600_000


@dataclass
class Subtask:
    """The plain classes of one subtask of the user step, and what it keeps in broadcast state."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.following = Following(FollowingSettings(), {})
        self.configuration = Configuration(SchemaBook())
        control = FollowingControl(self.following, [], TrafficSettings(), Backfill(), IdleClock(now=0))
        self.configuration.give(control.takers())

    def hear(self, message: bytes) -> dict[str, object]:
        applied: Applied = self.configuration.apply_control(message)
        if applied.entry is not None:
            self.kept.update([applied.entry])
        assert applied.status is not None
        return dict(msgspec.json.decode(applied.status))

    def follow(self, user: UserState, events: int) -> UserState:
        for number in range(user.n, user.n + events):
            view = Event(
                event_id=str(number), user_id="ann", type="view", time=number * HOUR, item_id=f"i{number}"
            )
            assert self.following.update(user, view, None).outcome.refused is None
        return user


def offer(
    reference: BundleReference | None, version: int = 1, name: str = PERSONAS, deleted: bool = False
) -> bytes:
    body = "" if reference is None else msgspec.json.encode(reference).decode()
    return CONTROLS.encode(Control(kind=PERSONAS, name=name, version=version, body=body, deleted=deleted))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    learned(tmp_path / "shop" / "1", vectors(1))
    return tmp_path / "shop" / "1"


def test_personas_are_in_force_with_a_users_next_due_event(folder: Path) -> None:
    subtask = Subtask()
    user = subtask.follow(UserState("ann", born=0), 9)
    assert user.persona is None
    assert subtask.hear(offer(reference_to(folder)))["applied"] is True
    assert subtask.follow(user, 6).persona is None
    assert subtask.follow(user, 1).persona in {"p1", "p2", "p3"}


def altered(folder: Path) -> None:
    (folder / "arithmetic.npz").write_bytes(b"no arrays")


def without_a_file(folder: Path) -> None:
    (folder / "golden.npz").unlink()


def gone(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def no_folder(folder: Path) -> None:
    gone(folder)
    folder.write_text("a file")


@pytest.mark.parametrize("spoil", [altered, without_a_file, gone, no_folder])
def test_a_bad_bundle_is_refused_and_what_is_in_force_stays(
    folder: Path, spoil: Callable[[Path], None]
) -> None:
    learned(folder.parent / "2", vectors(2))
    good, bad = reference_to(folder), reference_to(folder.parent / "2")
    spoil(folder.parent / "2")
    subtask = Subtask()
    alone = subtask.hear(offer(bad))
    assert not alone["applied"]
    assert str(alone["reason"]).endswith("users keep the persona they have")
    subtask.hear(offer(good, version=2))
    status = subtask.hear(offer(bad, version=3))
    assert not status["applied"]
    assert str(status["reason"]).endswith("shop/1 stays in force")
    assert subtask.follow(UserState("ann", born=0), 8).persona is not None


def test_what_one_machine_refuses_is_told_by_that_machine_with_its_name(folder: Path) -> None:
    good = offer(reference_to(folder))
    gone(folder)
    refused = Subtask().configuration.apply_control(good)
    assert refused.of_host
    assert refused.status is not None
    assert msgspec.json.decode(refused.status)["host"] == socket.gethostname()
    elsewhere = offer(BundleReference(folder="/x", sha256="ab"), name="shop")
    misnamed = Subtask().configuration.apply_control(elsewhere)
    assert misnamed.status is not None
    assert not misnamed.of_host, "every subtask refuses it alike: the first one tells it"
    assert "host" not in msgspec.json.decode(misnamed.status)


def test_a_message_under_another_name_is_refused(folder: Path) -> None:
    status = Subtask().hear(offer(reference_to(folder), name="shop"))
    assert not status["applied"]
    assert "under the name personas" in str(status["reason"])


def test_after_a_restart_the_same_personas_are_assigned(folder: Path) -> None:
    first = Subtask()
    first.hear(offer(reference_to(folder)))
    alone = first.follow(UserState("ann", born=0), 64)
    again = Subtask(first.kept)
    stored = encode_state(first.follow(UserState("ann", born=0), 20))
    assert again.configuration.restore(first.kept) == []
    assert again.follow(decode_state(stored), 44) == alone


def test_a_restart_without_the_folder_goes_on_and_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Subtask()
    message = offer(reference_to(folder))
    first.hear(message)
    user = first.follow(UserState("ann", born=0), 8)
    held = user.persona
    assert held is not None
    away = folder.rename(folder.with_name("elsewhere"))

    again = Subtask(first.kept)
    [told] = again.configuration.restore(first.kept)
    status = json.loads(told)
    assert (status["kind"], status["name"], status["applied"]) == (PERSONAS, PERSONAS, False)
    assert f"{folder}: no manifest.json can be read there" in status["reason"]
    assert status["reason"].endswith("users keep the persona they have")
    assert status["reason"] in caplog.text
    # Users go on with what their state says, and new ones have none.
    user = again.follow(decode_state(encode_state(user)), 56)
    assert (user.n, user.persona) == (64, held)
    assert again.follow(UserState("bob", born=0), 8).persona is None

    # Once the folder is back, the same message puts the personas in force again; and so does a restart.
    away.rename(folder)
    assert again.hear(message)["applied"] is True
    assert again.follow(UserState("bob", born=0), 8).persona is not None
    assert Subtask(first.kept).configuration.restore(first.kept) == []


def test_a_restart_does_not_ask_for_a_bundle_that_another_has_taken_the_place_of(folder: Path) -> None:
    first = Subtask()
    first.hear(offer(reference_to(folder)))
    learned(folder.parent / "2", vectors(2))
    folder.rename(folder.with_name("elsewhere"))
    # While the job was down another bundle was put on the topic, which a task reads when it starts.
    again = Subtask()
    again.configuration.apply_all([offer(reference_to(folder.parent / "2"), version=2)])
    assert again.configuration.restore(first.kept) == []
    expected = UserState("ann", born=0)
    plain = Following(FollowingSettings(), {})
    plain.use_personas(load_personas(folder.parent / "2"))
    again.following, following = plain, again.following
    again.follow(expected, 8)
    again.following = following
    assert again.follow(UserState("ann", born=0), 8).persona == expected.persona is not None


def test_personas_taken_out_of_force_are_assigned_no_more(folder: Path) -> None:
    subtask = Subtask()
    subtask.hear(offer(reference_to(folder)))
    assert subtask.hear(offer(None, version=2, deleted=True))["applied"] is True
    assert subtask.follow(UserState("ann", born=0), 8).persona is None
    again = Subtask(subtask.kept)
    assert again.configuration.restore(subtask.kept) == []
    assert again.follow(UserState("ann", born=0), 8).persona is None
