"""What a process runs that computes suggestions: `main`.

The first message on the connection is the function that answers; each further one is a request, or None for the wish
that the answer under way stops. Instead of the first request there may be a function that loads what answers need. What
goes back are suggestions, each when it is computed, then the end of the answer.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tuning_operator.core.suggest import Suggestion, SuggestRequest

    Answer = Callable[[SuggestRequest], Iterable[Suggestion]]
    Load = Callable[[], None]

NICENESS = 10
"""The operator's loop, which serves all jobs, takes the processor before a model that one job waits for."""
_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True, slots=True)
class End:
    """The last message of an answer.

    Attributes:
        error: What ended it, if that was a failure.
        trace: Where that happened.
    """

    error: str = ""
    trace: str = ""


def serve(connection: Connection) -> None:
    """Answer until the other side is gone."""
    try:
        answer: Answer = connection.recv()
        _answer_next(connection, answer)
        os.nice(NICENESS)  # after the model is loaded: a job waits for all of that after a restart
        while True:
            _answer_next(connection, answer)
    except _GONE:
        return


def _answer_next(connection: Connection, answer: Answer) -> None:
    request: SuggestRequest | Load | None = connection.recv()
    if callable(request):
        request()
    elif request is not None:  # that wish came when the answer was over
        connection.send(_answered(connection, answer, request))


def _answered(connection: Connection, answer: Answer, request: SuggestRequest) -> End:
    try:
        for suggestion in answer(request):
            connection.send(suggestion)
            if connection.poll():
                connection.recv()
                break
    except _GONE:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator has to hear of it
        return End(repr(error), traceback.format_exc())
    return End()


def main() -> None:
    """Serve the connection whose file descriptor is the first argument."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for linear algebra: the trials need the cores. Has to precede torch
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the operator ends this process
    serve(Connection(int(sys.argv[1])))
