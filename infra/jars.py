"""The Java archives that no Python package carries: Flink's Kafka connector, Parquet, the Kafka broker.

`jars.toml` pins every archive by Maven coordinates and SHA-256. jgo fetches them, at the first start
only, into `HEADRACE_HOME/jars`; nothing is used whose sum differs from the pinned one.

    python -m infra.jars          fetch everything now, and print where it lies
    python -m infra.jars --pin    resolve the coordinates again and write the sums anew
"""

from __future__ import annotations

import fcntl
import hashlib
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.errors import InfraError
from infra.home import home

PINS = Path(__file__).with_name("jars.toml")
ATTEMPTS = 3


@dataclass(frozen=True)
class Jar:
    """One archive: `group:artifact:version` and the SHA-256 its bytes must have."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        """As Maven names it: `artifact-version.jar`."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


Fetch = Callable[[str, Path], Path]
"""Brings the archive of a coordinate into a folder and gives its path there."""


def pinned(pins: Path = PINS) -> dict[str, tuple[Jar, ...]]:
    """The archives of each group (`connector`, `lake`, `s3`, `broker`), as `jars.toml` names them."""
    groups = tomllib.loads(pins.read_text())
    return {
        name: tuple(Jar(coordinate, sha256) for coordinate, sha256 in group["sha256"].items())
        for name, group in groups.items()
    }


def classpath(
    group: str, *, folder: Path | None = None, pins: Path = PINS, fetch: Fetch | None = None
) -> list[Path]:
    """The verified archives of a group, fetched first where they are missing.

    Safe when several processes ask at once: one fetches, the others wait for it.
    Raises `InfraError` when an archive cannot be had or its sum is not the pinned one.
    """
    kept = folder or home() / "jars"
    kept.mkdir(parents=True, exist_ok=True)
    wanted = pinned(pins)[group]
    if any(not (kept / jar.filename).exists() for jar in wanted):
        with _locked(kept / ".lock"):
            missing = [jar for jar in wanted if not (kept / jar.filename).exists()]
            if missing:
                _fetch_all(missing, kept, fetch or from_maven)
    for jar in wanted:
        _verify(jar, kept / jar.filename, kept / jar.filename)
    return [kept / jar.filename for jar in wanted]


def from_maven(coordinate: str, folder: Path) -> Path:
    """Fetch one archive with jgo, from Maven Central and what the user's jgo configuration adds to it."""
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder, timeout=30)
    context.remote_repos = {**GlobalSettings.load().repositories, **context.remote_repos}
    group, artifact, version = coordinate.split(":")
    return Path(context.project(group, artifact).at_version(version).artifact().resolve())


def pin(pins: Path = PINS) -> None:
    """Resolve the coordinates of `jars.toml` with all they depend on, and write their sums into it.

    A group that says `alone = true` is taken as it stands: what it depends on, Flink brings.
    """
    import jgo

    groups: dict[str, dict[str, Any]] = tomllib.loads(pins.read_text())
    lines = ["# Written by `python -m infra.jars --pin`; edit the coordinates, then run it.\n"]
    with tempfile.TemporaryDirectory(dir=home()) as scratch, ThreadPoolExecutor(8) as pool:
        for name, group in groups.items():
            roots = group["coordinates"]
            # One by one: resolved together, jgo lets the parent of one root change the versions of another.
            chosen: dict[str, str] = {}
            for root in roots:
                if group.get("alone"):
                    project, _, version = root.rpartition(":")
                    chosen[project] = version
                    continue
                for a in jgo.resolve(root):
                    chosen.setdefault(f"{a.groupId}:{a.artifactId}", a.version)
            found = sorted(f"{project}:{version}" for project, version in chosen.items())
            sums = pool.map(lambda coordinate: sha256_of(from_maven(coordinate, Path(scratch))), found)
            lines.append(f"[{name}]\ncoordinates = [")
            lines += [f'    "{root}",' for root in roots]
            lines.append("]\nalone = true" if group.get("alone") else "]")
            lines.append(f"\n[{name}.sha256]")
            lines += [f'"{coordinate}" = "{sum_}"' for coordinate, sum_ in zip(found, sums, strict=True)]
            lines.append("")
    pins.write_text("\n".join(lines).rstrip() + "\n")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_all(missing: list[Jar], kept: Path, fetch: Fetch) -> None:
    if sys.stderr.isatty():
        print(f"fetching {len(missing)} jars into {kept}, once ...", file=sys.stderr)
    # The scratch folder lies beside the kept ones so that the final rename stays on one file system.
    with tempfile.TemporaryDirectory(dir=kept, prefix=".fetch-") as scratch, ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(_fetch_one, jar, kept, Path(scratch), fetch) for jar in missing]
        for task in tasks:
            task.result()


def _fetch_one(jar: Jar, kept: Path, scratch: Path, fetch: Fetch) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        folder = scratch / f"{jar.filename}-{attempt}"  # a fresh one: jgo refuses to overwrite half a file
        folder.mkdir()
        try:
            fetched = fetch(jar.coordinate, folder)
        except Exception as error:  # jgo lets every kind through: of requests, of sockets, its own
            if attempt == ATTEMPTS:
                raise InfraError(
                    f"could not fetch {jar.coordinate}: {error}; check the network,"
                    f" or put {jar.filename} into {kept} yourself"
                ) from error
        else:
            break
    _verify(jar, fetched, kept / jar.filename)
    fetched.replace(kept / jar.filename)


def _verify(jar: Jar, path: Path, place: Path) -> None:
    found = sha256_of(path)
    if found != jar.sha256:
        raise InfraError(
            f"{place}: SHA-256 of {jar.coordinate} is {found}, pinned is {jar.sha256} (infra/jars.toml);"
            " it is not used: delete the file if it is there and start again, and if this comes again,"
            " the repository that serves you is not to be trusted"
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> None:
    """Fetch all groups, or with `--pin` write their sums anew."""
    if arguments == ["--pin"]:
        pin()
        return
    groups: Mapping[str, tuple[Jar, ...]] = pinned()
    for group in groups:
        for path in classpath(group):
            print(path)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InfraError as error:
        sys.exit(str(error))
