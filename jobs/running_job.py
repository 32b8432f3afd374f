"""A submitted job: waiting for it, saying what is wrong with it, and ending it."""

from __future__ import annotations

import logging
import time

from pyflink.common import JobClient

from schemas.errors import HeadraceError

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.2


class JobFailed(HeadraceError):  # noqa: N818 (a state, told as one line)
    """The job ended, and not because its input did."""


def wait(client: JobClient) -> None:
    """Wait until the job's bounded input is used up.

    Raises `JobFailed` when it ends otherwise. On Ctrl-C the job is cancelled first; its checkpoints stay.
    """
    # Not its status: the embedded minicluster ends with the job, and then has none to tell.
    ended = client.get_job_execution_result()
    try:
        while not ended.done():
            time.sleep(_LOOK_EVERY_S)
    except (KeyboardInterrupt, SystemExit):
        cancel(client)
        raise
    try:
        ended.result()
    except Exception as error:
        raise JobFailed(f"the job has failed: {root_cause(str(error))}") from None


def cancel(client: JobClient, seconds: float = 20.0) -> None:
    """Cancel the job and wait for its end, for so long at most."""
    try:
        ended = client.get_job_execution_result()
        client.cancel().result()
        until = time.monotonic() + seconds
        while not ended.done() and time.monotonic() < until:
            time.sleep(0.1)
    except Exception as error:  # the minicluster may be gone already, which is what was wanted
        logger.info("cancelling: %s", error)


def root_cause(trace: str) -> str:
    """The innermost cause in a Java stack trace.

    >>> root_cause("a.B: outer\\n\\tat x\\nCaused by: c.D: inner\\n\\tat y")
    'c.D: inner'
    """
    causes = [line.split("Caused by:", 1)[1].strip() for line in trace.splitlines() if "Caused by:" in line]
    return causes[-1] if causes else trace.strip().splitlines()[0] if trace.strip() else "no cause is known"
