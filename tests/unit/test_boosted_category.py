"""A boosted model says how likely a user's next category is: by what is known before, and as often as it comes true."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import exp, log, log1p

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from jobs.boosted_settings import BoostedSettings
from jobs.boosted_training import fit_boosted, judge_boosted
from jobs.category_examples import CategorySampler
from jobs.future_seen import FutureSeenError
from jobs.plain_stream import PlainStream
from jobs.training_events import NothingToLearnError
from operators.affinity import AffinityModel
from operators.affinity_columns import CategoryProbability
from operators.barred_items import BarredItems
from operators.boosted_affinity import BoostedAffinity
from operators.boosted_features import INPUTS, boosted_rows
from operators.calibrated_affinity import CalibratedAffinity
from operators.candidates import CandidateFinder, CandidateSettings
from operators.factor_neighbours import FactorNeighbours
from operators.item_step import top_level
from operators.logistic import sigmoid
from operators.rank_settings import RankSettings
from operators.reliability import reliability_of
from operators.user_batch import UserBatch
from schemas.records import Event, Item
from schemas.state import UserState
from tests.unit.made_boosted import QUICK, drawn_boosted, drawn_examples, true_probability

CATEGORIES = ["Home/Mugs", "Home/Lamps", "Toys/Kites", "Toys/Balls", "Art"]
EACH = 12
ITEMS = [
    Item(item_id=f"{name}-{k}", category=name, price=float(k + 1)) for name in CATEGORIES for k in range(EACH)
]
OF = {item.item_id: item.category for item in ITEMS}
START = 1_700_000_000_000
HOUR = 3_600_000
STAYS = 0.7


def visits(events: int, users: int = 30, seed: int = 4) -> list[Event]:
    """Every user's next category is the last one with probability `STAYS`, else any of them alike."""
    drawn = np.random.default_rng(seed)
    at = drawn.integers(0, len(CATEGORIES), users)
    made = []
    for k in range(events):
        user = int(drawn.integers(users))
        if drawn.random() > STAYS:
            at[user] = drawn.integers(len(CATEGORIES))
        item = f"{CATEGORIES[at[user]]}-{drawn.integers(EACH)}"
        kind = "purchase" if drawn.random() < 0.2 else "view"
        made.append(
            Event(event_id=f"e{k}", user_id=f"u{user}", type=kind, time=START + k * HOUR, item_id=item)
        )
    return made


def learned(events: list[Event]) -> PlainStream:
    stream = PlainStream(ITEMS)
    for event in events:
        stream.learn(event)
    stream.catch_up()
    return stream


@pytest.fixture(scope="module")
def stream() -> PlainStream:
    return learned(visits(600))


@pytest.fixture(scope="module")
def model() -> BoostedAffinity:
    return drawn_boosted().model()


def asked_of_all(
    stream: PlainStream, states: list[UserState]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], UserBatch]:
    """Every category of every user."""
    codes = np.array(stream.shelf.catalogue.categories.codes(CATEGORIES), np.int32)
    begin = (len(codes) * np.arange(len(states) + 1)).astype(np.int32)
    batch = UserBatch.of(states, stream.shelf, [state.last for state in states])
    return begin, np.tile(codes, len(states)), batch


def rows_of(stream: PlainStream, states: list[UserState]) -> npt.NDArray[np.float32]:
    return boosted_rows(*asked_of_all(stream, states), stream.shelf, CategoryProbability(stream.step))


