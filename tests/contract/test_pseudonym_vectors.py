"""docs/redis.md is the contract on pseudonyms: its vectors hold, its programs read from a real Redis."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from infra.redis import RedisServer
from schemas.identifiers import WHITESPACE, canonical_id
from schemas.pseudonym import Pseudonym
from schemas.redis_keys import RedisKeys, seq
from schemas.redis_values import RecValue, rec_value

PAGE = (Path(__file__).parents[2] / "docs" / "redis.md").read_text("utf-8")
SECRET = "a secret of the deployment"
ROW = re.compile(r"^\| [^|]+ \| `([^`|]+)` \| `([0-9a-f]{24})` \|$", re.MULTILINE)


def unescaped(text: str) -> str:
    """The text that \\uXXXX escapes stand for."""
    return re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)


VECTORS = [(unescaped(escapes), uid) for escapes, uid in ROW.findall(PAGE)]
LANGUAGES = ["python", "javascript", "java"]


def test_the_page_has_vectors_with_white_space_and_beyond_ascii() -> None:
    users = [user for user, _ in VECTORS]
    assert len(users) >= 9
    assert any(user != user.strip() for user in users)
    assert any(not user.isascii() for user in users)


@pytest.mark.parametrize(("user", "uid"), VECTORS, ids=[ascii(user) for user, _ in VECTORS])
def test_every_vector_of_the_page_holds(user: str, uid: str) -> None:
    assert Pseudonym(SECRET.encode()).of(user) == uid


@given(st.text())
def test_spellings_of_one_user_share_a_pseudonym(user: str) -> None:
    pseudonym = Pseudonym(b"s")
    canonical = canonical_id(user)
    if canonical:
        assert pseudonym.of(user) == pseudonym.of(f"\t {user}\r\n") == pseudonym.of(canonical)
        assert canonical == canonical_id(canonical)


def test_another_secret_gives_other_pseudonyms() -> None:
    assert Pseudonym(b"one").of("u1") != Pseudonym(b"two").of("u1")


@pytest.mark.parametrize("user", ["", "  ", WHITESPACE])
def test_an_empty_user_has_no_pseudonym(user: str) -> None:
    with pytest.raises(ValueError, match="empty after trimming"):
        Pseudonym(b"s").of(user)


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        Pseudonym(b"")


def test_the_secret_is_not_in_the_text_of_a_pseudonym() -> None:
    assert SECRET not in repr(Pseudonym(SECRET.encode()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_programs_of_the_page_read_a_list(
    language: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    command = program(language, tmp_path)
    user = " zoe\u0308-用户"
    uid = Pseudonym(SECRET.encode()).of(user)
    value = rec_value(
        RecValue(
            seq=seq(1, 1), id="r", at=1, model="m", items=[("tea-cup", 0.5, "because_viewed:Tasse-größer")]
        )
    )
    with redis.Redis.from_url(redis_server.url) as client:
        client.set(RedisKeys().rec(uid), value)
    environment = {
        **os.environ,
        "HEADRACE_PRIVACY__SECRET": SECRET,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis_server.port),
        "LC_ALL": "C.UTF-8",
        "PYTHONIOENCODING": "utf-8",
        "JAVA_TOOL_OPTIONS": "-Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8",
    }
    for who, answer in ((user, value.decode()), ("nobody", "no list")):
        said = subprocess.run([*command, who], env=environment, capture_output=True, timeout=120, check=False)
        assert said.returncode == 0, said.stderr.decode()
        assert said.stdout.decode().splitlines() == [Pseudonym(SECRET.encode()).of(who), answer]


def program(language: str, folder: Path) -> list[str]:
    """The command that runs the page's program, or a skip where the machine lacks its language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/redis.md has no {language} program"
    suffix, runner = {
        "python": ("read_list.py", sys.executable),
        "javascript": ("read_list.js", shutil.which("node")),
        "java": ("ReadList.java", shutil.which("java") if shutil.which("javac") else None),
    }[language]
    if runner is None:
        pytest.skip(f"no {'JDK with a compiler' if language == 'java' else language} on PATH")
    (folder / suffix).write_text(found[1], "utf-8")
    return [runner, str(folder / suffix)]
