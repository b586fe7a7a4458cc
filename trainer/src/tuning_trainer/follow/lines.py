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
        self._position, self._head, self._seen = 0, b"", b""
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
        os.lseek(file, self._position, os.SEEK_SET)

    def _read(self, *, last: bool) -> Iterator[Piece]:
        assert self._file is not None  # noqa: S101 - it was opened
        if self._is_overwritten():
            yield from self._restart()
            os.lseek(self._file, 0, os.SEEK_SET)
        left = _CHUNKS_AT_ONCE
        while left and (chunk := os.read(self._file, _CHUNK)):
            self._position += len(chunk)
            self._seen = (self._seen + chunk)[-_SEEN:]
            yield from self._take(self._text(chunk))
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
        yield from self._take(self._text(b"", last=True), last=True)

    def _text(self, chunk: bytes, *, last: bool = False) -> str:
        """Decode what follows: UTF-8, or UTF-16 where the file's first bytes say so."""
        if self._decoder is None:
            self._head += chunk
            if not last and any(mark.startswith(self._head) and mark != self._head for mark in _MARKS):
                return ""
            is_utf16 = self._head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            self._decoder = codecs.getincrementaldecoder("utf-16" if is_utf16 else "utf-8")(errors="replace")
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