def by_definition(stream: PlainStream, user: UserState, category: str) -> dict[str, float]:
    """What operators/boosted_features.py says of each input, without arrays."""
    shelf, total = stream.shelf, sum(user.categories.values())
    shares = {name: count / total for name, count in user.categories.items()}
    recent = list(reversed(user.recent))[:20]
    session = [each for each in recent if each.time >= user.session.start]
    places = [place for place, each in enumerate(recent) if each.category == category]

    def goes(most: int) -> float:
        told: Counter[str] = Counter()
        for place, each in enumerate(recent[:most]):
            near = shelf.neighbours.of(shelf.number(each.item_id))
            for item, score in near:
                told[OF[shelf.item_id(item)]] += 0.7**place * exp(score - near[0][1])
        return told[category] / (told.total() or 1.0)

    scope = shelf.scopes.code("category:" + top_level(category))
    trends = [s for item, s in shelf.trending.of(scope) if OF[shelf.item_id(item)] == category]
    everywhere = sum(exp(s - trends[0]) for _, s in shelf.trending.of(shelf.everywhere))
    last, moment = recent[0].category, user.last
    return {
        "category_probability": CalibratedAffinity().probability(user, category),
        "liking": sigmoid(AffinityModel(stream.step.affinity).log_odds(user.affinity, category)),
        "log_share": log(max(shares.get(category, 0.0), 1e-4)),
        "top_level_share": sum(s for c, s in shares.items() if top_level(c) == top_level(category)),
        "recent_share": len(places) / len(recent),
        "session_share": sum(each.category == category for each in session) / max(len(session), 1),
        "bought_share": sum(each.type == "purchase" for each in recent if each.category == category)
        / len(recent),
        "last_nearness": 1.0 / (1 + places[0]) if places else 0.0,
        "last_age": log1p((moment - recent[places[0]].time) / HOUR) if places else 9.0,
        "same_as_last": 1.0 if category == last else 0.5 if top_level(category) == top_level(last) else 0.0,
        "goes_with": goes(5),
        "goes_with_last": goes(1),
        "stays": sum(a.category == b.category for a, b in pairwise(recent)) / max(len(recent) - 1, 1),
        "popularity": log(sum(exp(s - trends[0]) for s in trends) / everywhere),
        "events": log1p(user.n),
        "depth": log1p(user.session.depth),
        "categories": log1p(len(shares)),
        "largest_share": log(max(shares.values())),
        "hour": float(moment % (24 * HOUR) // HOUR),
        "weekday": float((moment // (24 * HOUR) + 3) % 7),
    }


def test_a_row_is_what_the_record_and_the_shelf_say(stream: PlainStream) -> None:
    states = list(stream.states.values())[:12]
    made = rows_of(stream, states)
    for user, state in enumerate(states):
        for place, name in enumerate(CATEGORIES):
            expected = by_definition(stream, state, name)
            assert tuple(expected) == INPUTS
            found = made[user * len(CATEGORIES) + place]
            np.testing.assert_allclose(found, list(expected.values()), rtol=2e-4, atol=2e-5, err_msg=name)


def test_a_row_depends_on_its_own_user_and_category_alone(
    stream: PlainStream, model: BoostedAffinity
) -> None:
    states = list(stream.states.values())[:9]
    together = rows_of(stream, states)
    for k, state in enumerate(states):
        alone = rows_of(stream, [state])
        np.testing.assert_array_equal(alone, together[k * len(CATEGORIES) : (k + 1) * len(CATEGORIES)])
    _, asked, batch = asked_of_all(stream, states[:1])
    one = boosted_rows(
        np.array([0, 1], np.int32), asked[2:3], batch, stream.shelf, CategoryProbability(stream.step)
    )
    np.testing.assert_array_equal(one[0], together[2])


def test_a_user_of_whom_nothing_is_known_gets_a_probability(
    stream: PlainStream, model: BoostedAffinity
) -> None:
    said = model.of_rows(rows_of(stream, [UserState("new", born=0)]))
    assert ((said >= 0.0) & (said <= 1.0)).all()


def test_every_candidate_gets_the_probability_of_its_category(
    stream: PlainStream, model: BoostedAffinity
) -> None:
    states, shelf, probability = (
        list(stream.states.values())[:7],
        stream.shelf,
        CategoryProbability(stream.step),
    )
    begin, asked, users = asked_of_all(stream, states)
    said = model.of_categories(begin, asked, users, shelf, probability).reshape(len(states), -1)
    finder = CandidateFinder(shelf, CandidateSettings(), FactorNeighbours.none())
    found = finder.find(users, BarredItems.of(None, [b""] * len(states), shelf))
    out = np.empty((len(found), 1), np.float32)
    model.fill(found, users, shelf, probability, out)
    of = [CATEGORIES.index(OF[shelf.item_id(item)]) for item in found.item.tolist()]
    np.testing.assert_array_equal(out[:, 0], said[found.user, of])
    assert len(set(of)) > 2


def test_probabilities_are_those_that_the_examples_were_drawn_by() -> None:
    model = fit_boosted(drawn_examples(4_000), QUICK).model()
    fresh = drawn_examples(3_000, seed=2)
    said, true = model.of_rows(fresh.rows).astype(np.float64), true_probability(fresh.rows)
    assert np.abs(said - true).mean() < 0.02
    figures = reliability_of("boosted", said, fresh.came)
    assert figures.error < 0.01
    assert figures.log_loss < reliability_of("truth", true, fresh.came).log_loss + 0.003


def test_what_a_stream_does_is_learned_and_told_better_than_by_the_record_alone() -> None:
    events = visits(4_000)
    stream, sampler = sampled(events[:3_000])
    earlier = sampler.take()
    for event in events[3_000:]:
        sample(sampler, event)
        stream.learn(event)
    later = sampler.take()
    model = fit_boosted(earlier, QUICK).model()
    judged = judge_boosted(model, later, earlier, QUICK)
    for asked in ("candidates", "the user's own"):
        now, anew, boosted = judged[asked]
        assert boosted.log_loss < min(now.log_loss, anew.log_loss) - 0.02
        assert boosted.brier < min(now.brier, anew.brier)
        assert boosted.error < min(0.04, now.error / 2)
    same = later.rows[:, INPUTS.index("same_as_last")] == 1.0
    said = model.of_rows(later.rows)
    elsewhere = (1.0 - STAYS) / len(CATEGORIES)
    # The curve is fitted to 450 events, whose share has a standard error of .02.
    assert said[same].mean() == pytest.approx(STAYS + elsewhere, abs=0.05)
    assert said[~same].mean() == pytest.approx(elsewhere, abs=0.02)


def sample(sampler: CategorySampler, event: Event) -> None:
    if sampler.counts(event):
        sampler.sample(event)


def sampled(events: list[Event]) -> tuple[PlainStream, CategorySampler]:
    stream = PlainStream(ITEMS)
    sampler = CategorySampler(stream, RankSettings())
    for event in events:
        sample(sampler, event)
        stream.learn(event)
    return stream, sampler


def test_no_example_reads_anything_of_the_event_to_come() -> None:
    events = visits(300)
    _, sampler = sampled(events[:-1])
    sampler.take()
    event = events[-1]
    sampler.sample(event)
    honest = sampler.take()
    other = msgspec.structs.replace(
        event, event_id="other", type="purchase", time=event.time + 900 * HOUR, value=99.0,
        item_id=next(item.item_id for item in ITEMS if item.category != OF[event.item_id or ""]),
    )  # fmt: skip
    sampler.sample(other)
    otherwise = sampler.take()
    np.testing.assert_array_equal(otherwise.rows, honest.rows)
    assert (otherwise.came != honest.came).any()
    assert honest.came.sum() <= 1


def test_an_event_that_was_learned_makes_no_example_and_would_show_in_its_rows() -> None:
    events = visits(300)
    stream, sampler = sampled(events[:-1])
    sampler.take()
    sampler.sample(events[-1])
    honest = sampler.take()
    stream.learn(events[-1])
    stream.learn(msgspec.structs.replace(events[-1], event_id="later", time=events[-1].time + 1))
    with pytest.raises(FutureSeenError, match="sample an event of a known user before it is learned"):
        sampler.sample(events[-1])
    stream.latest = events[-1].time
    sampler.sample(events[-1])
    leaked = sampler.take()
    assert leaked.rows.shape != honest.rows.shape or (leaked.rows != honest.rows).any()


def test_parts_of_examples_are_one_after_the_other_and_whole_events() -> None:
    examples = drawn_examples(10, categories=3)
    parts = [examples.between(*bounds) for bounds in ((0.0, 0.7), (0.7, 0.85), (0.85, 1.0))]
    assert [part.events for part in parts] == [7, 1, 2]
    np.testing.assert_array_equal(np.concatenate([part.rows for part in parts]), examples.rows)
    assert parts[2].event.tolist() == [0, 0, 0, 1, 1, 1]


def test_too_few_examples_and_such_as_all_came_out_alike_are_refused() -> None:
    with pytest.raises(NothingToLearnError, match="--boosted: 40 events say which category came next"):
        fit_boosted(drawn_examples(40), QUICK)
    examples = drawn_examples(400)
    examples.came[:] = 0
    with pytest.raises(NothingToLearnError, match="and of some that did not: train without it"):
        fit_boosted(examples, QUICK)


def test_the_same_examples_give_the_same_model() -> None:
    assert drawn_boosted().graph == drawn_boosted().graph


@pytest.mark.parametrize("parts", [{"fitted": 0.9}, {"stopped": 1.0}, {"fitted": 0.0}, {"unused": 1.0}])
def test_shares_that_are_none_are_refused(parts: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"share|must be"):
        BoostedSettings(**parts)  # type: ignore[arg-type]
