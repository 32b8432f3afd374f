"""`headrace user log`: have a user's lists logged with all that they are made from, for a while."""

from __future__ import annotations

import json
import time
from typing import Annotated

import redis
import typer

from jobs import options
from jobs.user import Prefix, User, UserUnknown, app, chosen_settings, user_keys
from schemas.redis_keys import RedisKeys

_MINUTE_MS = 60_000


@app.command("log")
def log(
    user: User,
    minutes: Annotated[int, typer.Option("--minutes", min=1, help="For how long.")] = 60,
    stop: Annotated[bool, typer.Option("--stop", help="Ask no more.")] = False,
    url: options.Redis = None,
    prefix: Prefix = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Have every list of a user logged with its inputs for a while, so that `why` and `replay` know all.

    Rank workers take it up within a few seconds.

    Example: headrace user log 17850 --minutes 30
    """
    told = chosen_settings(config, url, prefix)
    keys, key = user_keys(user, told), RedisKeys(told.redis.prefix).asked
    now = time.time_ns() // 1_000_000
    until = 0 if stop else now + minutes * _MINUTE_MS
    try:
        with redis.Redis.from_url(told.redis_url()) as client:
            client.zremrangebyscore(key, "-inf", now)
            if stop:
                client.zrem(key, keys.uid)
            else:
                client.zadd(key, {keys.uid: until})
            known = bool(client.exists(keys.profile, keys.rec))
    except redis.RedisError as error:
        raise UserUnknown(f"Redis at {told.redis.url} does not answer ({error}); give --redis") from None
    if as_json:
        print(json.dumps({"uid": keys.uid, "until": until or None, "known": known}))
        return
    how = "no more than others" if stop else f"for {minutes} {'minute' if minutes == 1 else 'minutes'}"
    print(f"lists of {user} are logged with their inputs {how}")
    if not known:
        print(f"Redis knows nothing of {user} yet: is that the user id of your events?")
