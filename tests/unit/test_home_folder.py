"""One rule says where Headrace keeps things, for the services and for compiled code."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.home import home
from operators.machine_code import cache_home


@pytest.mark.parametrize(
    "variables",
    [
        {"HEADRACE_HOME": "~/of-headrace"},
        {"HEADRACE_HOME": "below/here", "XDG_CACHE_HOME": "/nowhere"},
        {"XDG_CACHE_HOME": "~/caches"},
        {"XDG_CACHE_HOME": ""},
        {},
    ],
)
def test_services_and_compiled_code_are_kept_in_the_same_place(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEADRACE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_home(variables) == home()
    assert home().is_relative_to(tmp_path)
