"""Writer schemas by their id in a Confluent-compatible schema registry, over HTTP, remembered."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Protocol

from schemas.reason import Reason, UndecodableRecord


class SchemaSource(Protocol):
    """Where the schema of a Confluent-framed message comes from."""

    def schema(self, schema_id: int) -> str:
        """The JSON text of that schema. Raises `UndecodableRecord` when it cannot be had."""


class FixedSchemas:
    """A schema source from a mapping of ids that is known beforehand."""

    def __init__(self, schemas: Mapping[int, str]) -> None:
        self._schemas = dict(schemas)

    def schema(self, schema_id: int) -> str:
        try:
            return self._schemas[schema_id]
        except KeyError:
            raise unknown_id(schema_id) from None


class SchemaRegistry:
    """A client of the registry at `url`, for reading.

    A registry that does not answer is asked again until `patience` seconds are over; the message then waits
    among the dead letters, as it does when the registry does not know the id. For as long again the registry
    is left alone, so that an outage does not hold every message back. `sleep` makes the pauses.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 2.0,
        patience: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"schema registry {url!r}: give a URL that begins with http:// or https://")
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._left_alone_until = float("-inf")

    def schema(self, schema_id: int) -> str:
        if self._clock() < self._left_alone_until:
            raise UndecodableRecord(Reason.REGISTRY_UNAVAILABLE, f"{self._url} did not answer a moment ago")
        deadline = self._clock() + self._patience
        pause = 0.1
        while True:
            try:
                return self._fetch(schema_id)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code == 404:
                    raise unknown_id(schema_id) from None
                problem = f"HTTP status {error.code}"
            except (OSError, ValueError, KeyError, TypeError) as error:
                problem = str(error) or type(error).__name__
            if self._clock() + pause > deadline:
                self._left_alone_until = self._clock() + self._patience
                raise UndecodableRecord(
                    Reason.REGISTRY_UNAVAILABLE, f"schema {schema_id} from {self._url}: {problem}"
                )
            self._sleep(pause)
            pause *= 2

    def _fetch(self, schema_id: int) -> str:
        request = urllib.request.Request(
            f"{self._url}/schemas/ids/{schema_id}",
            headers={"Accept": "application/vnd.schemaregistry.v1+json, application/json"},
        )
        with urllib.request.urlopen(request, timeout=self._timeout) as answer:
            schema = json.load(answer)["schema"]
        if not isinstance(schema, str):
            raise TypeError("the registry's answer holds no schema text")
        return schema


def unknown_id(schema_id: int) -> UndecodableRecord:
    return UndecodableRecord(Reason.UNKNOWN_SCHEMA, f"the registry knows no schema {schema_id}")
