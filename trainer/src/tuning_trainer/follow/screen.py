"""What a log looks like on a screen: each line has a row, and what is written to a row replaces what stood there.

Progress bars rewrite their line by a carriage return, or move the cursor up; colours and other escape sequences say
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CURSOR = re.compile(r"\x1b\[(\d{0,4})([ABEFG]|(?<=2)K)|\x1b\[\?25l")
"""Up and down by lines, to the first column, the line erased; the cursor hidden, since it is about to move."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])")
_UP, _DOWN = "AF", "BE"


@dataclass(frozen=True)
class Piece:
    """What was written to a row at once.

    Attributes:
        text: without escape sequences.
        row: counted from the beginning of the log.
        restarted: it is the first one after the file was replaced or truncated.
        is_cut: it was longer than what is kept.
        moved: the cursor has been moved up or down before it.
    """

    text: str
    row: int
    restarted: bool = False
    is_cut: bool = False
    moved: bool = False


class Screen:
    """Cuts text into pieces, whatever the parts in which it comes.

    Attributes:
        row: where the next text is written.
        moves: whether the cursor has been moved up or down by anything but the end of a line.
        open_text: what was written after the last end of a line, up to now.
    """

    def __init__(self, limit: int) -> None:
        """Begin with an empty screen.

        Args:
            limit: characters of a piece that are kept.
        """
        self.row = 0
        self.moves = False
        self.open_text = ""
        self._limit = limit

    def take(self, text: str, *, last: bool = False) -> Iterator[Piece]:
        """Yield the pieces that are complete with this text.

        Args:
            text: what follows what was taken before.
            last: nothing follows, so that what has no end is complete as well.
        """
        # NUL: UTF-16 without its mark, or what a file has where it was cut while somebody wrote to it.
        text = text.replace("\0", "").replace("\ufeff", "")
        *lines, rest = (self.open_text + text).split("\n")
        for line in lines:
            yield from self._pieces(line.rstrip("\r"))
            self.row += 1
        body = rest.rstrip("\r")
        before, _, after = body.rpartition("\r")
        if before:
            yield from self._pieces(before)
        # A carriage return at the end may belong to the end of a line.
        self.open_text = after[: self._limit + 1] + rest[len(body) : len(body) + 1]
        if last:
            yield from self._pieces(self.open_text.rstrip("\r"))
            self.row += bool(self.open_text)
            self.open_text = ""

    def _pieces(self, line: str) -> Iterator[Piece]:
        for part in line.split("\r"):
            start = 0
            for match in _CURSOR.finditer(part):
                yield from self._piece(part[start : match.start()])
                start = match.end()
                self._move(match[1], match[2])
            yield from self._piece(part[start:])

    def _piece(self, part: str) -> Iterator[Piece]:
        text = _typed(_ESCAPE.sub("", part[: self._limit]))
        if text.strip():
            yield Piece(text, self.row, is_cut=len(part) > self._limit, moved=self.moves)

    def _move(self, count: str | None, how: str | None) -> None:
        if how is None or how in _UP + _DOWN:
            self.moves = True
        if how and how in _UP:
            self.row = max(0, self.row - int(count or 1))
        elif how and how in _DOWN:
            self.row += int(count or 1)


def _typed(text: str) -> str:
    """The text with each backspace taken as typed; at its end they only move the cursor back to the beginning."""
    text = text.strip("\b")
    if "\b" not in text:
        return text
    letters: list[str] = []
    for letter in text:
        if letter != "\b":
            letters.append(letter)
        elif letters:
            letters.pop()
    return "".join(letters)
