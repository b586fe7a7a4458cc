"""What the commands have in common: which cluster, how a trial is named, and how errors end."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tuning_client.errors import TuningError
from tuning_client.session import Session
from tuning_client.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[[Session, argparse.Namespace], int]

INTERRUPTED = 130
_UNBOUNDED = 10_000
"""Columns of output that is not a terminal: lines are not wrapped, so that other programs can read them."""


def flags() -> argparse.ArgumentParser:
    """Return the flags with which kubectl chooses cluster and namespace."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-n", "--namespace", help="default: the context's")
    parser.add_argument("--context", help="context of the kubeconfig; default: the current one")
    parser.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG or ~/.kube/config")
    return parser


def output(parser: argparse.ArgumentParser, *formats: str) -> None:
    """Add `-o`, for programs."""
    parser.add_argument("-o", "--output", choices=formats, help="for programs")


def run(command: Command, parsed: argparse.Namespace) -> int:
    """Run a command with a session; what goes wrong becomes a line on standard error and an exit code."""
    try:
        session = Session(parsed.namespace, context=parsed.context, kubeconfig=parsed.kubeconfig)
        return command(session, parsed)
    except TuningError as error:
        sys.stderr.write(f"error: {plain(error)}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe. Python would complain again when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def paper() -> Console:
    """Return where to print: as wide as the terminal, else as wide as it takes; coloured on a terminal alone."""
    on_terminal = sys.stdout.isatty()
    return Console(
        width=None if on_terminal else _UNBOUNDED, markup=False, highlight=False, emoji=False, soft_wrap=not on_terminal
    )


def write_json(value: Any) -> None:
    """Print a value for programs."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def job_and_trial(text: str) -> tuple[str, str | None]:
    """Split JOB or JOB/TRIAL, where a trial is its name or its number.

    Raises:
        TuningError: it is neither.
    """
    job, slash, trial = text.partition("/")
    if not job or (slash and not trial):
        raise TuningError(f"{text!r} does not name a trial: write JOB/7 or JOB/JOB-0007")
    if not slash:
        return job, None
    return job, f"{job}-{int(trial):04d}" if re.fullmatch(r"[0-9]{1,9}", trial) else trial
