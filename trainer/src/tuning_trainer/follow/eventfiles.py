"""The event files of a folder and of those in it, as TensorBoard finds them; files come and grow while it is read."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tuning_trainer.follow.events import Scalar, scalars
from tuning_trainer.follow.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_FILES, MAX_DEPTH = 1000, 4
_MARK = "tfevents"
_VERSION = re.compile(r"version_[0-9]+")


class EventFiles:
    """Reads all event files below a folder, each from its beginning.

    Attributes:
        trouble: why nothing can be read at present; empty when it can.
    """

    def __init__(self, folder: Path) -> None:
        self.trouble = f"no event file appeared in {folder}: does the training write there?"
        self._folder = folder
        self._files: dict[Path, Records] = {}
        self._told: set[str] = set()

    def new(self) -> Iterator[Scalar]:
        """Yield what was written since the last call; a scalar of a folder below has that folder before its tag."""
        errors: list[OSError] = []
        for path in self._listed(errors):
            records = self._files.setdefault(path, Records(path))
            prefix = self._prefix(path)
            try:
                for record in records.new():
                    try:
                        yield from (scalar._replace(tag=prefix + scalar.tag) for scalar in scalars(record))
                    except ValueError as error:
                        records.problem = f"{path.name} has {error}"
            except OSError as error:
                errors.append(error)
        if errors:
            who = f"{os.geteuid()}:{os.getegid()}"
            self.trouble = (
                f"{errors[0].filename} cannot be read by the sidecar, which runs as {who}: {errors[0].strerror}"
            )
        elif self._files:
            self.trouble = ""

    def problems(self) -> Iterator[str]:
        """Yield what was wrong with a file, each once."""
        for records in self._files.values():
            if records.problem and records.problem not in self._told:
                self._told.add(records.problem)
                yield records.problem

    def _listed(self, errors: list[OSError]) -> list[Path]:
        """The files, the earliest of each folder first: their names begin with a time."""
        found: list[Path] = []
        for folder, below, names in os.walk(self._folder, onerror=self._refused(errors)):
            here = Path(folder)
            below[:] = sorted(below) if len(here.relative_to(self._folder).parts) < MAX_DEPTH else []
            found += (here / name for name in sorted(names) if _MARK in name and (here / name).is_file())
            if len(found) >= MAX_FILES:
                break
        return found[:MAX_FILES]

    def _refused(self, errors: list[OSError]) -> Callable[[OSError], None]:
        # The folder itself comes when the training writes.
        return lambda error: None if isinstance(error, FileNotFoundError) else errors.append(error)

    def _prefix(self, path: Path) -> str:
        """The folder below, without Lightning's version, which changes when a run resumes."""
        parts = path.parent.relative_to(self._folder).parts
        return "".join(f"{part}/" for part in parts if not _VERSION.fullmatch(part))
