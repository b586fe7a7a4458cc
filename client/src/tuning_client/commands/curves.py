"""`curves`: the learning curves of a job, drawn in the terminal."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from tuning_client.commands.cluster import output, run, write_json
from tuning_client.errors import TuningError
from tuning_client.story import read_story
from tuning_client.terminal import draw

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from tuning_client.session import Session
    from tuning_client.story import Story, Trial

MOST_LINES = 30
"""Most lines used of a tall window."""
_STATES = {
    "running": frozenset({"Pending", "Running", "Collecting", "Stopping"}),
    "paused": frozenset({"Paused"}),
    "completed": frozenset({"Completed"}),
    "stopped": frozenset({"EarlyStopped", "Stopped"}),
    "failed": frozenset({"Failed"}),
}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], flags: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "curves",
        parents=[flags],
        help="draw the learning curves in the terminal",
        description="Draw the objective after each epoch, one line per trial; a cross marks where a trial was stopped.",
    )
    parser.add_argument("job")
    parser.add_argument("--top", type=int, metavar="K", help="only the best K of the trials that have ended")
    parser.add_argument("--state", choices=_STATES, help="only trials in this state")
    output(parser, "json")
    parser.set_defaults(run=partial(run, _curves))


def _curves(session: Session, parsed: argparse.Namespace) -> int:
    if parsed.top is not None and parsed.top < 1:
        raise TuningError(f"--top must be at least 1, not {parsed.top}")
    job = session.job(parsed.job)
    bodies = session.trials(job)
    story = read_story(job, bodies)
    shown = chosen(story, parsed.top, parsed.state)
    if parsed.output == "json":
        names = {trial.name for trial in shown}
        write_json([_plainly(body) for body in bodies if body["metadata"]["name"] in names])
        return 0
    size = shutil.get_terminal_size()
    text = draw(story, shown, size.columns, min(size.lines - 2, MOST_LINES), coloured=sys.stdout.isatty())
    sys.stdout.write(f"{text}\n")
    return 0


def chosen(story: Story, top: int | None, state: str | None) -> Sequence[Trial]:
    """Return the trials to draw."""
    trials = story.ranking()[:top] if top else story.trials
    return [trial for trial in trials if state is None or trial.phase in _STATES[state]]


def _plainly(body: Mapping[str, Any]) -> dict[str, Any]:
    status = body.get("status") or {}
    curve = status.get("curve") or {}
    return {
        "trial": body["metadata"]["name"],
        "phase": status.get("phase", "Pending"),
        "epochs": curve.get("epochs") or [],
        "values": curve.get("values") or [],
        **({"stopDecision": status["stopDecision"]} if "stopDecision" in status else {}),
    }
