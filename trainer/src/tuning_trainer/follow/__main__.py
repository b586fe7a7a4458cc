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
from tuning_trainer.follow.eventfiles import EventFiles
from tuning_trainer.follow.follower import Follower
from tuning_trainer.follow.formats import json_lines, text
from tuning_trainer.follow.lines import Lines
from tuning_trainer.follow.patterns import NUMBER, definitions_of
from tuning_trainer.follow.steps import Steps
from tuning_trainer.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_trainer.follow.formats import Format
    from tuning_trainer.follow.notes import Notes
    from tuning_trainer.follow.patterns import Definition

POLL_SECONDS = 0.25


class Log:
    """A file of lines that is followed."""

    def __init__(self, path: Path, form: Format, reporter: Reporter) -> None:
        self._lines = Lines(path)
        self._follower = Follower(reporter.place, form)
        self._read = time.monotonic()

    def read(self, *, last: bool) -> tuple[Notes, str]:
        """Report what is new; return what became of it, and why it cannot be read."""
        for piece in self._lines.new(last=last):
            self._follower.take(piece)
            self._read = time.monotonic()
        if last:
            self._follower.end()
        else:
            self._follower.settle(self._lines.screen, time.monotonic() - self._read)
        return self._follower.notes, self._lines.trouble


class Events:
    """A folder of TensorBoard's event files that is followed."""

    def __init__(self, path: Path, objective: str, tag: str, reporter: Reporter) -> None:
        self._files = EventFiles(path)
        self._steps = Steps(reporter.place, objective, tag)

    def read(self, *, last: bool) -> tuple[Notes, str]:
        """Report what is new; return what became of it, and why it cannot be read."""
        news = True
        while news:
            news = False
            for scalar in self._files.new():
                news = last  # files are read in turns: the last time until nothing is left
                self._steps.take(scalar)
        for problem in self._files.problems():
            self._steps.notes.refuse(problem, earlier=True)
        if last:
            self._steps.end()
        return self._steps.notes, self._files.trouble


class Sidecar:
    """What is followed, and the reporter that what it says goes to."""

    def __init__(self, source: Log | Events, reporter: Reporter) -> None:
        self._source = source
        self._reporter = reporter
        self._said = ""
        self._page_trouble = ""
        try:
            _ = reporter.port
        except OSError as error:
            self._page_trouble = f"{error}. What was read is only in the termination message"

    def poll(self, *, last: bool = False) -> None:
        """Read and report what is new.

        Args:
            last: the training is over.
        """
        notes, trouble = self._source.read(last=last)
        trouble = trouble or self._page_trouble
        self._reporter.note(notes.summary(trouble))
        if trouble != self._said:
            sys.stderr.write((trouble or "the file is read") + "\n")
            self._said = trouble


def main(arguments: Sequence[str] | None = None) -> None:
    """Follow a file until SIGTERM; then read the rest and say goodbye."""
    parser = argparse.ArgumentParser(prog="python -m tuning_trainer.follow", description=description)
    parser.add_argument("path", type=Path, help="the file that the training writes, or its folder of event files")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--tensorboard", metavar="TAG", help="follow event files; this tag is the objective")
    ways.add_argument(
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
    objective = os.environ["TUNING_OBJECTIVE_METRIC"]
    source: Log | Events
    if given.tensorboard is not None:
        source = Events(given.path, objective, given.tensorboard, reporter)
    else:
        form = json_lines(objective) if given.definitions is None else text(objective, given.definitions)
        source = Log(given.path, form, reporter)
    sidecar = Sidecar(source, reporter)
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
