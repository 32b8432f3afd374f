"""Inputs of lists as every release wrote them stay readable, and the list comes out of them again.

python -m tests.contract.test_list_inputs_golden     write those of a new form; those of former ones stay
"""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.exploration import ExploreSettings
from operators.list_replay import differences
from operators.rank_settings import RankSettings
from operators.shelf_records import Arrivals
from schemas.codec import RECOMMENDATIONS
from schemas.list_inputs import FORMAT, SECTIONS, altered_sections, decode_inputs
from schemas.records import Recommendation
from schemas.state import decode_state
from tests.unit.test_list_replay import NOW, RULES, busy_shelf, busy_user, ruled_lists

GOLDEN = Path(__file__).parent / "golden" / "inputs"


def made() -> Recommendation:
    """A list of 36 places, with some that came as new items and others that filled it up, under a rule."""
    shelf = busy_shelf()
    shelf.apply(Arrivals([f"item-{k}" for k in range(30, 40)], [NOW - 1_000] * 10))
    chosen = RankSettings(length=36, explore=ExploreSettings(share=0.1))
    [logged] = ruled_lists(shelf, [busy_user()], RULES[1:2], chosen=chosen)
    return logged


def golden_files() -> list[Path]:
    return sorted(GOLDEN.glob("v*.hex"))


def test_there_are_goldens_of_every_form() -> None:
    assert [path.stem for path in golden_files()] == [f"v{form}" for form in range(1, FORMAT + 1)]


@pytest.mark.parametrize("path", golden_files(), ids=lambda path: path.stem)
def test_golden_inputs_are_read(path: Path) -> None:
    logged = RECOMMENDATIONS.decode(bytes.fromhex(path.read_text()))
    assert logged.inputs is not None
    assert altered_sections(logged.inputs) == []
    inputs = decode_inputs(logged.inputs)
    assert (inputs.making.model, inputs.making.bundle, inputs.making.at) == ("blend", "", NOW)
    assert decode_state(inputs.user).recent[0].item_id == "item-1"
    assert inputs.said.shape == (len(inputs.scores), len(inputs.sources))
    assert inputs.items[inputs.scores.argmax()] == logged.items[0].item_id == "item-29"
    assert inputs.additions.filled
    assert inputs.additions.tried
    assert inputs.additions.pool == 10
    held = None if inputs.rules is None else [rule.name for rule in inputs.rules.rules]
    assert held == (None if path.stem == "v1" else ["dear"])


@pytest.mark.parametrize("path", golden_files(), ids=lambda path: path.stem)
def test_golden_lists_are_made_again_bit_for_bit(path: Path) -> None:
    logged = RECOMMENDATIONS.decode(bytes.fromhex(path.read_text()))
    assert differences(logged, lambda sha256: None) == []


def test_sections_keep_their_numbers() -> None:
    assert SECTIONS[:8] == (
        "settings", "user", "items", "candidates", "features", "scores", "additions", "rules",
    )  # fmt: skip


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    text = RECOMMENDATIONS.encode(made()).hex()
    lines = [text[at : at + 96] for at in range(0, len(text), 96)]
    (GOLDEN / f"v{FORMAT}.hex").write_text("\n".join(lines) + "\n")
