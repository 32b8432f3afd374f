"""A folder or file of a data lake, on this machine or in S3: what reading and compacting need of either."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from infra.s3 import SCHEME, in_s3, s3_access, s3_path
from jobs.bad_row import FileRefused


@dataclass(frozen=True)
class LakePlace:
    """A folder or file: its path in a file system of pyarrow's."""

    files: Any
    path: str

    @classmethod
    def of(cls, told: Path | str) -> LakePlace:
        """A place as somebody names it: a path of this machine, or `s3://BUCKET/FOLDER`.

        Raises `FileRefused` for S3 that nothing leads to, such as an endpoint that is no URL.
        """
        if not in_s3(told):
            return cls(pafs.LocalFileSystem(), str(Path(told).absolute()))
        access = s3_access()
        try:
            files = pafs.S3FileSystem(endpoint_override=access.endpoint, region=access.region)
        except (pa.ArrowInvalid, OSError) as error:
            raise FileRefused(f"{told}: {error}") from error
        return cls(files, s3_path(told))

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def is_remote(self) -> bool:
        """Whether it lies in S3."""
        return not isinstance(self.files, pafs.LocalFileSystem)

    def __str__(self) -> str:
        return f"{SCHEME}{self.path}" if self.is_remote else self.path

    def __truediv__(self, name: str) -> LakePlace:
        return LakePlace(self.files, f"{self.path}/{name}")

    def folders(self) -> list[LakePlace]:
        """The folders in it, by name. Raises `FileRefused` where it cannot be listed; none where it is not there."""
        return [self / info.base_name for info in self._inside() if info.type == pafs.FileType.Directory]

    def parts(self) -> list[LakePlace]:
        """The files in it, by name, but for hidden ones."""
        found = (info.base_name for info in self._inside() if info.type == pafs.FileType.File)
        return [self / name for name in found if name[0] not in "._"]

    def size(self) -> int:
        """Bytes of the file."""
        return int(self.files.get_file_info(self.path).size)

    def metadata(self) -> Any:
        """What the Parquet file says of itself. Raises `FileRefused` when it is none, or cannot be read."""
        try:
            return pq.read_metadata(self.path, filesystem=self.files)
        except (pa.ArrowInvalid, OSError) as error:
            raise FileRefused(f"{self}: not a readable Parquet file: {error}") from error

    def table(self) -> Any:
        """The Parquet file's rows."""
        return pq.ParquetFile(self.path, filesystem=self.files, pre_buffer=self.is_remote).read()

    def write(self, table: Any, options: Mapping[str, Any]) -> None:
        """Write a Parquet file, which appears whole or not at all: it is written under a hidden name."""
        folder, _, name = self.path.rpartition("/")
        hidden = f"{folder}/.{name}"
        pq.write_table(table, hidden, filesystem=self.files, **options)
        if not self.is_remote:
            with Path(hidden).open("rb") as written:
                os.fsync(written.fileno())
        self.files.move(hidden, self.path)

    def remove(self) -> None:
        """Remove the file, if it is there."""
        if self.files.get_file_info(self.path).type != pafs.FileType.NotFound:
            self.files.delete_file(self.path)

    def _inside(self) -> list[Any]:
        try:
            found = self.files.get_file_info(pafs.FileSelector(self.path, allow_not_found=True))
        except OSError as error:
            raise FileRefused(f"{self}: it cannot be listed: {error}") from error
        return sorted(found, key=lambda info: str(info.base_name))
