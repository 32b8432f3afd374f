"""`headrace user`: the Redis keys of a user, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import redis
import typer
from rich.console import Console
from rich.table import Table

from jobs import options, settings
from jobs.send_progress import recorded_time
from jobs.settings import Settings
from schemas.errors import HeadraceError
from schemas.pseudonym import Pseudonym
from schemas.redis_keys import RedisKeys
from udfs.slot_names import published_slots

app = typer.Typer(help="Show what is kept of a user.", no_args_is_help=True)

User = Annotated[str, typer.Argument(help="The user id, as your events name it.")]
Prefix = Annotated[str | None, typer.Option("--prefix", help="First part of every key.")]


class UserKeys(msgspec.Struct, frozen=True):
    """A user's pseudonym and public keys."""

    uid: str
    rec: str
    seg: str
    profile: str


class UserUnknown(HeadraceError):  # noqa: N818 (an answer, told as one line)
    """Redis holds nothing of a user, or cannot be asked."""


def user_keys(user_id: str, chosen: Settings) -> UserKeys:
    """The keys of a user under the deployment's secret and prefix. Raises `UserUnknown` for an empty id."""
    try:
        uid = Pseudonym(chosen.secret()).of(user_id)
    except ValueError as error:
        raise UserUnknown(f"user {user_id!r}: {error}") from None
    names = RedisKeys(chosen.redis.prefix)
    return UserKeys(uid, names.rec(uid), names.seg(uid), names.profile(uid))


def read_user(keys: UserKeys, client: Any) -> dict[str, Any]:
    """What Redis holds of a user: `rec` and `profile` as parsed JSON or None, `seg` sorted."""
    rec, profile = client.mget(keys.rec, keys.profile)
    return {
        "uid": keys.uid,
        "rec": None if rec is None else msgspec.json.decode(rec),
        "seg": sorted(name.decode() for name in client.smembers(keys.seg)),
        "profile": None if profile is None else msgspec.json.decode(profile),
    }


def read_slots(names: RedisKeys, uid: str, client: Any) -> dict[str, Any]:
    """The lists of a user in further slots, by slot under `slots`; nothing where there are none."""
    slots = published_slots(client, names)
    values = client.mget([names.rec(uid, slot) for slot in slots]) if slots else []
    found = {
        slot: msgspec.json.decode(value)
        for slot, value in zip(slots, values, strict=True)
        if value is not None
    }
    return {"slots": found} if found else {}


@app.command("key")
def key(
    user: User, prefix: Prefix = None, config: options.Config = None, as_json: options.AsJson = False
) -> None:
    """Print the Redis keys of a user.

    Example: redis-cli get "$(headrace user key 17850 --json | jq -r .rec)"
    """
    keys = user_keys(user, chosen_settings(config, None, prefix))
    if as_json:
        print(msgspec.json.encode(keys).decode())
    else:
        print(keys.rec, keys.seg, keys.profile, sep="\n")


@app.command("show")
def show(
    user: User,
    url: options.Redis = None,
    prefix: Prefix = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Show a user's lists, segments and profile.

    Example: headrace user show 17850
    """
    chosen = chosen_settings(config, url, prefix)
    keys = user_keys(user, chosen)
    try:
        with redis.Redis.from_url(chosen.redis_url()) as client:
            found = read_user(keys, client)
            if found["rec"] is None and found["profile"] is None:
                raise UserUnknown(f"user {user!r}: nothing at {keys.profile} in Redis at {chosen.redis.url}")
            names = RedisKeys(chosen.redis.prefix)
            found |= read_slots(names, keys.uid, client)
            listed = [found["rec"], *found.get("slots", {}).values()]
            titles = _titles(client, names, listed)
    except redis.RedisError as error:
        raise UserUnknown(f"Redis at {chosen.redis.url} does not answer ({error}); give --redis") from None
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        _print_user(user, found, titles)


def chosen_settings(config: Any, url: str | None, prefix: str | None) -> Settings:
    given = {"redis.url": url, "redis.prefix": prefix}
    return settings.load(config, {name: value for name, value in given.items() if value is not None})


def _titles(client: Any, names: RedisKeys, lists: Sequence[dict[str, Any] | None]) -> dict[str, str]:
    listed = list(dict.fromkeys(item for rec in lists if rec for item, _score, _why in rec["items"]))
    values = client.mget([names.item(item) for item in listed]) if listed else []
    return {
        item: msgspec.json.decode(value)["title"]
        for item, value in zip(listed, values, strict=True)
        if value is not None
    }


def _print_user(user: str, found: dict[str, Any], titles: dict[str, str]) -> None:
    out = Console(highlight=False)
    profile, rec = found["profile"], found["rec"]
    out.print(f"[bold]{user}[/] is {found['uid']}", soft_wrap=True)
    if profile:
        session = profile["session"]
        out.print(
            f"{profile['events']:,} events, last {recorded_time(profile['at'])} UTC,"
            f" session {session['number']} with {session['depth']} events,"
            f" {profile['drift']['drifts']} changes of taste"
        )
        if profile["affinities"]:
            out.print("drawn to " + ", ".join(f"{name} {p:.0%}" for name, p in profile["affinities"]))
    if found["seg"]:
        out.print("in " + ", ".join(found["seg"]))
    for slot, made in {"": rec, **found.get("slots", {})}.items():
        if made:
            out.print(_table(slot, made, titles))


def _table(slot: str, made: dict[str, Any], titles: dict[str, str]) -> Table:
    about = f", beside {made['item']}," if made.get("item") else ""
    title = f"{slot} list{about} of {recorded_time(made['at'])} UTC by {made['model']}".strip()
    table = Table("", "item", "title", "score", "why", title=title)
    for place, (item, score, why) in enumerate(made["items"], 1):
        table.add_row(str(place), item, titles.get(item, ""), f"{score:.4f}", why)
    return table
