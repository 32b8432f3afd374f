"""The one base of every error that is meant for a person to read."""

from __future__ import annotations


class HeadraceError(Exception):
    """Something a person can put right. Its text names the thing, the place and the way out.

    The `headrace` command prints it as one line, without a traceback, and exits with code 2.
    """
