"""`watch`: a job as it runs, until it has ended."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from tuning_client.commands.cluster import paper, run
from tuning_client.view import closing_lines, top_trials
from tuning_client.watch import follow

if TYPE_CHECKING:
    import argparse

    from tuning_client.session import Session


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], flags: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "watch",
        parents=[flags],
        help="follow a job live until its end",
        description="Follow a job and its trials until the job ends; in a pipe, print a line for each event. "
        "Exits with 1 if the job fails.",
    )
    parser.add_argument("job")
    parser.set_defaults(run=partial(run, _watch))


def _watch(session: Session, parsed: argparse.Namespace) -> int:
    screen = Console(emoji=False)
    story = follow(session, parsed.job, screen if screen.is_terminal else paper())
    console = paper()
    if story.ranking():
        console.print(top_trials(story))
    for line in closing_lines(story, datetime.now(UTC)):
        console.print(line)
    return 1 if story.phase == "Failed" else 0
