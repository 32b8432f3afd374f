"""The commands of `headrace user`."""

from __future__ import annotations

from jobs import user_log, user_why
from jobs.user import app

__all__ = ["app", "user_log", "user_why"]
