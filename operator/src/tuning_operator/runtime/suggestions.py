"""Computes suggestions in worker processes, which can be killed, or in threads; the event loop never waits for one.

The model needs a process. What needs no model (random points, grids, the start of the Bayesian strategy) does not, and
so is there at once even while no process has loaded the model.

Each job has one computation at a time. A pass over the job starts it and continues; each suggestion triggers another
pass, which takes it. Jobs take turns at the processes. A job whose model repeatedly takes too long gets random points
for a while, so that it costs the others nothing more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Continuous, Space
from tuning_operator.core.suggest import Source, SuggestRequest, fallback, needs_model, suggest_without_model
from tuning_operator.runtime import metrics
from tuning_operator.runtime.model_process import ModelError
from tuning_operator.runtime.turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence

    from tuning_operator.core.suggest import Suggestion
    from tuning_operator.runtime.model_process import ModelProcess
    from tuning_operator.runtime.queue import JobKey

logger = logging.getLogger(__name__)

IDLE_SECONDS = 300.0
"""Time without a suggestion of the model after which its processes end: each holds hundreds of megabytes."""
TURN_SECONDS = 5.0
"""Time after which a job that has got a suggestion leaves its process to others that wait."""
OVERRUNS, FIRST_RESPITE, LONGEST_RESPITE = 2, 60.0, 3600.0
"""Timed-out computations in a row after which the model is not asked, and for how many seconds."""


@dataclass(slots=True, eq=False)
class _Computation:
    """What is being computed for a job.

    Attributes:
        task: The task that computes.
        found: Suggestions that have not been taken.
        taken: How many have been taken.
        abandoned: Whether nobody waits for it any more.
    """

    request: SuggestRequest
    task: asyncio.Task[None] = field(init=False)
    found: list[Suggestion] = field(default_factory=list)
    taken: int = 0
    abandoned: bool = False

    def take(self) -> list[Suggestion]:
        """Return what has been found since the last call."""
        found, self.found = self.found, []
        self.taken += len(found)
        return found

    def answers(self, request: SuggestRequest) -> bool:
        """Whether it answers a question: the job may have been deleted and recreated."""
        asked = self.request
        return (asked.numbers[0] + self.taken, asked.space, asked.goal, asked.strategy, asked.seed) == (
            request.numbers[0],
            request.space,
            request.goal,
            request.strategy,
            request.seed,
        )


@dataclass(slots=True)
class _Overruns:
    """Computations of a job, in a row, that ran out of time, and until when the model is not asked again."""

    count: int = 0
    until: float = 0.0


class Suggester:
    """Answers the requests of many jobs.

    Args:
        processes: What runs the model.
        timeout: Seconds after which a random suggestion replaces one that is not ready.
        ready: Called with a job when there is something for it to take.
        clock: Seconds, as those of the event loop.
    """

    def __init__(
        self,
        processes: Sequence[ModelProcess],
        timeout: float,
        ready: Callable[[JobKey], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout = timeout
        self._ready = ready
        self._clock = clock
        self._processes = processes
        self._turns = Turns(processes)
        self._computations: dict[JobKey, _Computation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._overruns: dict[JobKey, _Overruns] = {}
        self._expected: set[JobKey] = set()
        self._busy = 0
        self._idle: asyncio.TimerHandle | None = None

    def start(self, job: JobKey) -> None:
        """Start a process, if none runs, for a job that may need the model as soon as a pass has read its trials."""
        if not any(process.runs for process in self._processes):
            self._spawn(self._start(job))

    def expect(self, job: JobKey) -> None:
        """Load the model in a process, so that a job that is new here does not wait for that.

        That is left out if a process runs, or is about to, since the job needs it now.
        """
        if job not in self._expected:
            self._expected.add(job)
            known = self._computations.get(job)
            starts = known is not None and needs_model(known.request)
            if not starts and not any(process.runs for process in self._processes):
                self._spawn(self._load(job))

    def close(self) -> None:
        """End all computations and processes."""
        if self._idle is not None:
            self._idle.cancel()
        for task in self._tasks:
            task.cancel()
        self._end_processes()

    def prepare(self, job: JobKey, request: SuggestRequest) -> None:
        """Start to compute the requested suggestions."""
        known = self._computations.get(job)
        if known is None or not known.answers(request):
            self.drop(job)
            self._computations[job] = computation = _Computation(request)
            computation.task = self._spawn(self._compute(job, computation))

    def take(self, job: JobKey, request: SuggestRequest) -> tuple[Suggestion, ...]:
        """Return the requested suggestions that are ready, and keep computing the rest.

        They count even if another trial has ended meanwhile: discarded and computed again, they might never catch up
        with trials that end quickly.
        """
        known = self._computations.get(job)
        if known is not None and known.answers(request):
            taken = known.take()
            if known.task.done():
                del self._computations[job]
                known.task.result()
            if taken:
                return tuple(item for item in taken if item.number in request.numbers)
        self.prepare(job, request)
        return ()

    def drop(self, job: JobKey) -> None:
        """Drop what is being computed for a job."""
        known = self._computations.pop(job, None)
        if known is not None:
            known.abandoned = True

    def forget(self, job: JobKey) -> None:
        """Drop everything known of a job that is gone."""
        self.drop(job)
        self._overruns.pop(job, None)
        self._expected.discard(job)

    async def _compute(self, job: JobKey, computation: _Computation) -> None:
        clock, request = self._clock, computation.request
        began = clock()
        try:
            if needs_model(request):
                async with aclosing(self._modelled(job, computation)) as suggestions:
                    async for suggestion in suggestions:
                        self._note(job, computation, suggestion, clock() - began)
                        began = clock()
            else:
                for suggestion in await asyncio.to_thread(suggest_without_model, request):
                    self._note(job, computation, suggestion, clock() - began)
                    began = clock()
        finally:
            self._ready(job)  # also to notice a failure

    def _note(self, job: JobKey, computation: _Computation, suggestion: Suggestion, seconds: float) -> None:
        computation.found.append(suggestion)
        metrics.SUGGESTION_SECONDS.labels(suggestion.source).observe(seconds)
        if suggestion.source is Source.FALLBACK:
            metrics.SUGGESTION_FALLBACKS.inc()
            logger.warning("job %s/%s: suggestion fell back: %s", *job, suggestion.message)
        self._ready(job)

    async def _modelled(self, job: JobKey, computation: _Computation) -> AsyncGenerator[Suggestion, None]:
        """Yield suggestions of the model, and random ones once it has failed."""
        clock, request = self._clock, computation.request
        found: list[Suggestion] = []
        overruns = self._overruns.get(job, _Overruns())
        if clock() < overruns.until:
            why = f"the model took longer than {self._timeout:g} s {overruns.count} times in a row"
            for suggestion in await asyncio.to_thread(fallback, request, f"{why}; it is asked again later"):
                yield suggestion
            return
        try:
            async with self._process(job) as process:
                until = clock() + TURN_SECONDS

                def go_on() -> bool:
                    return not computation.abandoned and (clock() < until or not self._turns.others_wait(job))

                async with aclosing(process.answer(request, self._timeout, go_on)) as answer:
                    async for suggestion in answer:
                        found.append(suggestion)
                        yield suggestion
        except TimeoutError:
            overruns.count += 1
            if overruns.count >= OVERRUNS:
                overruns.until = clock() + min(LONGEST_RESPITE, FIRST_RESPITE * 2 ** (overruns.count - OVERRUNS))
            self._overruns[job] = overruns
            why = f"the model took longer than {self._timeout:g} s"
        except ModelError as error:
            logger.exception("job %s/%s: no suggestion of the model", *job)
            why = f"{error}"
        else:
            self._overruns.pop(job, None)
            return
        for suggestion in await asyncio.to_thread(fallback, request.after(found), why):
            yield suggestion

    @asynccontextmanager
    async def _process(self, job: JobKey) -> AsyncIterator[ModelProcess]:
        """Wait for a process and hold it; afterwards it is kept for a while."""
        async with self._turns.turn(job) as process:
            self._busy += 1
            try:
                yield process
            finally:
                self._busy -= 1
                if self._idle is not None:
                    self._idle.cancel()
                self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)

    async def _start(self, job: JobKey) -> None:
        async with self._process(job) as process:
            process.start()

    async def _load(self, job: JobKey) -> None:
        """Answer a practice question."""
        try:
            async with self._process(job) as process, aclosing(process.answer(_REHEARSAL, self._timeout)) as answer:
                async for _ in answer:
                    pass
        except (ModelError, TimeoutError):
            logger.exception("the model could not be loaded")

    def _end_idle(self) -> None:
        if not self._busy:
            logger.info("the model has not been needed for %g s: its processes end", IDLE_SECONDS)
            self._end_processes()

    def _end_processes(self) -> None:
        for process in self._processes:
            process.end()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


_REHEARSAL = SuggestRequest(
    space=Space((Continuous("x", 0.0, 1.0),)),
    goal=Goal.MAXIMIZE,
    strategy=Strategy.BAYESIAN,
    seed=0,
    numbers=(100,),
    observations=tuple(Observation({"x": index / 10}, index / 10) for index in range(10)),
    pending=(),
)
