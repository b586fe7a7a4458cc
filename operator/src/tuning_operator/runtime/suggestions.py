"""Computes suggestions in worker processes, which can be killed, or in threads; the event loop never waits for one.

The model needs a process. Random points and grids do not, and so do not wait until one has loaded the model: after an
outage they are there at once.

One computation for each job at a time. A pass over the job starts it and continues; when it is done the job gets
another pass, which takes the result. Jobs take turns at the processes. A job whose model takes too long again and again
gets random points at once for a while, so that it costs the others no more of them.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Continuous, Space
from tuning_operator.core.suggest import Source, SpaceExhausted, SuggestRequest, fallback, suggest
from tuning_operator.runtime import metrics
from tuning_operator.runtime.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuning_operator.core.suggest import Suggestion
    from tuning_operator.runtime.queue import JobKey

logger = logging.getLogger(__name__)

MAX_TASKS = 1000
"""Suggestions after which a worker is replaced, against memory that its libraries do not give back."""
IDLE_SECONDS = 300.0
"""After this time without a job that needs the model its processes end: each holds half a gigabyte."""
OVERRUNS, FIRST_RESPITE, LONGEST_RESPITE = 2, 60.0, 3600.0
"""Computations in a row that run out of time before the model is not asked again for a while, in seconds."""


@dataclass(slots=True)
class _Computation:
    request: SuggestRequest
    task: asyncio.Task[tuple[Suggestion, ...]]


@dataclass(slots=True)
class _Overruns:
    """Computations of a job, in a row, that ran out of time, and until when the model is not asked again."""

    count: int = 0
    until: float = 0.0


class _Process:
    """A process that computes; it is started when it is first needed."""

    def __init__(self) -> None:
        self._pool: ProcessPool | None = None

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not been ended."""
        return self._pool is not None

    def schedule(self, request: SuggestRequest, seconds: float | None = None) -> ProcessFuture[tuple[Suggestion, ...]]:
        """Have a request answered; the process is killed when that takes longer, and replaced."""
        if self._pool is not None and not self._pool.active:
            logger.error("a suggestion process is gone; starting a new one")
            self._pool = None
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=1,
                max_tasks=MAX_TASKS,
                initializer=_limit_threads,
                context=multiprocessing.get_context("spawn"),
            )
        return self._pool.schedule(suggest, args=(request,), timeout=seconds)

    def end(self) -> None:
        """End the process and wait for that."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            pool.join()


class Suggester:
    """Answers requests of many jobs.

    Args:
        workers: Number of processes, at the most.
        timeout: Seconds after which a computation is killed and a random suggestion takes its place.
        ready: Called with a job whose suggestions are computed.
    """

    def __init__(self, workers: int, timeout: float, ready: Callable[[JobKey], None]) -> None:
        self._timeout = timeout
        self._ready = ready
        self._processes = [_Process() for _ in range(workers)]
        self._turns = Turns(self._processes)
        self._computations: dict[JobKey, _Computation] = {}
        self._overruns: dict[JobKey, _Overruns] = {}
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    def warm_up(self) -> None:
        """Load the model in a process, unless one runs, so that the first suggestion does not wait for it.

        Called for every pass over a job that needs the model: processes end when there is none for a while.
        """
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)
        if not any(process.runs for process in self._processes):
            self._processes[-1].schedule(_REHEARSAL)  # that is the first to be handed out

    def close(self) -> None:
        """End the processes."""
        if self._idle is not None:
            self._idle.cancel()
        for process in self._processes:
            process.end()

    def _end_idle(self) -> None:
        if self._computations:
            self.warm_up()
            return
        logger.info("no job has needed the model for %g s: its processes end", IDLE_SECONDS)
        self._ending = asyncio.get_running_loop().create_task(asyncio.to_thread(self.close))

    def prepare(self, job: JobKey, request: SuggestRequest) -> None:
        """See to it that the suggestions that are wanted will be computed."""
        known = self._computations.get(job)
        if known is None or not _is_same_question(known.request, request):
            self.drop(job)
            task = asyncio.get_running_loop().create_task(self._compute(job, request))
            self._computations[job] = _Computation(request, task)

    def take(self, job: JobKey, request: SuggestRequest) -> tuple[Suggestion, ...] | None:
        """Return the suggestions that are wanted, if they are computed; else see to it that they will be.

        A result is taken even if another trial has ended meanwhile: thrown away and computed again, it might never
        catch up with trials that end quickly.
        """
        self.prepare(job, request)
        known = self._computations[job]
        if not known.task.done():
            return None
        del self._computations[job]
        return tuple(item for item in known.task.result() if item.number in request.numbers)

    def drop(self, job: JobKey) -> None:
        """Drop what is being computed for a job."""
        known = self._computations.pop(job, None)
        if known is not None:
            known.task.cancel()

    def forget(self, job: JobKey) -> None:
        """Drop all that is known of a job: it is gone."""
        self.drop(job)
        self._overruns.pop(job, None)

    async def _compute(self, job: JobKey, request: SuggestRequest) -> tuple[Suggestion, ...]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if request.strategy is Strategy.BAYESIAN:
                suggestions = await self._modelled(job, request)
            else:
                suggestions = await asyncio.to_thread(_draw, request)
        finally:
            loop.call_soon(self._ready, job)  # also to hear of a failure
        metrics.SUGGESTION_SECONDS.labels(suggestions[0].source).observe(loop.time() - began)
        for suggestion in suggestions:
            if suggestion.source is Source.FALLBACK:
                metrics.SUGGESTION_FALLBACKS.inc()
                logger.warning("job %s/%s: suggestion fell back: %s", *job, suggestion.message)
        return suggestions

    async def _modelled(self, job: JobKey, request: SuggestRequest) -> tuple[Suggestion, ...]:
        clock = asyncio.get_running_loop().time
        overruns = self._overruns.get(job, _Overruns())
        if clock() < overruns.until:
            why = f"the model took longer than {self._timeout:g} s {overruns.count} times in a row"
            return await asyncio.to_thread(fallback, request, f"{why}; it is asked again later")
        try:
            async with self._turns.turn(job) as process:
                suggestions = await asyncio.wrap_future(process.schedule(request, self._timeout))
        except TimeoutError:
            overruns.count += 1
            if overruns.count >= OVERRUNS:
                overruns.until = clock() + min(LONGEST_RESPITE, FIRST_RESPITE * 2 ** (overruns.count - OVERRUNS))
            self._overruns[job] = overruns
            why = f"the model took longer than {self._timeout:g} s"
        except ProcessExpired as error:
            why = f"the suggestion process died: {error}"
        except Exception as error:  # whatever a worker raises arrives here; a job must not stand still for it
            logger.exception("the model failed")
            why = f"the model failed: {error!r}"
        else:
            self._overruns.pop(job, None)
            return suggestions
        return await asyncio.to_thread(fallback, request, why)


def _is_same_question(asked: SuggestRequest, request: SuggestRequest) -> bool:
    """Whether an answer is of use: the job may have been deleted and recreated."""
    return (asked.numbers[0], asked.space, asked.goal, asked.strategy, asked.seed) == (
        request.numbers[0],
        request.space,
        request.goal,
        request.strategy,
        request.seed,
    )


def _draw(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Draw at random; numbers run past the end of a finite space when somebody deletes trials."""
    try:
        return suggest(request)
    except SpaceExhausted:
        return fallback(request, "trials were deleted: their numbers are not used again")


def _limit_threads() -> None:
    """One thread for linear algebra in a worker: the trials need the cores. Has to precede the import of torch."""
    os.environ["OMP_NUM_THREADS"] = "1"


_REHEARSAL = SuggestRequest(
    space=Space((Continuous("x", 0.0, 1.0),)),
    goal=Goal.MAXIMIZE,
    strategy=Strategy.BAYESIAN,
    seed=0,
    numbers=(100,),
    observations=tuple(Observation({"x": index / 10}, index / 10) for index in range(10)),
    pending=(),
)
