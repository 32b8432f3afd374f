"""Which model is to serve and which is only compared: what a control message says, and what Redis holds of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from operators.bundle_manifest import BundleRefused
from operators.bundle_reference import BundleReference
from schemas.records import Control

Slot = Literal["serve", "shadow"]
"""A model serves, or it is a shadow: it scores a share of the lists beside the serving one, and is never shown."""

SLOTS: tuple[Slot, ...] = ("serve", "shadow")

SHADOW_SHARE = 0.05
"""Of the lists a shadow scores so many where nothing else is said: spread over all lists it costs a few µs each."""

RECORD_VERSION = 1


class ModelBody(BundleReference, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of a control message of kind `model`: a bundle, and what to do with it.

    `share` (0 to 1) counts for a shadow alone. A deleted message needs the mode only.

    >>> body_of('{"folder": "/models/shop/2", "sha256": "ab", "mode": "shadow"}').share
    0.05
    """

    mode: Slot = "serve"
    share: float = SHADOW_SHARE

    @property
    def bundle(self) -> BundleReference:
        """The bundle alone."""
        return BundleReference(folder=self.folder, sha256=self.sha256)


class _Mode(msgspec.Struct):
    mode: Slot = "serve"


class ModelRecord(msgspec.Struct, tag="model", frozen=True, kw_only=True):
    """What is asked of a slot: a value of the internal key `hr:model` (JSON), and a record of the shelf's stream.

    The higher `version` holds; `name` is that of the control message. Without `bundle` the slot is empty: then
    the bundle of the settings serves, or none, and nothing is compared. `former` is what the slot held before.
    """

    v: int = RECORD_VERSION
    slot: Slot
    version: int
    name: str
    bundle: BundleReference | None = None
    share: float = SHADOW_SHARE
    former: BundleReference | None = None

    def after(self, held: ModelRecord | None) -> ModelRecord:
        """This record in the place of `held`, which it supersedes: it knows what was there.

        >>> a, b = (BundleReference(folder=f"/models/{n}", sha256=n) for n in "ab")
        >>> first = ModelRecord(slot="serve", version=1, name="shop", bundle=a)
        >>> ModelRecord(slot="serve", version=2, name="shop", bundle=b).after(first).former.folder
        '/models/a'
        """
        if held is None:
            return self
        former = held.former if held.bundle == self.bundle else held.bundle
        return msgspec.structs.replace(self, former=former)


def body_of(body: str) -> ModelBody:
    """A message's body. Raises `BundleRefused` for one that says no bundle."""
    try:
        told = msgspec.json.decode(body, type=ModelBody)
    except msgspec.DecodeError as error:
        raise BundleRefused(
            f'{error}; a model message has the body {{"folder": "/models/shop/2", "sha256": "…"}}, as '
            "`headrace model put` sends it"
        ) from error
    if not told.folder.startswith("/"):
        raise BundleRefused(f"folder {told.folder!r} is no absolute path; `headrace model put` sends one")
    if not 0 < told.share <= 1:
        raise BundleRefused(f"share {told.share} is not above 0 and at most 1")
    return told


def record_of(control: Control) -> ModelRecord:
    """What a control message asks for.

    Raises `BundleRefused` where its body does not say it, or its version is below 1.

    >>> record_of(Control(kind="model", name="shop", version=7, deleted=True)).bundle is None
    True
    """
    if control.version < 1:
        raise BundleRefused(f"version {control.version} is below 1")
    if control.deleted:
        try:
            slot = msgspec.json.decode(control.body or "{}", type=_Mode).mode
        except msgspec.DecodeError as error:
            raise BundleRefused(
                f'{error}; a deleted model has the body {{}} or {{"mode": "shadow"}}'
            ) from error
        return ModelRecord(slot=slot, version=control.version, name=control.name)
    body = body_of(control.body)
    return ModelRecord(
        slot=body.mode, version=control.version, name=control.name, bundle=body.bundle, share=body.share
    )


_decode = msgspec.json.Decoder(ModelRecord).decode
encode_record = msgspec.json.Encoder().encode
"""A record as it is stored."""


def decode_record(stored: bytes) -> ModelRecord:
    """The record of `encode_record`. Raises `BundleRefused` for one of a later release, or that is none."""
    try:
        record = _decode(stored)
    except msgspec.DecodeError as error:
        raise BundleRefused(f"a model reference in Redis is unreadable: {error}") from error
    if record.v > RECORD_VERSION:
        raise BundleRefused(
            f"a model reference in Redis has version {record.v}; this release reads {RECORD_VERSION}"
        )
    return record
