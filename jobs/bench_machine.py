"""On what, when and with what a measurement was made: no figure is worth more than that says."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version

import msgspec
import psutil

_PACKAGES = ("headrace", "apache-flink", "numpy", "numba", "onnxruntime", "river", "redis", "msgspec")
_BUSY = 0.5


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """`load` are the load averages of the last 1, 5 and 15 minutes before the measurement began."""

    date: str
    cores: int
    memory_gib: float
    system: str
    python: str
    load: tuple[float, float, float]
    versions: dict[str, str]

    @property
    def busy(self) -> bool:
        """Whether other work will have slowed the measurement down."""
        return self.load[0] > _BUSY * self.cores


def this_machine() -> Machine:
    """What there is to say of this machine now.

    >>> this_machine().cores > 0
    True
    """
    return Machine(
        date=time.strftime("%Y-%m-%d %H:%M:%S %z"),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 1024**3, 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        load=os.getloadavg(),
        versions={name: version(name) for name in _PACKAGES},
    )
