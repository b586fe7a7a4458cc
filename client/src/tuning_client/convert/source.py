"""A document to convert, and what became of each of its values: used, mentioned in a note, or left over.

What is left over when the conversion is done gets a note of its own, so that nothing is dropped silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
NO_COUNTERPART = "has no counterpart"


class ConversionError(ValueError):
    """A document that cannot be converted; the message names the field and what to do."""


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
    """A document with its bookkeeping."""

    document: Any
    notes: list[Note] = field(default_factory=list)
    _accounted: set[Path] = field(default_factory=set)

    @property
    def root(self) -> Field:
        """The document as a field."""
        return Field(self, (), self.document)

    def account(self, path: Path) -> None:
        """Take down that everything at and below this path has been used or mentioned."""
        self._accounted.add(path)

    def note_leftovers(self) -> None:
        """Add a note for each value that has been neither used nor mentioned; whole branches get one."""
        for leftover in self._leftovers(self.root):
            leftover.note(NO_COUNTERPART if leftover.children() else f"{leftover.value!r} {NO_COUNTERPART}")

    def _leftovers(self, branch: Field) -> Iterator[Field]:
        if branch.is_empty() or any(branch.path[:length] in self._accounted for length in range(len(branch.path) + 1)):
            return
        below = len(branch.path)
        if not any(path[:below] == branch.path for path in self._accounted):
            yield branch
        else:
            for child in branch.children():
                yield from self._leftovers(child)


@dataclass(frozen=True)
class Field:
    """A place in the document; one that is missing has the value None."""

    source: Source
    path: Path
    value: Any

    def __getitem__(self, name: str) -> Field:
        """The field of this name. Letter case and underscores do not count: in those the dialects differ."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                if _plain(key) == _plain(name):
                    return Field(self.source, (*self.path, key), value)
        return Field(self.source, (*self.path, name), None)

    def children(self) -> list[Field]:
        """The fields of a mapping, or the items of a list."""
        if isinstance(self.value, dict):
            return [Field(self.source, (*self.path, key), value) for key, value in self.value.items()]
        if isinstance(self.value, list):
            return [Field(self.source, (*self.path, index), value) for index, value in enumerate(self.value)]
        return []

    def is_empty(self) -> bool:
        """Whether nothing is said here."""
        return self.value is None or self.value in ({}, [])

    def take(self) -> Any:
        """The value; everything below it counts as used."""
        self.source.account(self.path)
        return self.value

    def text(self, default: str | None = None) -> str:
        """The value as text; raises `ConversionError` when it is missing and there is no default."""
        if self.value is None and default is not None:
            return default
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float) or self.value == "":
            raise self.error(f"must be a text, not {self.value!r}")
        return str(self.take())

    def number(self, kind: type[int | float]) -> Any:
        """The value as a number, also where it stands as text, as SageMaker and Katib write it."""
        try:
            return kind(self.text())
        except ValueError:
            raise self.error(f"must be a {'whole ' if kind is int else ''}number, not {self.value!r}") from None

    def note(self, message: str) -> None:
        """Mention the value and everything below it; nothing happens where nothing is said."""
        note_all([self], message)

    def mention(self, message: str) -> None:
        """Add a note that does not account for the values below, and also where nothing is said."""
        self.source.notes.append(Note((self.path,), message))

    def error(self, message: str) -> ConversionError:
        """An error that names this place."""
        return ConversionError(f"{spelled(self.path)} {message}")


def note_all(fields: list[Field], message: str) -> None:
    """Mention several fields in one note."""
    given = [item for item in fields if not item.is_empty()]
    if given:
        source = given[0].source
        source.notes.append(Note(tuple(item.path for item in given), message))
        for item in given:
            source.account(item.path)


def spelled(path: Path, *, any_index: bool = False) -> str:
    """A path as people write it, for example spec.parameters[0].name."""
    text = "".join(f"[{'*' if any_index else part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the document"


def _plain(name: object) -> str:
    return re.sub(r"_", "", str(name)).lower()
