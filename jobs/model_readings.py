"""Which models the running job is asked to use, and which its workers do use, as Redis tells."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import redis

from jobs.settings import ModelSection, Settings
from operators.model_reference import ModelRecord, Slot
from schemas.errors import HeadraceError
from schemas.redis_keys import RedisKeys
from schemas.worker_models import WorkerModels
from udfs.models_told import models_told
from udfs.reference_side import stored_references

logger = logging.getLogger(__name__)


class RedisUnreachable(HeadraceError):  # noqa: N818 (an answer, told as one line)
    """Redis cannot be asked."""


class ModelReadings(msgspec.Struct, frozen=True):
    """The record of each slot that was ever filled, and what each living worker uses."""

    records: Mapping[Slot, ModelRecord]
    workers: Mapping[str, WorkerModels]


def read_models(client: Any, names: RedisKeys, now: int) -> ModelReadings:
    """What Redis holds; `now` is the wall clock in ms."""
    records = {record.slot: record for record in stored_references(client, names)}
    return ModelReadings(records, models_told(client, names, now))


def ask_redis(settings: Settings, now: int) -> ModelReadings:
    """The readings of the settings' Redis. Raises `RedisUnreachable`."""
    try:
        with redis.Redis.from_url(settings.redis_url(), socket_timeout=5.0) as client:
            return read_models(client, RedisKeys(settings.redis.prefix), now)
    except redis.RedisError as error:
        raise RedisUnreachable(
            f"Redis at {settings.redis.url} does not answer ({error}); give --redis"
        ) from None


def with_model_in_force(settings: Settings, now: int) -> Settings:
    """The settings, with the bundle that the running job was told to serve with instead of that of `model.bundle`.

    Where Redis is away the settings hold, and a warning says so.
    """
    try:
        record = ask_redis(settings, now).records.get("serve")
    except RedisUnreachable as why:
        logger.warning("%s: the model in force is taken from the settings", why)
        return settings
    if record is None or record.bundle is None:
        return settings
    return settings.model_copy(update={"model": ModelSection(bundle=Path(record.bundle.folder))})
