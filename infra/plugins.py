"""The folder of Flink's plugins: those of the `apache-flink` package, and the file system of S3 where it is asked for.

A plugin has a folder and a class loader of its own: on the class path beside Parquet's Hadoop it would not work.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from infra import jars
from infra.packages import link, pyflink_folder
from infra.s3 import GROUP as S3

GROUPS = frozenset({S3})
"""The groups of `jars.toml` that are plugins."""


def make_plugins(folder: Path, groups: Sequence[str]) -> Path:
    """Fill `folder` with links, one folder a plugin; of `groups` those that are plugins are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for plugin in (pyflink_folder() / "plugins").iterdir():
        link(folder / plugin.name, plugin)
    for group in sorted(GROUPS.intersection(groups)):
        (folder / group).mkdir(exist_ok=True)
        for jar in jars.classpath(group):
            link(folder / group / jar.name, jar)
    return folder
