"""Vectorised PyFlink functions: ranking, publishing, item statistics."""

import builtins
from types import MethodType

# On a cluster, PyFlink's worker puts a method of its own in the place of `print`: numba cannot be imported
# then, and `print(…, flush=True)` fails. What is printed goes to the log all the same: so does all of stdout.
if isinstance(builtins.print, MethodType):
    builtins.print = getattr(builtins.print.__self__, "_print")  # noqa: B009
