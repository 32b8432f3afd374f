"""The report on the quality of lists: its figures agree with `evaluate`, and its pages show them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from typer.testing import CliRunner

from jobs.cli import build
from jobs.evaluate_stream import Split, evaluate, evaluate_fully
from jobs.quality_files import write_report
from jobs.quality_html import page
from jobs.quality_report import Origin, QualityReport
from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from operators.prequential_score import Evaluation
from operators.segments import SegmentRule
from schemas.records import Event, Item

NOON = 1_300_000_000_000
HOUR = 3_600_000
ORIGIN = Origin(
    command="headrace evaluate <shop>", files=["shop"], sha256=["ab"], made="now", versions={"numpy": "2"}
)
RULES = [SegmentRule(name="keen", when='count("purchase", within="30d") >= 2')]


def shop(users: int = 14) -> TrainingEvents:
    """Users who come back hour after hour, and buy two items at one time, of one of two shelves."""
    events = []
    for visit in range(4):
        for user in range(users):
            for piece in range(2):
                item = f"{('even', 'odd')[user % 2]}-{(user + 2 * visit + piece) % 9}"
                time = NOON + visit * 24 * HOUR + user * HOUR
                kept = {"event_id": f"{user}-{visit}-{piece}", "user_id": f"user-{user}", "type": "purchase"}
                bought = {"order_id": f"{user}-{visit}", "value": 1.0, "quantity": 1.0}
                events.append(Event(**kept, **bought, time=time, item_id=item))
    shelves = [f"{shelf}-{n}" for shelf in ("even", "odd") for n in range(9)]
    items = [Item(item_id=name, title=f"thing <{name}>", category=name.split("-")[0]) for name in shelves]
    return TrainingEvents(events, items, 3)


Made = tuple[Evaluation, QualityReport]


def judged(only: tuple[str, ...] = ("headrace", "last-item"), split: Split = Split.TIME) -> Made:
    return evaluate_fully(
        shop(), only, None, lambda trial: None, Settings(), split, RULES, ORIGIN, "Lists of <shop>"
    )


@pytest.fixture(scope="module")
def made() -> Made:
    return judged()


def test_the_figures_are_those_of_evaluate(made: Made) -> None:
    done, report = made
    plain = evaluate(shop(), ("headrace", "last-item", "popularity"))
    assert msgspec.structs.replace(done, seconds=0.0) == msgspec.structs.replace(plain, seconds=0.0)
    assert (report.judgements, report.judged_users, report.unused_rows) == (plain.counting, 14, 3)
    for ours, theirs in zip(report.strategies, plain.recommenders, strict=True):
        hr, mrr = ours.by_event["hr@20"], ours.by_event["mrr@20"]
        assert hr is not None
        assert mrr is not None
        assert (ours.name, hr.value, mrr.value) == (
            theirs.name, pytest.approx(theirs.hit_rate), pytest.approx(theirs.mrr),
        )  # fmt: skip
        assert ours.of_lists["coverage@20"] == pytest.approx(theirs.coverage)
        assert sum(ours.places) == pytest.approx(hr.value)
        assert hr.low <= hr.value <= hr.high


def test_popularity_stands_beside_and_surprises_nobody(made: Made) -> None:
    names = [each.name for each in made[1].strategies]
    assert names == ["headrace", "last-item", "popularity"]
    serendipity = made[1].strategies[2].by_event["serendipity@20"]
    assert serendipity is not None
    assert (serendipity.value, serendipity.high) == (0.0, 0.0)


def test_a_lead_is_the_difference_of_the_two_figures(made: Made) -> None:
    lead, other, _ = made[1].strategies
    assert lead.ahead == {}
    for figure, ahead in other.ahead.items():
        mine, theirs = lead.by_event[figure], other.by_event[figure]
        assert ahead is not None
        assert mine is not None
        assert theirs is not None
        assert ahead.value == pytest.approx(mine.value - theirs.value)


def test_every_judgement_is_in_one_group_of_each_kind(made: Made) -> None:
    report = made[1]
    for grouping in (report.over_time, *report.groupings):
        held = sum(group.judgements for group in grouping.groups)
        assert held == report.judgements or grouping.overlapping
    segments = {group.name: group.judgements for group in report.groupings[-1].groups}
    # One segment alone, so a judgement is in it or in none. It holds a user after the first line of their
    # second order: five of the seven lines that count.
    assert segments == {"keen": 14 * 5, "in no segment": 14 * 2}
    assert report.judgements == 14 * 7


def test_baskets_of_two_are_judged_as_two(made: Made) -> None:
    report = made[1]
    assert report.baskets == made[0].strict
    hr, recall = (report.strategies[0].by_basket[name] for name in ("hr@20", "recall@20"))
    assert hr is not None
    assert recall is not None
    assert 0.0 < recall.value <= hr.value


def test_the_same_run_gives_the_same_report(made: Made) -> None:
    again = msgspec.structs.replace(judged()[1], seconds=made[1].seconds)
    assert msgspec.json.encode(again) == msgspec.json.encode(made[1])


class Balanced(HTMLParser):
    """Notes what a page would load, and whether what must be closed is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = [str(value) for name, value in attrs if name in ("src", "href")]
        self.loads += [link for link in links if not link.startswith("#")]
        if tag in ("svg", "table", "details", "figure", "div", "dl", "style", "g", "text", "nav"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag


def test_the_page_shows_every_strategy_loads_nothing_and_escapes_names(
    made: Made,
) -> None:
    shown = page(made[1])
    reader = Balanced()
    reader.feed(shown)
    assert reader.open == []
    assert reader.loads == []
    assert "<shop>" not in shown
    assert "Lists of &lt;shop&gt;" in shown
    for each in made[1].strategies:
        assert f"<td>{each.name}" in shown
    assert "prefers-color-scheme: dark" in shown


def test_a_folder_gets_the_page_the_text_its_charts_and_the_figures(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    write_report(made[1], folder)
    write_report(made[1], folder)  # over an earlier one
    text = (folder / "report.md").read_text("utf-8")
    images = [line.partition("](")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert sorted(images) == sorted(path.name for path in folder.glob("*.svg"))
    for name in images:
        assert ElementTree.parse(folder / name).getroot().tag.endswith("svg")
    assert msgspec.json.decode((folder / "report.json").read_bytes(), type=QualityReport) == made[1]


def test_nothing_judged_makes_a_report_that_says_so(tmp_path: Path) -> None:
    events = [Event(event_id="1", user_id="ann", type="view", time=NOON, item_id="mug")]
    data = TrainingEvents(events, [], 0)
    _, report = evaluate_fully(
        data, ("popularity",), None, lambda trial: None, Settings(), Split.TIME, RULES, ORIGIN, "Nothing"
    )
    write_report(report, tmp_path)
    assert "Nothing was judged" in (tmp_path / "report.md").read_text("utf-8")


def test_held_out_users_alone_are_judged() -> None:
    _, report = judged(("popularity",), Split.USERS)
    plain = judged(("popularity",))[1]
    assert 0 < report.judged_users < plain.judged_users
    assert report.users == plain.users


def test_the_cold_split_tells_new_items_and_users_apart() -> None:
    _, report = judged(("popularity",), Split.COLD)
    assert "New items and users" in [each.title for each in report.groupings]
    assert report.judgements < judged(("popularity",))[1].judgements


@pytest.fixture
def session_file(tmp_path: Path) -> Path:
    rows = [f"{e.user_id}\t{e.item_id}\t{e.time // 1000}" for e in shop(6).events]
    file = tmp_path / "sessions.txt"
    file.write_text("\n".join(["SessionId\tItemId\tTime", *rows]) + "\n")
    return file


def run(*words: str, code: int = 0) -> str:
    said = CliRunner().invoke(build(["evaluate"]), ["evaluate", *words])
    assert said.exit_code == code, said.output
    return said.output if code else said.stdout


def test_the_command_writes_a_report_that_names_it(session_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    said = run(
        str(session_file), "--strategies", "last-item,popularity", "--report", str(folder), "--limit", "40"
    )
    assert "report.html" in said
    report = json.loads((folder / "report.json").read_text())
    assert [each["name"] for each in report["strategies"]] == ["last-item", "popularity"]
    typed = f"headrace evaluate {session_file} --strategies last-item,popularity --report {folder} --limit 40"
    assert report["origin"]["command"] == typed
    assert len(report["origin"]["sha256"][0]) == 64


def test_machines_get_every_figure_where_they_ask_for_it(session_file: Path) -> None:
    report = json.loads(run(str(session_file), "--only", "popularity", "--json", "--full"))
    assert set(report["strategies"][0]["by_event"]["ndcg@5"]) == {"value", "low", "high"}


def test_next_items_have_a_report_too(session_file: Path, tmp_path: Path) -> None:
    files = ["--train", str(session_file), "--test", str(session_file)]
    run(*files, "--only", "last-item", "--report", str(tmp_path / "next"))
    report = json.loads((tmp_path / "next" / "report.json").read_text())
    plain = json.loads(run(*files, "--only", "last-item", "--json"))
    figures = report["strategies"][0]["by_event"]
    for ours, theirs in (("hr@20", "hit_rate"), ("mrr@20", "mrr"), ("ndcg@20", "ndcg")):
        assert figures[ours]["value"] == pytest.approx(plain["scores"][0][theirs])
    assert report["judgements"] == plain["predictions"]


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--full"], "--full goes with --json"),
        (["--cold", "--split", "users"], "--cold is --split cold"),
        (["--only", "popularity", "--strategies", "headrace"], "give one of them"),
        (["--report", "FILE"], "a file is there; name a folder"),
        (["--drift", "--report", "x"], "leave out --model"),
        (["--strategies", "source:magic"], "there is no source 'magic'"),
        (["--strategies", "blend:covisit"], "is not SOURCE=WEIGHT"),
        (["--strategies", "blend:magic=1"], "unknown source 'magic'"),
    ],
)
def test_what_does_not_go_together_is_refused(session_file: Path, words: list[str], wrong: str) -> None:
    said = run(str(session_file), *[str(session_file) if word == "FILE" else word for word in words], code=2)
    assert wrong in said
