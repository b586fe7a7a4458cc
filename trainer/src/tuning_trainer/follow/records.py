"""The records of an event file that grows: TFRecord frames, each with the checksums of its length and its bytes."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_RECORD = 1 << 20
"""Bytes of the longest record to read: a scalar takes a hundred; longer ones are images or graphs."""
MAX_AT_ONCE = 8 << 20
"""Bytes to read of one file before other files get their turn."""
_HEADER, _FOOTER = 12, 4
_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8


def _table() -> tuple[int, ...]:
    entries = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (_POLYNOMIAL if entry & 1 else 0)  # noqa: PLW2901 - it is shifted out bit by bit
        entries.append(entry)
    return tuple(entries)


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and moved, since checksums of data that has checksums are weak."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


class Records:
    """Reads one file from its beginning, as often as there is more of it.

    Attributes:
        problem: what was wrong with a record; empty if nothing was.
    """

    def __init__(self, path: Path) -> None:
        self.problem = ""
        self._path = path
        self._position = 0
        self._is_lost = False

    def new(self) -> Iterator[bytes]:
        """Yield the records that are complete; one that is being written waits for the next call.

        Raises:
            OSError: the file cannot be read.
        """
        if self._is_lost:
            return
        # Without waiting: a pipe would block the reader until it has a writer.
        with os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            end = self._position + MAX_AT_ONCE
            while self._position < end:
                file.seek(self._position)
                header = file.read(_HEADER)
                if len(header) < _HEADER or not any(header):  # zeros are room that is not written to yet
                    return
                (length, checksum) = struct.unpack("<QI", header)
                if checksum != masked_crc(header[:8]):
                    self._is_lost = True
                    self.problem = f"{self._path.name} is damaged at byte {self._position}: what follows is not read"
                    return
                after = self._position + _HEADER + length + _FOOTER
                if after > size:
                    return
                data = file.read(length + _FOOTER) if length <= MAX_RECORD else b""
                at, self._position = self._position, after
                if not data:
                    continue
                if struct.unpack("<I", data[-_FOOTER:])[0] == masked_crc(data[:-_FOOTER]):
                    yield data[:-_FOOTER]
                else:
                    self.problem = f"{self._path.name} has a record with a wrong checksum at byte {at}"
