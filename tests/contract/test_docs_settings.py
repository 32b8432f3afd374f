"""docs/settings.md names every setting with its default and meaning, as the classes have them now."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from jobs.settings import Settings, load
from jobs.settings_meanings import MEANINGS
from jobs.settings_page import PAGE, keys, page


def test_the_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m jobs.settings_page"


def test_every_setting_has_a_meaning() -> None:
    silent = [key.name for key in keys(Settings()) if not key.meaning]
    assert not silent, f"give {silent} a docstring below the field, or a line in jobs/settings_meanings.py"


def test_every_meaning_is_of_a_setting() -> None:
    assert not set(MEANINGS) - {key.name for key in keys(Settings())}


def test_the_example_of_the_page_can_be_used(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    file = tmp_path / "headrace.toml"
    file.write_text(example[1], encoding="utf-8")
    told = load(file, variables={"HEADRACE_STEP__DRIFT__DELTA": "0.1"})
    assert told.kafka.brokers == tomllib.loads(example[1])["kafka"]["brokers"]
    assert told.step.item_weights == {"view": 1.0, "purchase": 8.0}
    assert told.step.drift.delta == 0.1
    assert told.step.session_gap == Settings().step.session_gap
