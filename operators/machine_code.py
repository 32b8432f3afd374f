"""Where the machine code of compiled loops is kept."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path


def cache_home(variables: Mapping[str, str]) -> Path:
    """Where Headrace keeps what it makes, by the environment: as `infra.home.home`, which makes the folder.

    >>> cache_home({"XDG_CACHE_HOME": "/var/cache"}).as_posix()
    '/var/cache/headrace'
    """
    if named := variables.get("HEADRACE_HOME"):
        return Path(named).expanduser().absolute()
    return Path(variables.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "headrace"


def code_folder(home: Path, sources: Path) -> Path:
    """Where machine code of the loops in the folder `sources` is kept: under `home`, by what they say now.

    numba looks at the file of a loop alone, and would go on using code into which an older version of a loop
    of another file was built. So any change of any of them leads to another folder.
    """
    digest = blake2b(digest_size=8)
    for source in sorted(sources.glob("*.py")):
        text = source.read_bytes()
        if b"@compiled" in text:
            digest.update(source.name.encode() + b"\0" + text)
    return home / "machine-code" / digest.hexdigest()
