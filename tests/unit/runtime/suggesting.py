"""A suggester on a bench, and what its worker processes run instead of the model: it is importable there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.unit.builders import SPACE
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import Source, Suggestion, SuggestRequest
from tuning_operator.runtime.model_process import ModelProcess, launch
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.suggestions import Suggester

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

JOB, OTHER = JobKey("ns", "job"), JobKey("other", "job")

REQUEST = SuggestRequest(SPACE, Goal.MAXIMIZE, Strategy.RANDOM, 7, (1, 2), (), ())

BAYESIAN = replace(
    REQUEST,
    strategy=Strategy.BAYESIAN,
    observations=tuple(Observation({"lr": number / 10}, number / 10) for number in range(5)),
)

SLOW = 0.05  # seconds between two points of `slowly`


def dream(_request: SuggestRequest) -> tuple[Suggestion, ...]:
    time.sleep(3600)
    return ()


def die(_request: SuggestRequest) -> tuple[Suggestion, ...]:
    os._exit(137)


def answer(request: SuggestRequest) -> tuple[Suggestion, ...]:
    threads = os.environ["OMP_NUM_THREADS"]
    return tuple(
        Suggestion(number, {"lr": 0.5}, Source.MODEL, f"by {os.getpid()} on {threads}") for number in request.numbers
    )


def load() -> None:
    os.environ["LOADED"] = "1"


def answer_when_loaded(request: SuggestRequest) -> tuple[Suggestion, ...]:
    return tuple(
        Suggestion(number, {"lr": 0.5}, Source.MODEL, f"loaded: {os.environ['LOADED']}") for number in request.numbers
    )


def slowly(request: SuggestRequest) -> Iterator[Suggestion]:
    for suggestion in answer(request):
        yield suggestion
        time.sleep(SLOW)


def answer_and_dream(request: SuggestRequest) -> Iterator[Suggestion]:
    yield answer(request)[0]
    time.sleep(3600)


def fail(_request: SuggestRequest) -> tuple[Suggestion, ...]:
    raise ZeroDivisionError("a mistake")


class Bench:
    """A suggester with one process, which notes for which jobs it called, and what it started.

    Attributes:
        later: By how many seconds the suggester's clock is ahead.
        started: Its process, and those that it replaced.
    """

    def __init__(self, timeout: float = 60.0) -> None:
        self.called: list[JobKey] = []
        self.started: list[subprocess.Popen[bytes]] = []
        self.later = 0.0
        self.process = ModelProcess(self._start)
        self.suggester = Suggester([self.process], timeout, self.called.append, self._clock)
        self._others = asyncio.all_tasks()

    async def take(self, request: SuggestRequest, job: JobKey = JOB) -> tuple[Suggestion, ...]:
        """Ask, and take what comes until all is there, as passes over a job do."""
        taken: list[Suggestion] = []
        async with asyncio.timeout(60):
            while len(taken) < len(request.numbers):
                rest = request.after(taken)
                taken += self.suggester.take(job, replace(rest, pending=request.pending))
                await asyncio.sleep(0.002)
        self.called.clear()
        return tuple(taken)

    async def call(self, job: JobKey = JOB) -> None:
        """Wait until the suggester has called for a job, and forget that it has."""
        async with asyncio.timeout(60):
            while job not in self.called:  # noqa: ASYNC110 - what is waited for is state of the code under test
                await asyncio.sleep(0.002)
        self.called.clear()

    async def end(self) -> None:
        """Wait until nothing is computed."""
        async with asyncio.timeout(60):
            while tasks := self.tasks():
                await asyncio.wait(tasks)

    def tasks(self) -> set[asyncio.Task[Any]]:
        """What the suggester is doing."""
        return asyncio.all_tasks() - self._others

    def _clock(self) -> float:
        return time.monotonic() + self.later

    def _start(self, descriptor: int) -> subprocess.Popen[bytes]:
        self.started.append(launch(descriptor))
        return self.started[-1]


@contextlib.contextmanager
def bench(timeout: float = 60.0) -> Iterator[Bench]:
    it = Bench(timeout)
    try:
        yield it
    finally:
        it.suggester.close()
