from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.builders import SPACE
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Continuous, Integer, Space
from tuning_operator.core.suggest import Source, SpaceExhausted, Suggestion, SuggestRequest, fallback, suggest
from tuning_operator.runtime import suggestions
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.suggestions import Suggester

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOB = JobKey("ns", "job")
REQUEST = SuggestRequest(SPACE, Goal.MAXIMIZE, Strategy.RANDOM, 7, (1, 2), (), ())
BAYESIAN = replace(REQUEST, strategy=Strategy.BAYESIAN)


# What a worker process runs instead of the model; it has to be importable there.


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


def fail(_request: SuggestRequest) -> tuple[Suggestion, ...]:
    raise ZeroDivisionError("a mistake")


class Bench:
    """A suggester that notes for which jobs it called."""

    def __init__(self, timeout: float = 60.0) -> None:
        self.called: list[JobKey] = []
        self.suggester = Suggester(1, timeout, self.called.append)

    async def take(self, request: SuggestRequest) -> tuple[Suggestion, ...]:
        """Ask, wait for the call, and take the result, as passes over a job do."""
        assert self.suggester.take(JOB, request) is None
        await self.call()
        taken = self.suggester.take(JOB, request)
        assert taken is not None
        return taken

    async def call(self) -> None:
        """Wait until the suggester has called for the job, and forget that it has."""
        async with asyncio.timeout(60):
            while not self.called:  # noqa: ASYNC110 - what is waited for is state of the code under test
                await asyncio.sleep(0.002)
        self.called.clear()


