"""Reports for a training that only writes a log: follows a file and finds the metrics in its lines.

Runs beside the training, as a sidecar container that shares a volume with it. A value of the objective ends an epoch:
epochs are counted by it, and metrics found since the last one belong to the same epoch. A line that is a JSON object
may say its `epoch` itself.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuning_trainer.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

POLL_SECONDS = 0.25
MAX_LINE = 1 << 20
"""Bytes of a line that are kept: a progress bar may write for hours without a line's end."""

Metrics = dict[str, float]


class Lines:
    """The lines of a file that grows, that may not be there yet, and that may be started anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._identity: int | None = None
        self._rest = b""

    def new(self, *, last: bool = False) -> Iterator[str]:
        """Yield the lines that were completed since the last call.

        Args:
            last: nothing follows, so that a line without an end is one as well.
        """
        try:
            with self._path.open("rb") as file:
                state = os.fstat(file.fileno())
                if state.st_ino != self._identity or state.st_size < self._position:
                    self._position, self._rest = 0, b""
                self._identity = state.st_ino
                file.seek(self._position)
                while piece := file.read(MAX_LINE):
                    self._position += len(piece)
                    *complete, rest = (self._rest + piece).split(b"\n")
                    self._rest = rest[:MAX_LINE]
                    yield from (_text(line) for line in complete)
        except FileNotFoundError:
            pass
        if last and self._rest:
            yield _text(self._rest)
            self._rest = b""


def from_json(line: str) -> Metrics:
    """Return the numbers of a line that is a JSON object, `epoch` among them; nothing for any other line."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: _number(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def from_regexes(definitions: Mapping[str, re.Pattern[str]]) -> Callable[[str], Metrics]:
    """Return a parser that finds the metrics whose regular expressions occur in a line; the group is the value."""

    def parse(line: str) -> Metrics:
        found: Metrics = {}
        for name, pattern in definitions.items():
            if match := pattern.search(line):
                try:
                    found[name] = float(match[1])
                except (TypeError, ValueError):
                    _say(f"{name}: {match[1]!r} is no number")
        return found

    return parse


@dataclass
class Follower:
    """Reports what is found in lines.

    Attributes:
        report: takes an epoch and its metrics.
        objective: the metric that ends an epoch.
        parse: finds metrics in a line.
        counted: epochs so far.
    """

    report: Callable[[int, Metrics], None]
    objective: str
    parse: Callable[[str], Metrics]
    counted: int = 0
    _since: Metrics = field(default_factory=dict)

    def take(self, line: str) -> None:
        """Report what a line completes. What cannot be reported is said and left out: the training goes on."""
        found = self.parse(line)
        said = found.pop("epoch", None)
        if not found:
            return
        if said is not None and said.is_integer():
            self._try(int(said), found)
            return
        self._since |= found
        if self.objective in found:
            self._try(self.counted + 1, self._since)
            self._since = {}

    def _try(self, epoch: int, metrics: Metrics) -> None:
        try:
            self.report(epoch, metrics)
        except (TypeError, ValueError) as error:
            _say(f"not reported: {error}")
        else:
            self.counted = max(self.counted, epoch)


def main(arguments: Sequence[str] | None = None) -> None:
    """Follow a file until SIGTERM, which comes when the training has ended; then read the rest and say goodbye."""
    parser = argparse.ArgumentParser(prog="python -m tuning_trainer.follow", description=__doc__)
    parser.add_argument("path", type=Path, help="the file that the training writes")
    parser.add_argument(
        "--definitions",
        type=_definitions,
        help='metrics and their regular expressions, as JSON: {"validation:accuracy": "val_acc=([0-9.]+)"};'
        " without it each line is a JSON object",
    )
    given = parser.parse_args(arguments)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    reporter = Reporter()
    parse = from_json if given.definitions is None else from_regexes(given.definitions)
    follower = Follower(reporter.report, os.environ["TUNING_OBJECTIVE_METRIC"], parse)
    lines = Lines(given.path)
    while not over.wait(POLL_SECONDS):
        for line in lines.new():
            follower.take(line)
    for line in lines.new(last=True):
        follower.take(line)
    # A Pod that is being deleted holds its node until this ends: no need to wait where nothing can be lost.
    reporter.close(wait=0 if reporter.message_is_complete else None)


def _definitions(text: str) -> dict[str, re.Pattern[str]]:
    try:
        return {name: re.compile(regex) for name, regex in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError, re.error) as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _number(value: float) -> float:
    """JSON's integers have no bound."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")


def _say(text: str) -> None:
    sys.stderr.write(text[:500] + "\n")


if __name__ == "__main__":
    main()
