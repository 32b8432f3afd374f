"""Why a message could not be used: the closed set of codes in dead letters and in counters' names.

A reader of files adds the codes of its own cleaning rules (`jobs.online_retail.RetailRule`).
"""

from __future__ import annotations

from enum import StrEnum

from schemas.errors import HeadraceError


class Reason(StrEnum):
    """One code per way in which a message fails; `DeadLetter.reason` holds the value."""

    NOT_AVRO = "not_avro"
    """Neither the marker of single-object encoding nor, where a registry is configured, Confluent's."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """A fingerprint or registry id of no schema that is known here: `headrace schema add` makes it known."""
    REFUSED_SCHEMA = "refused_schema"
    """The registry's schema does not resolve to ours."""
    REGISTRY_UNAVAILABLE = "registry_unavailable"
    """The schema registry did not answer within its time limit."""
    TRUNCATED = "truncated"
    """The message ends before the record does."""
    TRAILING_BYTES = "trailing_bytes"
    """The record ends before the message does."""
    INVALID_UTF8 = "invalid_utf8"
    """A string is not UTF-8."""
    MALFORMED = "malformed"
    """A length, union branch, number or boolean that no Avro writer produces for this schema."""
    MISSING_FIELD = "missing_field"
    """A field that this type of event cannot do without is missing or empty."""
    IMPLAUSIBLE_TIME = "implausible_time"
    """`time` lies too far in the future, or before any event could have been."""
    LATE = "late"
    """Further behind the user's own latest event than is allowed."""
    OUT_OF_RANGE = "out_of_range"
    """A number outside what its event type allows, or not finite."""
    OUTLIER = "outlier"
    """A number that is possible, and far from all others of its kind."""
    BAD_ATTRIBUTES = "bad_attributes"
    """A profile attribute that its declaration does not allow, or from a source that may not tell it."""
    NOT_A_PRODUCT = "not_a_product"
    """An item id that the configured cleaning rules know to be no product, such as postage."""
    REFUSED_BY_KAFKA = "refused_by_kafka"
    """The broker or its limits did not take it."""


class UndecodableRecord(Exception):  # noqa: N818
    """Bytes that are not a record of ours: `reason` is the code, `detail` says it for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class SchemaRefused(HeadraceError):  # noqa: N818
    """A writer's schema that does not resolve to ours; `field` is the path of the field in question."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"field {field}: {why}" if field else why)
        self.field = field
        self.why = why
