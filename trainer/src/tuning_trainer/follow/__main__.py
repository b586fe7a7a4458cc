"""The sidecar: follows a file until SIGTERM, which comes when the training has ended, and leaves what it found."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tuning_trainer.follow import __doc__ as description
from tuning_trainer.follow.follower import Follower
from tuning_trainer.follow.formats import json_lines, text
from tuning_trainer.follow.lines import Lines
from tuning_trainer.follow.patterns import NUMBER, definitions_of
from tuning_trainer.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_trainer.follow.patterns import Definition

POLL_SECONDS = 0.25


class Sidecar:
    """A file that is followed, and the reporter that what it says goes to."""

    def __init__(self, path: Path, definitions: Sequence[Definition] | None, reporter: Reporter) -> None:
        objective = os.environ["TUNING_OBJECTIVE_METRIC"]
        form = json_lines(objective) if definitions is None else text(objective, definitions)
        self._reporter = reporter
        self._lines = Lines(path)
        self._follower = Follower(reporter.place, form)
        self._read = time.monotonic()
        self._said = ""
        self._page_trouble = ""
        try:
            _ = reporter.port
        except OSError as error:
            self._page_trouble = f"{error}. What was read is in the termination message alone"

    def poll(self, *, last: bool = False) -> None:
        """Read and report what is new.

        Args:
            last: the training is over.
        """
        for piece in self._lines.new(last=last):
            self._follower.take(piece)
            self._read = time.monotonic()
        if last:
            self._follower.end()
        else:
            self._follower.settle(self._lines.screen, time.monotonic() - self._read)
        trouble = self._lines.trouble or self._page_trouble
        self._reporter.note(self._follower.notes.summary(trouble))
        if trouble != self._said:
            sys.stderr.write((trouble or "the file is read") + "\n")
            self._said = trouble


def main(arguments: Sequence[str] | None = None) -> None:
    """Follow a file until SIGTERM; then read the rest and say goodbye."""
    parser = argparse.ArgumentParser(prog="python -m tuning_trainer.follow", description=description)
    parser.add_argument("path", type=Path, help="the file that the training writes")
    parser.add_argument(
        "--definitions",
        type=_definitions,
        help="metrics and their regular expressions, as JSON, of which the first group is the value: "
        + json.dumps({"validation:accuracy": f"(?i)val_acc={NUMBER}"})
        + "; without it each line is a JSON object",
    )
    given = parser.parse_args(arguments)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    reporter = Reporter()
    sidecar = Sidecar(given.path, given.definitions, reporter)
    while not over.wait(POLL_SECONDS):
        sidecar.poll()
    sidecar.poll(last=True)
    # A Pod that is being deleted holds its node until this ends: no need to wait where nothing can be lost.
    reporter.close(wait=0 if reporter.message_is_complete else None)


def _definitions(argument: str) -> tuple[Definition, ...]:
    try:
        return definitions_of(dict(json.loads(argument)))
    except (ValueError, AttributeError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"{argument}: {error}") from error


if __name__ == "__main__":
    main()
