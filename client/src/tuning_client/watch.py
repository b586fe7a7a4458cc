"""Follows a tuning job until its end: a live view on a terminal, a line for each event elsewhere."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.live import Live

from tuning_client.errors import UnavailableError
from tuning_client.story import Story, changes, read_story
from tuning_client.view import clock, progress_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from tuning_client.session import Session

POLL_SECONDS = 1.0
TIMES_PER_SECOND = 4
PATIENCE_SECONDS = 120.0
"""For so long the API server may be away."""


def look(session: Session, name: str) -> Story:
    """Return the job and its trials as they are now."""
    job = session.job(name)
    return read_story(job, session.trials(job))


def follow(session: Session, name: str, console: Console, seconds: float = math.inf) -> Story:
    """Show the job until it has ended, or for that many seconds; returns what was seen last."""
    stories = _stories(session, name, seconds)
    return _draw(stories, console) if console.is_terminal else _tell(stories, console)


def _stories(session: Session, name: str, seconds: float) -> Iterator[Story]:
    deadline, answered = time.monotonic() + seconds, time.monotonic()
    while True:
        try:
            story = look(session, name)
        except UnavailableError:
            if time.monotonic() > min(deadline, answered + PATIENCE_SECONDS):
                raise
        else:
            answered = time.monotonic()
            yield story
            if story.is_final or answered > deadline:
                return
        time.sleep(POLL_SECONDS)


def _draw(stories: Iterator[Story], console: Console) -> Story:
    story = next(stories)

    def drawn() -> object:
        return progress_view(story, datetime.now(UTC), console.width, console.height)

    # A thread of rich draws the view, so that clocks advance between two reads.
    with Live(get_renderable=drawn, console=console, refresh_per_second=TIMES_PER_SECOND):  # type: ignore[arg-type]
        for story in stories:  # noqa: B007 - read by `drawn`
            pass
    return story


def _tell(stories: Iterator[Story], console: Console) -> Story:
    before: Story | None = None
    for story in stories:
        now = datetime.now(UTC)
        for line in changes(before, story):
            console.print(f"{clock(story.seconds(now)):>6}  {line}", soft_wrap=True, markup=False, highlight=False)
        before = story
    if before is None:
        raise UnavailableError("the job could not be read")
    return before
