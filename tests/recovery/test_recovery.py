"""What a crash, a restart and a lost Redis leave behind: nothing lost, everything as without them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.records import Context, Event

BEGIN = 1_700_000_000_000
USERS = [f"user-{number:02d}" for number in range(30)]


def shop(stack: Any, mark: str, count: int, seed: int) -> None:
    """So many events of all users, in order; the clock goes on from the user's latest event."""
    rng = random.Random(seed)
    for number in range(count):
        user = rng.choice(USERS)
        known = stack.plain.states.get(user)
        stack.send(
            Event(
                event_id=f"{mark}-{number}",
                user_id=user,
                type=rng.choice(("view",) * 6 + ("click", "add_to_cart", "purchase", "scroll")),
                time=(known.last if known else BEGIN) + rng.randrange(5 * 60_000),
                item_id=rng.choice(stack.items).item_id,
                value=0.5,
                context=Context(country=rng.choice(("GB", "DE"))),
            )
        )
    stack.producer.flush()


def settled(stack: Any, mark: str, tolerance: float = 1e-9) -> None:
    """Everyone's profile and all item sums are the plain ones, however they came to be."""
    stack.ask_everyone(mark)
    stack.until(lambda: not stack.wrong_profiles(), "every profile as the plain classes have it")
    stack.until(lambda: not stack.wrong_sums(tolerance), "all item sums as the plain classes have them")


def test_a_killed_task_manager_loses_no_event_and_counts_none_twice(stack: Any) -> None:
    shop(stack, "before", 1_500, seed=1)
    stack.until(
        lambda: stack.cluster.rest(f"/jobs/{stack.job}/checkpoints")["counts"]["completed"], "a checkpoint"
    )
    stack.until(lambda: len(stack.wrong_profiles()) < len(USERS), "some profiles are there")
    stack.cluster.kill_task_manager(stack.worker())
    shop(stack, "after", 1_500, seed=2)
    settled(stack, "killed")
    assert stack.restarts() >= 1


def test_a_stopped_job_goes_on_from_its_savepoint(stack: Any, tmp_path: Path) -> None:
    shop(stack, "first", 500, seed=3)
    before = {user: state.n for user, state in stack.plain.states.items()}
    stack.cluster.flink("stop", "--savepointPath", tmp_path.as_uri(), stack.job)
    [savepoint] = tmp_path.glob("savepoint-*")
    shop(stack, "meanwhile", 500, seed=4)
    stack.submit(restore=savepoint.as_uri())
    settled(stack, "stopped")
    assert all(stack.plain.states[user].n > n for user, n in before.items())


def test_nothing_is_lost_while_redis_is_away(stack: Any) -> None:
    restarts = stack.restarts()
    shop(stack, "with", 300, seed=5)
    stack.server.stop()
    shop(stack, "without", 700, seed=6)
    said = stack.log().count("Redis is away")
    stack.until(lambda: stack.log().count("Redis is away") >= max(said, 1), "the job says that Redis is away")
    stack.server.start()
    settled(stack, "away")
    assert stack.restarts() == restarts  # it waited: nothing had to be taken up from a checkpoint


def test_an_emptied_redis_is_noticed_and_filled_again(stack: Any, empty_redis: Callable[[], None]) -> None:
    keys = [stack.names.co("item-03"), stack.names.pop("all"), stack.names.item("item-03")]
    assert stack.redis.exists(*keys) == 3
    pairs = stack.redis.zcard(keys[0])
    empty_redis()
    assert stack.redis.dbsize() == 0
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
