"""The rank worker can be imported where PyFlink has put a `print` of its own."""

from __future__ import annotations

import subprocess
import sys

AS_ON_A_CLUSTER = """
import builtins
from pyflink.fn_execution.beam.beam_sdk_worker_main import CustomPrint

builtins.print = CustomPrint(print).print
import udfs.rank_worker
print("imported", flush=True)
"""


def test_the_rank_worker_is_imported_and_print_is_pythons_again() -> None:
    said = subprocess.run(
        [sys.executable, "-c", AS_ON_A_CLUSTER], capture_output=True, text=True, timeout=120, check=False
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout == "imported\n"
