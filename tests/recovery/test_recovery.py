"""What a crash, a restart and a lost Redis leave behind: nothing lost, everything as without them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from operators.retrain_policy import KIND as RETRAIN
from operators.retrain_policy import RetrainSettings
from schemas.records import POOL, STREAM, Context, Event
from tests.recovery.cluster import worker_of

BEGIN = 1_700_000_000_000
USERS = [f"user-{number:02d}" for number in range(30)]


def shop(stack: Any, mark: str, count: int, seed: int, *, loyal: bool = False) -> None:
    """So many events of all users, in order; the clock goes on from the user's latest event.

    Where users are loyal, each keeps to one department, and their country is known.
    """
    rng = random.Random(seed)
    for number in range(count):
        user = rng.choice(USERS)
        known = stack.plain.states.get(user)
        items = stack.items[USERS.index(user) % 4 :: 4] if loyal else stack.items
        stack.send(
            Event(
                event_id=f"{mark}-{number}",
                user_id=user,
                type=rng.choice(("view",) * 6 + ("click", "add_to_cart", "purchase", "scroll")),
                time=(known.last if known else BEGIN) + rng.randrange(5 * 60_000),
                item_id=rng.choice(items).item_id,
                value=0.5,
                context=Context(country=rng.choice(("GB", "DE")) if loyal else None),
            )
        )
    stack.producer.flush()


def settled(stack: Any, mark: str, tolerance: float = 1e-9) -> None:
    """Everyone's profile and all item sums are the plain ones, however they came to be."""
    stack.ask_everyone(mark)
    stack.until(lambda: not stack.wrong_profiles(), "every profile as the plain classes have it")
    stack.until(lambda: not stack.wrong_sums(tolerance), "all item sums as the plain classes have them")


def test_a_killed_task_manager_loses_no_event_and_counts_none_twice(stack: Any) -> None:
    shop(stack, "before", 1_500, seed=1, loyal=True)
    stack.until(lambda: stack.checkpoint()[1] >= 1_000, "a checkpoint of most of it")
    shop(stack, "meanwhile", 300, seed=2, loyal=True)
    stack.cluster.kill_task_manager(worker_of(stack.cluster, stack.job))
    shop(stack, "after", 1_200, seed=3)
    checkpoint, covered = stack.checkpoint()
    settled(stack, "killed")
    assert stack.restarts() >= 1
    assert stack.restored() == checkpoint
    assert 1_000 <= covered < stack.sent - 1_200
    stack.until(lambda: not stack.wrong_models(), "the models as the plain classes have them")
    detectors_went_on(stack, covered)


def detectors_went_on(stack: Any, covered: int) -> None:
    """What they told after a crash is to the last digit what they tell who lost the open batches alone.

    Alerts of what the checkpoint did not cover may have been told once before the crash too.
    """
    expected = stack.beside.alerts(cut_at=covered)
    stack.until(lambda: {*map(repr, expected)} <= {*map(repr, stack.alerts())}, "the alerts of the detectors")
    uninterrupted = stack.beside.alerts()
    assert all(alert in expected or alert in uninterrupted for alert in stack.alerts())
    begun_anew = stack.beside.alerts(begin_at=covered)
    for signal, scope in (("missing/country", STREAM), ("prediction_error", POOL)):
        told = [alert for alert in expected if (alert.signal, alert.scope) == (signal, scope)]
        assert told
        assert not any(alert in begun_anew for alert in told)
    [asked] = {request.version for request in stack.requests() if request.kind == RETRAIN}
    assert asked == next(alert.at for alert in expected if alert.signal in RetrainSettings().signals)


def test_a_stopped_job_goes_on_from_its_savepoint(stack: Any, tmp_path: Path) -> None:
    shop(stack, "first", 500, seed=4)
    before = {user: state.n for user, state in stack.plain.states.items()}
    stack.cluster.flink("stop", "--savepointPath", tmp_path.as_uri(), stack.job)
    [savepoint] = tmp_path.glob("savepoint-*")
    shop(stack, "stopped", 500, seed=5)
    stack.submit(restore=savepoint.as_uri())
    settled(stack, "stopped")
    stack.until(lambda: not stack.wrong_models(), "the models as the plain classes have them")
    assert all(stack.plain.states[user].n > n for user, n in before.items())


def test_nothing_is_lost_while_redis_is_away(stack: Any) -> None:
    restarts = stack.restarts()
    shop(stack, "with", 300, seed=6)
    stack.server.stop()
    shop(stack, "without", 700, seed=7)
    said = stack.log().count("Redis is away")
    stack.until(lambda: stack.log().count("Redis is away") >= max(said, 1), "the job says that Redis is away")
    stack.server.start()
    settled(stack, "away")
    assert stack.restarts() == restarts  # it waited: nothing had to be taken up from a checkpoint


def test_an_emptied_redis_is_noticed_and_filled_again(stack: Any, empty_redis: Callable[[], None]) -> None:
    keys = [stack.names.co("item-03"), stack.names.pop("all"), stack.names.item("item-03")]
    assert stack.redis.exists(*keys) == 3
    pairs = stack.redis.zcard(keys[0])
    stack.redis.set("only here", "what nobody writes again")
    empty_redis()
    assert not stack.redis.exists("only here")
    stack.send(
        Event(event_id="back", user_id=USERS[0], type="search", time=stack.plain.states[USERS[0]].last)
    )
    stack.producer.flush()
    stack.until(lambda: stack.redis.exists(*keys) == 3, "the item side is back")
    stack.until(lambda: stack.redis.zcard(keys[0]) == pairs, "all neighbours of an item are back")
    stack.until(lambda: "Redis has lost its data" in stack.log(), "the log says so")
    back = stack.names.rec(stack.pseudonym.of(USERS[0]))
    stack.until(lambda: stack.redis.exists(back), "the user's list is back")
    # The shelf holds the logarithm of a pair's sum as float32; the pair's next step brings the exact one.
    settled(stack, "emptied", tolerance=4e-5)
