"""`logs`: what a trial's training has written."""

from __future__ import annotations

import codecs
import sys
from functools import partial
from typing import TYPE_CHECKING

from tuning_client.commands.cluster import job_and_trial, run
from tuning_client.errors import NotFoundError, TuningError
from tuning_client.estimator import training_container

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from tuning_client.session import Session

_LAYOUT = frozenset("\n\t\r")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], flags: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("logs", parents=[flags], help="show a trial's logs")
    parser.add_argument("trial", metavar="JOB/TRIAL", help="the trial by name or number")
    parser.add_argument("-f", "--follow", action="store_true", help="follow until the training ends")
    parser.add_argument("--tail", type=int, metavar="LINES", help="only the last lines")
    parser.add_argument("--attempt", type=int, metavar="N", help="default: the current or last one")
    parser.set_defaults(run=partial(run, _logs))


def _logs(session: Session, parsed: argparse.Namespace) -> int:
    name, trial_name = job_and_trial(parsed.trial)
    if trial_name is None:
        raise TuningError(f"{parsed.trial!r} does not name a trial: write {parsed.trial}/7")
    container = training_container(session.job(name)["spec"]["template"])["name"]
    status = session.trial(trial_name).get("status") or {}
    attempt = parsed.attempt or status.get("attempt", 1)
    of_several_nodes = status.get("reporter") if attempt == status.get("attempt", 1) else None
    pod = of_several_nodes or f"{trial_name}-{attempt}"
    try:
        for text in decoded(session.log(pod, container, follow=parsed.follow, tail=parsed.tail)):
            sys.stdout.write(text if not sys.stdout.isatty() else harmless(text))
            sys.stdout.flush()
    except NotFoundError as error:
        phase = status.get("phase", "Pending")
        raise NotFoundError(
            f"{error}; {trial_name} is {phase}: the Pod of a trial that is stopped is deleted, and that of others if "
            "spec.podCleanup says so"
        ) from None
    return 0


def decoded(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the text, also where a piece ends within a character."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for piece in pieces:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def harmless(text: str) -> str:
    """Return the text without what a terminal would obey, line ends and tabs aside."""
    return "".join(
        letter if letter.isprintable() or letter in _LAYOUT else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
