"""Avro's numbers: zigzag varints and little-endian IEEE 754."""

from __future__ import annotations

import struct

from schemas.reason import Reason, UndecodableRecord

DOUBLE = struct.Struct("<d")
FLOAT = struct.Struct("<f")

_LAST = 0xFFFF_FFFF_FFFF_FFFF


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned varint at `at` (zigzag not undone), and where it ends.

    Strict: at most 64 bits, and no padding byte, which no writer produces.
    Raises `UndecodableRecord`, or IndexError where the data ends first.

    >>> read_varint(bytes([0x80, 0x01]), 0)
    (128, 2)
    """
    byte = data[at]
    at += 1
    value = byte & 0x7F
    shift = 7
    while byte > 0x7F:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise UndecodableRecord(Reason.MALFORMED, f"a number of more than 10 bytes ends at byte {at}")
    if value > _LAST or (byte == 0 and shift > 7):
        raise UndecodableRecord(Reason.MALFORMED, f"the number that ends at byte {at} is no 64-bit varint")
    return value, at


def long_bytes(value: int) -> bytes:
    """The zigzag varint of a 64-bit integer. Raises ValueError outside that range.

    >>> long_bytes(-1).hex(), long_bytes(64).hex()
    ('01', '8001')
    """
    if not -0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF:
        raise ValueError(f"{value} does not fit into 64 bits")
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append((rest & 0x7F) | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def int_bytes(value: int) -> bytes:
    """The zigzag varint of a 32-bit integer. Raises ValueError outside that range."""
    if not -0x8000_0000 <= value <= 0x7FFF_FFFF:
        raise ValueError(f"{value} does not fit into 32 bits")
    return long_bytes(value)
