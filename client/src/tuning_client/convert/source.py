"""A document to convert, and the fate of each of its values: used, mentioned in a note, or left over.

What is left over when the conversion is done gets its own note, so that nothing is dropped silently. A value that
cannot be read costs what is made of it, and no more: `Field.or_left_out` turns the error into a note.
"""

from __future__ import annotations

import math
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

Path = tuple[str | int, ...]
NO_COUNTERPART = "has no counterpart"
_SHOWN = 80
"""Characters of a value that a message repeats."""


class ConversionError(ValueError):
    """A document that cannot be converted; the message names the field and what to do."""


class FieldError(ConversionError):
    """A value that cannot be used: which, and why."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{spelled(path)} {problem}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True)
class Note:
    """What to know about values of the document that have no counterpart or another meaning."""

    paths: tuple[Path, ...]
    message: str

    def __str__(self) -> str:
        places = dict.fromkeys(spelled(path, any_index=len(self.paths) > 1) for path in self.paths)
        return f"{', '.join(places)}: {self.message}"


@dataclass
class Source:
    """A document with its bookkeeping.

    Attributes:
        document: plain mappings, lists, texts and numbers.
        at: its place in the whole document.
    """

    document: Any
    at: Path = ()
    notes: list[Note] = field(default_factory=list)
    _accounted: set[Path] = field(default_factory=set)

    @property
    def root(self) -> Field:
        """The document as a field."""
        return Field(self, self.at, self.document)

    def account(self, path: Path) -> None:
        """Take down that everything at and below this path has been used or mentioned."""
        self._accounted.add(path)

    def note_leftovers(self) -> None:
        """Add a note for each value that has been neither used nor mentioned; whole branches get one."""
        above = {path[:length] for path in self._accounted for length in range(len(path))}
        for leftover in self._leftovers(self.root, above):
            leftover.note(NO_COUNTERPART if leftover.children() else f"{shown(leftover.value)} {NO_COUNTERPART}")

    def _leftovers(self, branch: Field, above: set[Path]) -> Iterator[Field]:
        if branch.is_empty() or branch.path in self._accounted:
            return
        if branch.path not in above:
            yield branch
        else:
            for child in branch.children():
                yield from self._leftovers(child, above)


@dataclass(frozen=True)
class Field:
    """A place in the document; one that is missing has the value None."""

    source: Source
    path: Path
    value: Any

    def __getitem__(self, name: str) -> Field:
        """The field of this name. Letter case and underscores do not count: in those the dialects differ."""
        if isinstance(self.value, dict):
            if name in self.value:
                return Field(self.source, (*self.path, name), self.value[name])
            for key, value in self.value.items():
                if _plain(key) == _plain(name):
                    return Field(self.source, (*self.path, key), value)
        return Field(self.source, (*self.path, name), None)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return str(self.path[-1])

    def children(self) -> list[Field]:
        """Return the fields of a mapping, or the items of a list."""
        if isinstance(self.value, dict):
            return [Field(self.source, (*self.path, key), value) for key, value in self.value.items()]
        if isinstance(self.value, list):
            return [Field(self.source, (*self.path, index), value) for index, value in enumerate(self.value)]
        return []

    def is_empty(self) -> bool:
        """Whether nothing is said here."""
        return self.value is None or self.value in ({}, [])

    def take(self) -> Any:
        """Return the value; everything below it counts as used."""
        self.source.account(self.path)
        return self.value

    def text(self, default: str | None = None) -> str:
        """Return the value as text, never empty; without a default it must be there."""
        if self.value is None and default is not None:
            return default
        if self.value is None or self.value == "":
            raise self.error("is missing" if self.value is None else "is empty")
        if isinstance(self.value, dict | list):
            raise self.error(f"must be a string, not {shown(self.value)}")
        return str(self.value).lower() if isinstance(self.take(), bool) else str(self.value)

    def number(self, kind: type[int | float]) -> Any:
        """Return the value as a number, even if it is written as text, as SageMaker and Katib do."""
        given = self.text()
        number = _number(given)
        if number == 0 and re.search(r"[1-9]", given.lower().partition("e")[0]):
            raise self.error(f"must be a number of at least 1e-308 in size, or 0, not {shown(self.value)}")
        if not math.isfinite(number) or (kind is int and number != int(number)):
            raise self.error(f"must be a {'whole ' if kind is int else ''}number, not {shown(self.value)}")
        return kind(number)

    def flag(self) -> bool:
        """Return the value as a switch, even if it is written as text; off by default."""
        given = self.text("false").lower()
        if given not in {"true", "false"}:
            raise self.error(f"must be true or false, not {shown(self.value)}")
        return given == "true"

    def or_left_out(self, consequence: str) -> AbstractContextManager[None, bool]:
        """Note what cannot be used in the block, and what follows from that, instead of giving up the document."""
        return _LeftOut(self, consequence)

    def note(self, message: str) -> None:
        """Mention the value and everything below it; nothing happens where nothing is said."""
        note_all([self], message)

    def mention(self, message: str) -> None:
        """Add a note that does not account for the values below, and also where nothing is said."""
        self.source.notes.append(Note((self.path,), message))

    def error(self, problem: str) -> FieldError:
        """Return an error that names this place."""
        return FieldError(self.path, problem)


@dataclass(frozen=True)
class _LeftOut(AbstractContextManager[None, bool]):
    place: Field
    consequence: str

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, FieldError):
            return False
        source = self.place.source
        source.notes.append(Note((error.path,), f"{error.problem}; {self.consequence}"))
        source.account(self.place.path)
        return True


def note_all(fields: list[Field], message: str) -> None:
    """Mention several fields in one note."""
    given = [item for item in fields if not item.is_empty()]
    if given:
        source = given[0].source
        source.notes.append(Note(tuple(item.path for item in given), message))
        for item in given:
            source.account(item.path)


def spelled(path: Path, *, any_index: bool = False) -> str:
    """Return a path as people write it, for example spec.parameters[0].name."""
    text = "".join(f"[{'*' if any_index else part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the document"


def shown(value: Any) -> str:
    """Return a value, shortened for a message."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _plain(name: object) -> str:
    return re.sub(r"_", "", str(name)).lower()


def _number(text: str) -> int | float:
    """The number that a text is, exactly if it is a whole one; NaN for any other text."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    try:
        return int(text) if math.isfinite(number) else number
    except ValueError:
        return number
