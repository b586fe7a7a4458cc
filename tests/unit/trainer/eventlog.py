"""Writes TensorBoard's event files by hand, in whole or in part, and wrong where that is wanted."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tuning_trainer.follow.records import masked_crc

if TYPE_CHECKING:
    from pathlib import Path


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def simple(tag: str, value: float) -> bytes:
    return field(1, tag.encode()) + varint(2 << 3 | 5) + struct.pack("<f", value)


def tensor(tag: str, dtype: int, content: bytes, shape: bytes = b"") -> bytes:
    return field(1, tag.encode()) + field(8, field(1, dtype) + field(2, shape) + content)


def event(step: int, *values: bytes) -> bytes:
    time = varint(1 << 3 | 1) + struct.pack("<d", 1.0)
    return time + field(2, step) + field(5, b"".join(field(1, value) for value in values))


def frame(data: bytes) -> bytes:
    header = struct.pack("<Q", len(data))
    return header + struct.pack("<I", masked_crc(header)) + data + struct.pack("<I", masked_crc(data))


def append(path: Path, *frames: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"".join(frames))
