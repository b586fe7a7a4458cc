"""Computes suggestions in worker processes, which can be killed, or in threads; the event loop never waits for one.

The model needs a process. Random points and grids do not, and so do not wait until one has loaded the model: after an
outage they are there at once.

One computation for each job at a time. A pass over the job starts it and goes on; when it is done the job gets
another pass, which takes the result.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pebble import ProcessExpired, ProcessPool

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Continuous, Space
from tuning_operator.core.suggest import Source, SpaceExhausted, SuggestRequest, fallback, suggest
from tuning_operator.runtime import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuning_operator.core.suggest import Suggestion
    from tuning_operator.runtime.queue import JobKey

logger = logging.getLogger(__name__)

MAX_TASKS = 1000
"""Suggestions after which a worker is replaced, against memory that its libraries do not give back."""


@dataclass(slots=True)
class _Computation:
    request: SuggestRequest
    task: asyncio.Task[tuple[Suggestion, ...]]


class Suggester:
    """The pool of suggestion processes.

    Args:
        workers: Number of processes.
        timeout: Seconds after which a computation is killed and a random suggestion takes its place.
        ready: Called with a job whose suggestions are computed.
    """

    def __init__(self, workers: int, timeout: float, ready: Callable[[JobKey], None]) -> None:
        self._timeout = timeout
        self._ready = ready
        self._workers = workers
        self._pool = self._new_pool()
        self._computations: dict[JobKey, _Computation] = {}
        self._warm = False

    def warm_up(self) -> None:
        """Load the model in a process now, unless that was done, so that the first suggestion does not wait for it."""
        if not self._warm:
            self._warm = True
            self._pool.schedule(suggest, args=(_REHEARSAL,))

    def close(self) -> None:
        """End the processes."""
        self._pool.stop()
        self._pool.join()

    def take(self, job: JobKey, request: SuggestRequest) -> tuple[Suggestion, ...] | None:
        """Return the suggestions that are wanted, if they are computed; else see to it that they will be.

        A result is taken even if another trial has ended meanwhile: thrown away and computed again, it might never
        catch up with trials that end quickly.
        """
        known = self._computations.get(job)
        if known is None or not _is_same_question(known.request, request):
            self.forget(job)
            task = asyncio.get_running_loop().create_task(self._compute(job, request))
            self._computations[job] = _Computation(request, task)
            return None
        if not known.task.done():
            return None
        del self._computations[job]
        return tuple(item for item in known.task.result() if item.number in request.numbers)

    def forget(self, job: JobKey) -> None:
        """Drop what is being computed for a job."""
        known = self._computations.pop(job, None)
        if known is not None:
            known.task.cancel()

    async def _compute(self, job: JobKey, request: SuggestRequest) -> tuple[Suggestion, ...]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if request.strategy is Strategy.BAYESIAN:
                suggestions = await self._in_pool(request)
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

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._workers,
            max_tasks=MAX_TASKS,
            initializer=_limit_threads,
            context=multiprocessing.get_context("spawn"),
        )

    async def _in_pool(self, request: SuggestRequest) -> tuple[Suggestion, ...]:
        if not self._pool.active:
            logger.error("the suggestion processes are gone; starting new ones")
            self._pool = self._new_pool()
        future = self._pool.schedule(suggest, args=(request,), timeout=self._timeout)
        try:
            return await asyncio.wrap_future(future)
        except TimeoutError:
            why = f"the model took longer than {self._timeout:g} s"
        except ProcessExpired as error:
            why = f"the suggestion process died: {error}"
        except Exception as error:  # whatever a worker raises arrives here; a job must not stand still for it
            logger.exception("the model failed")
            why = f"the model failed: {error!r}"
        return await asyncio.to_thread(fallback, request, why)


def _is_same_question(asked: SuggestRequest, request: SuggestRequest) -> bool:
    """Whether an answer is of use: the job may have been deleted and created anew under its name."""
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
