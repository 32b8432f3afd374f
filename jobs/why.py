"""Finding a user's list in the log, and explaining it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import redis

from jobs.bundle_search import BundleSearch
from jobs.cells import time_ms
from jobs.logged_lists import LoggedLists
from jobs.replay_clock import KafkaUnreachable
from jobs.send_progress import recorded_time
from jobs.settings import Settings, SettingsError
from jobs.user import UserKeys, UserUnknown
from operators.explanation import ItemReason, ListExplanation
from operators.reasons import RULE
from schemas.list_inputs import UnreadableInputs, decode_inputs
from schemas.records import Item, Recommendation, ScoredItem
from schemas.redis_keys import RedisKeys
from schemas.redis_values import RecValue


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """A list explained. `bundle` is the SHA-256 of the model's manifest and `release` that of Headrace, both empty
    where the list was logged without its inputs. `rules` are sentences on the list as a whole, `unknown` on what
    could not be told."""

    uid: str
    rec_id: str
    at: int
    model: str
    bundle: str
    release: str
    experiment: dict[str, str]
    with_inputs: bool
    rules: Sequence[str]
    unknown: Sequence[str]
    items: Sequence[ItemReason]


def moment(text: str | None) -> int | None:
    """The time of `--at` in ms. Raises `SettingsError` for what is none."""
    if text is None:
        return None
    try:
        return time_ms(text)
    except ValueError as error:
        raise SettingsError(f"--at: {error}") from None


def explain(
    told: Settings,
    keys: UserKeys,
    item: str | None = None,
    at: int | None = None,
    source: Path | None = None,
    models: Sequence[Path] = (),
) -> Why:
    """Why the user's list, the latest or the one that held at `at` (ms), is as it is; or why one item is in it or not.

    Raises `UserUnknown` where there is no such list.
    """
    unknown: list[str] = []
    logged = _logged(told, keys, at, source, unknown)
    inputs = None
    try:
        inputs = decode_inputs(logged.inputs) if logged.inputs is not None else None
    except UnreadableInputs as error:
        unknown.append(f"The inputs of the list cannot be read: {error}.")
    bundle = None
    if inputs is not None and inputs.features:
        bundle = BundleSearch(told, models).find(inputs.making.bundle)
        if bundle is None:
            unknown.append(
                f"The bundle of {logged.model} is not to be found, so that contributions are not known: --models"
            )
    explained = ListExplanation(logged, inputs, bundle, told.rank.blend)
    if inputs is None:
        unknown.append(_without_inputs(explained))
    if item is None:
        reasons = explained.items()
    else:
        reasons = [each for each in explained.items() if each.item_id == item]
        reasons = reasons or [_with_catalogue(told, explained.absent(item))]
    return Why(
        uid=keys.uid,
        rec_id=logged.rec_id,
        at=logged.at,
        model=logged.model,
        bundle=inputs.making.bundle if inputs is not None else "",
        release=inputs.making.release if inputs is not None else "",
        experiment=logged.experiment,
        with_inputs=inputs is not None,
        rules=explained.rules(),
        unknown=unknown,
        items=reasons,
    )


def newest(lists: Iterable[Recommendation], at: int | None) -> Recommendation | None:
    """Of a user's lists the one that held at `at` (ms): the last made for then or before; None: the latest of all."""
    best = None
    for each in lists:
        if (at is None or each.at <= at) and (best is None or (each.seq, each.at) >= (best.seq, best.at)):
            best = each
    return best


def _logged(
    told: Settings, keys: UserKeys, at: int | None, source: Path | None, unknown: list[str]
) -> Recommendation:
    try:
        found = newest(LoggedLists(told.kafka, source, keys.uid), at)
    except KafkaUnreachable as error:
        if at is not None:
            raise
        found = None
        unknown.append(f"The log of lists cannot be read, so that sources are not known: {error}.")
    else:
        if found is None and at is None:
            unknown.append("The list is not in the log any more, so that sources are not known.")
    if found is None and at is None:
        found = _of_redis(told, keys)
    if found is None:
        where = f"{source}" if source is not None else f"the topic {told.kafka.recommendations}"
        raise UserUnknown(f"{keys.uid}: {where} holds no list of this user" + _since(told, keys, at, source))
    return found


def _since(told: Settings, keys: UserKeys, at: int | None, source: Path | None) -> str:
    """From when on there are lists of the user, where none is of `at` or before."""
    if at is None:
        return ""
    first = min((each.at for each in LoggedLists(told.kafka, source, keys.uid)), default=None)
    return "" if first is None else f" of then; the first is of {recorded_time(first)} UTC"


def _of_redis(told: Settings, keys: UserKeys) -> Recommendation | None:
    """The list that Redis holds, as if it had been logged without sources."""
    stored = _get(told, keys.rec)
    if stored is None:
        return None
    rec = msgspec.json.decode(stored, type=RecValue)
    return Recommendation(
        rec_id=rec.id, uid=keys.uid, seq=rec.seq, at=rec.at, written_at=0, model=rec.model,
        experiment=rec.experiment,
        items=tuple(ScoredItem(item_id=item, score=score, why=why) for item, score, why in rec.items),
    )  # fmt: skip


def _without_inputs(explained: ListExplanation) -> str:
    if explained.blend_fits:
        return "Weights are those of the settings now; they give the logged scores."
    if any(RULE in item.why for item in explained.logged.items):
        return (
            "Context rules moved scores, as the reasons say, by how much is not known."
            " From now on: headrace user log USER"
        )
    if any(item.sources for item in explained.logged.items):
        return (
            f"The scores are of {explained.logged.model}, whose features were not logged, or of other weights than"
            " those of the settings now. From now on: headrace user log USER"
        )
    return "Where items came from is not known."


def _with_catalogue(told: Settings, reason: ItemReason) -> ItemReason:
    """The same, with what the catalogue says of the item now."""
    if reason.rank is not None:
        return reason
    try:
        stored = _get(told, RedisKeys(told.redis.prefix).item(reason.item_id))
    except UserUnknown:
        return reason
    if stored is None:
        return msgspec.structs.replace(
            reason, notes=[*reason.notes, "the catalogue in Redis has no such item"]
        )
    if said := _not_to_be_shown(msgspec.json.decode(stored, type=Item), time.time_ns() // 1_000_000):
        return msgspec.structs.replace(reason, notes=[*reason.notes, f"as the catalogue has it now: {said}"])
    return reason


def _not_to_be_shown(item: Item, now: int) -> str:
    if item.deleted:
        return "deleted"
    if item.published_at is not None and item.published_at > now:
        return "not yet published"
    if item.expires_at is not None and item.expires_at <= now:
        return "expired"
    if item.markets:
        here = sorted(name for name, market in item.markets.items() if market.in_stock)
        return f"to be had only in {', '.join(here) or 'no market'}"
    return "" if item.in_stock else "out of stock"


def _get(told: Settings, key: str) -> bytes | None:
    try:
        with redis.Redis.from_url(told.redis_url()) as client:
            stored: Any = client.get(key)
    except redis.RedisError as error:
        raise UserUnknown(f"Redis at {told.redis.url} does not answer ({error}); give --redis") from None
    value: bytes | None = stored
    return value