@contextlib.contextmanager
def bench(timeout: float = 60.0) -> Iterator[Bench]:
    it = Bench(timeout)
    try:
        yield it
    finally:
        it.suggester.close()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., object]], None]:
    """Put something in the model's place."""
    return functools.partial(monkeypatch.setattr, suggestions, "suggest")


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.GRID])
async def test_what_needs_no_model_is_computed_in_a_thread(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch, strategy: Strategy
) -> None:
    request = replace(REQUEST, strategy=strategy, space=Space((Integer("n", 1, 9),)))
    threads: list[threading.Thread] = []

    def noted(asked: SuggestRequest) -> tuple[Suggestion, ...]:
        threads.append(threading.current_thread())
        return suggest(asked)

    model(noted)
    with bench() as it:
        monkeypatch.setattr(suggestions._Process, "schedule", pytest.fail)
        assert await it.take(request) == suggest(request)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_the_model_is_loaded_ahead_once_and_given_up_when_no_job_needs_it(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process holds half a gigabyte."""
    model(answer)
    monkeypatch.setattr(suggestions, "IDLE_SECONDS", 0.2)
    with bench() as it:
        assert [process.runs for process in it.suggester._processes] == [False]
        it.suggester.warm_up()
        pool = it.suggester._processes[-1]._pool
        it.suggester.warm_up()
        assert it.suggester._processes[-1]._pool is pool
        async with asyncio.timeout(60):
            while it.suggester._processes[-1].runs:  # noqa: ASYNC110 - what is waited for is state of the code under test
                await asyncio.sleep(0.01)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_result_is_taken_once() -> None:
    with bench() as it:
        await it.take(REQUEST)
        assert await it.take(REQUEST) == suggest(REQUEST)


async def test_a_result_outlives_news_but_not_its_number() -> None:
    """A trial that ends meanwhile does not send the suggester back to the start; a trial that was added does."""
    with bench() as it:
        assert it.suggester.take(JOB, REQUEST) is None
        await it.call()
        newer = replace(REQUEST, pending=({"lr": 0.5},), numbers=(1,))
        assert [item.number for item in it.suggester.take(JOB, newer) or ()] == [1]
        assert it.suggester.take(JOB, REQUEST) is None
        await it.call()
        assert it.suggester.take(JOB, replace(REQUEST, numbers=(2,))) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, space=Space((Continuous("x", 5.0, 6.0),))),
        replace(REQUEST, seed=8),
        replace(REQUEST, goal=Goal.MINIMIZE),
    ],
)
async def test_a_job_that_was_created_anew_does_not_get_the_old_ones_suggestions(other: SuggestRequest) -> None:
    with bench() as it:
        assert it.suggester.take(JOB, REQUEST) is None
        await it.call()
        assert await it.take(other) == suggest(other)


async def test_numbers_beyond_a_small_space_get_what_is_left_of_it() -> None:
    """Somebody deleted trials: their numbers are not used again, but their points may be."""
    space = Space((Integer("n", 1, 3),))
    request = SuggestRequest(space, Goal.MAXIMIZE, Strategy.RANDOM, 7, (4,), (), ({"n": 1}, {"n": 3}))
    with pytest.raises(SpaceExhausted):
        suggest(request)
    with bench() as it:
        (found,) = await it.take(request)
    assert (found.number, found.parameters, found.source) == (4, {"n": 2}, Source.FALLBACK)
    assert "deleted" in found.message


async def test_forgetting_a_job_ends_its_computation() -> None:
    with bench() as it:
        assert it.suggester.take(JOB, REQUEST) is None
        it.suggester.drop(JOB)
        it.suggester.forget(JOB)
        assert it.suggester.take(JOB, REQUEST) is None


async def test_the_model_runs_in_a_process_of_its_own_with_one_thread(
    model: Callable[[Callable[..., object]], None],
) -> None:
    model(answer)
    with bench() as it:
        first, second = await it.take(BAYESIAN)
    assert [first.number, second.number] == [1, 2]
    assert first.message.endswith("on 1")
    assert first.message != f"by {os.getpid()} on 1"


@pytest.mark.slow
@pytest.mark.parametrize(("stand_in", "timeout", "words"), [(dream, 2.0, "longer than 2 s"), (die, 60.0, "died")])
async def test_a_model_that_hangs_or_dies_is_replaced_by_chance_and_the_next_one_works(
    model: Callable[[Callable[..., object]], None],
    stand_in: Callable[..., object],
    timeout: float,  # noqa: ASYNC109 - a setting of the pool
    words: str,
) -> None:
    model(stand_in)
    with bench(timeout) as it:
        found = await it.take(BAYESIAN)
        assert [item.source for item in found] == [Source.FALLBACK, Source.FALLBACK]
        assert all(words in item.message for item in found)
        model(answer)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_pool_that_broke_is_replaced(model: Callable[[Callable[..., object]], None]) -> None:
    model(answer)
    with bench() as it:
        await it.take(BAYESIAN)
        pool = it.suggester._processes[0]._pool
        assert pool is not None
        pool.stop()
        pool.join()
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_mistake_in_the_model_is_told_and_does_not_stop_the_job(
    model: Callable[[Callable[..., object]], None], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noted(request: SuggestRequest, why: str) -> tuple[Suggestion, ...]:
        threads.append(threading.current_thread())
        return fallback(request, why)

    model(fail)
    monkeypatch.setattr(suggestions, "fallback", noted)
    with bench() as it:
        found = await it.take(BAYESIAN)
        assert [item.source for item in found] == [Source.FALLBACK, Source.FALLBACK]
        assert "ZeroDivisionError('a mistake')" in found[0].message
        assert "a mistake" in caplog.text
        assert threads[0] is not threading.main_thread()
        model(answer)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_model_that_is_always_too_slow_is_given_up_for_a_while(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job costs the others two time limits, not one for each suggestion."""
    model(dream)
    scheduled: list[SuggestRequest] = []
    schedule = suggestions._Process.schedule

    def noted(self: suggestions._Process, request: SuggestRequest, seconds: float | None = None) -> object:
        scheduled.append(request)
        return schedule(self, request, seconds)

    monkeypatch.setattr(suggestions._Process, "schedule", noted)
    with bench(timeout=0.2) as it:
        for _ in range(5):
            found = await it.take(BAYESIAN)
            assert [item.source for item in found] == [Source.FALLBACK, Source.FALLBACK]
        assert len(scheduled) == suggestions.OVERRUNS
        assert "2 times in a row" in found[0].message
        it.suggester._overruns[JOB].until = 0.0  # the respite is over
        model(answer)
        it.suggester._timeout = 60.0
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]
        assert JOB not in it.suggester._overruns
