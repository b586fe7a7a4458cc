"""What is written to a file that grows, that may not be there yet, may not be readable, and may be started again."""

from __future__ import annotations

import codecs
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from tuning_trainer.follow.screen import Piece, Screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE = 1 << 20
"""Characters of a line that are kept: a progress bar may write for hours without a line's end."""
_CHUNK = 1 << 20
_CHUNKS_AT_ONCE = 64
"""What is read before others have their turn, of a training that writes faster than it is read."""
_SEEN = 1024
"""Bytes before the position that are compared: if they differ, the file was overwritten in place."""
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ROOM = b"\0" * 4
"""From this many zeros on, it is no text in any encoding: room that is not written to yet, or a hole."""


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101 - it is registered for decoding alone
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("tuning_trainer.latin_1", _as_latin_1)


class Lines:
    """Reads a file from its beginning, as often as there is more of it.

    Attributes:
        trouble: why it cannot be read at present; empty when it can.
        screen: where the cursor is, and what is on its row.
    """

    def __init__(self, path: Path) -> None:
        self.trouble = f"the file {path} never appeared: does the training write to it?"
        self.screen = Screen(MAX_LINE)
        self._path = path
        self._file: int | None = None
        self._identity: tuple[int, int] | None = None
        self._restarted = False
        self._begin()

    def new(self, *, last: bool = False) -> Iterator[Piece]:
        """Yield what was written since the last call.

        Args:
            last: nothing follows, so that a line without an end is one as well.
        """
        try:
            if self._file is None:
                yield from self._open()
            yield from self._read(last=last)
            if self._is_replaced():
                # The old file was read to its end before the one that has taken its name.
                self._close()
                yield from self._open()
                yield from self._read(last=last)
            self.trouble = ""
        except OSError as error:
            self.trouble = self._why(error)
            self._close()
        if last:
            yield from self._flush()

    def _begin(self) -> None:
        self._position, self._head, self._seen, self._is_utf16 = 0, b"", b"", False
        self._decoder: codecs.IncrementalDecoder | None = None

    def _open(self) -> Iterator[Piece]:
        # Without waiting: a pipe would block the reader until it has a writer.
        file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode):
            os.close(file)
            raise IsADirectoryError
        self._file, identity = file, (state.st_dev, state.st_ino)
        if self._identity not in (None, identity):
            yield from self._restart()
        self._identity = identity

    def _read(self, *, last: bool) -> Iterator[Piece]:
        assert self._file is not None  # noqa: S101 - it was opened
        if self._is_overwritten():
            yield from self._restart()
        for chunk in self._chunks(self._file, last=last):
            yield from self._take(self._text(chunk))

    def _chunks(self, file: int, *, last: bool) -> Iterator[bytes]:
        """Yield what follows the position, but for zeros: at the end they are room for what is still to be written.

        What precedes other bytes is a hole, as a writer leaves it whose file was cut.
        """
        offset, left = self._position, _CHUNKS_AT_ONCE
        while left and (chunk := os.pread(file, _CHUNK, offset)):
            kept = chunk.rstrip(b"\0") if chunk.endswith(_ROOM) else chunk
            if kept:
                before = self._seen if offset == self._position else b""
                self._seen = (before + kept)[-_SEEN:]
                self._position = offset = offset + len(kept)
                yield kept
            else:
                offset = _next_data(file, offset + len(chunk))
            left -= not last

    def _take(self, text: str, *, last: bool = False) -> Iterator[Piece]:
        for piece in self.screen.take(text, last=last):
            yield replace(piece, restarted=self._restarted)
            self._restarted = False

    def _restart(self) -> Iterator[Piece]:
        yield from self._flush()
        self._begin()
        self._restarted = True

    def _flush(self) -> Iterator[Piece]:
        # The second byte of a character in UTF-16 may be a zero, which is taken for room.
        rest = b"\0" if self._is_utf16 and self._position % 2 else b""
        yield from self._take(self._text(rest, last=True), last=True)

    def _text(self, chunk: bytes, *, last: bool = False) -> str:
        """Decode what follows: UTF-8, or UTF-16 where the file's first bytes say so; what is neither is Latin-1."""
        if self._decoder is None:
            self._head += chunk
            if not last and any(mark.startswith(self._head) and mark != self._head for mark in _MARKS):
                return ""
            self._is_utf16 = self._head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            name, errors = ("utf-16", "replace") if self._is_utf16 else ("utf-8", "tuning_trainer.latin_1")
            self._decoder = codecs.getincrementaldecoder(name)(errors)
            chunk, self._head = self._head, b""
        return self._decoder.decode(chunk, last)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _is_overwritten(self) -> bool:
        """Whether the file is shorter than what was read of it, or has something else in that place."""
        assert self._file is not None  # noqa: S101 - it was opened
        if os.fstat(self._file).st_size < self._position:
            return True
        return os.pread(self._file, len(self._seen), self._position - len(self._seen)) != self._seen

    def _is_replaced(self) -> bool:
        try:
            state = self._path.stat()
        except FileNotFoundError:
            return False
        return (state.st_dev, state.st_ino) != self._identity

    def _why(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return self.trouble if self._identity is None else f"the file {self._path} is gone"
        if isinstance(error, IsADirectoryError):
            return f"{self._path} is not a regular file: name the file that the training writes"
        if isinstance(error, PermissionError):
            return (
                f"the file {self._path} cannot be read{self._owner()} by the sidecar, which runs as "
                f"{os.geteuid()}:{os.getegid()}: set fsGroup in the Pod's securityContext and let the training "
                f"create it with umask 027"
            )
        return f"the file {self._path} cannot be read: {error.strerror or error}"

    def _owner(self) -> str:
        try:
            state = self._path.stat()
        except OSError:
            return ""
        return f" (mode {stat.S_IMODE(state.st_mode):04o}, owner {state.st_uid}:{state.st_gid})"


def _next_data(file: int, offset: int) -> int:
    """Where something was written from an offset on; a hole of gigabytes is not read. The end if there is nothing."""
    try:
        return os.lseek(file, offset, os.SEEK_DATA)
    except OSError:
        return os.fstat(file).st_size
