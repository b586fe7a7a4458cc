"""Follows a tuning job until its end: a live view on a terminal, a line for each event elsewhere.

Reads nothing but the two custom resources.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from rich.live import Live

from demo.story import Story, changes, read_story
from demo.view import clock, progress_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from cluster.api import Api

GROUP = "/apis/tuning-operator.dev/v1alpha1"
POLL_SECONDS = 0.5
TIMES_PER_SECOND = 4


class Look(Protocol):
    """Reads the job as it is now; raises `OSError` when the API server does not answer."""

    def __call__(self) -> Story:
        """Look once."""


def looker(api: Api, namespace: str, name: str) -> Look:
    """A function that reads the job and its trials."""
    return lambda: read_story(*read_objects(api, namespace, name))


def read_objects(api: Api, namespace: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The job and its trials as the API server gives them; raises `OSError` when it does not answer."""
    base = f"{GROUP}/namespaces/{namespace}"
    job = api.call("GET", f"{base}/tuningjobs/{name}")
    trials = api.call("GET", f"{base}/tuningtrials?labelSelector=tuning-operator.dev/job%3D{name}")["items"]
    # Trials of an earlier job of this name may still be waiting for their deletion.
    return job, [trial for trial in trials if _owner(trial) == job["metadata"]["uid"]]


def _owner(trial: Mapping[str, Any]) -> str:
    return next((str(owner["uid"]) for owner in trial["metadata"].get("ownerReferences", ())), "")


def follow(look: Look, console: Console, seconds: float) -> Story:
    """Show the job until it has ended, or for that many seconds; returns what was seen last."""
    stories = _stories(look, seconds)
    return _draw(stories, console) if console.is_terminal else _tell(stories, console)


def _stories(look: Look, seconds: float) -> Iterator[Story]:
    """The job, again and again, until it has ended or the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            story = look()
        except OSError:
            if time.monotonic() > deadline:
                raise
        else:
            yield story
            if story.is_final or time.monotonic() > deadline:
                return
        time.sleep(POLL_SECONDS)


def _draw(stories: Iterator[Story], console: Console) -> Story:
    story = next(stories)

    def drawn() -> object:
        return progress_view(story, datetime.now(UTC), console.width, console.height)

    # The picture is drawn anew by a thread of rich's, so that clocks go on between two looks.
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
        raise TimeoutError("the job could not be read")
    return before
