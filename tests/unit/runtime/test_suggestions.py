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
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Continuous, Integer, Space
from tuning_operator.core.suggest import Source, SpaceExhausted, Suggestion, SuggestRequest, fallback, suggest
from tuning_operator.runtime import model_process, model_worker, suggestions
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.suggestions import Suggester

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOB, OTHER = JobKey("ns", "job"), JobKey("other", "job")
REQUEST = SuggestRequest(SPACE, Goal.MAXIMIZE, Strategy.RANDOM, 7, (1, 2), (), ())
BAYESIAN = replace(
    REQUEST,
    strategy=Strategy.BAYESIAN,
    observations=tuple(Observation({"lr": number / 10}, number / 10) for number in range(5)),
)
SLOW = 0.05  # seconds between two points of `slowly`


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
    """A suggester that notes for which jobs it called."""

    def __init__(self, timeout: float = 60.0) -> None:
        self.called: list[JobKey] = []
        self.suggester = Suggester(1, timeout, self.called.append)

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
            while self.suggester._tasks:  # noqa: ASYNC110 - what is waited for is state of the code under test
                await asyncio.sleep(0.002)

    def runs(self) -> bool:
        return self.suggester._processes[0].runs


@contextlib.contextmanager
def bench(timeout: float = 60.0) -> Iterator[Bench]:
    it = Bench(timeout)
    try:
        yield it
    finally:
        it.suggester.close()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., object]], None]:
    """Put something in the model's place, in processes that start from now on."""
    monkeypatch.setattr(model_process, "LOAD_SECONDS", 20.0)
    return functools.partial(monkeypatch.setattr, model_process, "suggest_each")


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.GRID, Strategy.BAYESIAN])
async def test_what_needs_no_model_is_computed_in_a_thread(monkeypatch: pytest.MonkeyPatch, strategy: Strategy) -> None:
    request = replace(REQUEST, strategy=strategy, space=Space((Integer("n", 1, 9),)))
    threads: list[threading.Thread] = []

    def noted(asked: SuggestRequest) -> tuple[Suggestion, ...]:
        threads.append(threading.current_thread())
        return suggest(asked)

    monkeypatch.setattr(suggestions, "suggest", noted)
    with bench() as it:
        assert await it.take(request) == suggest(request)
        assert not it.runs()
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_the_model_is_loaded_ahead_once_for_a_job_and_given_up_when_it_is_idle(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process holds hundreds of megabytes."""
    model(answer)
    with bench() as it:
        assert not it.runs()
        it.suggester.expect(JOB)
        await it.end()
        worker = it.suggester._processes[0]._worker
        it.suggester.expect(OTHER)
        monkeypatch.setattr(suggestions, "IDLE_SECONDS", 0.01)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]
        assert worker is not None
        async with asyncio.timeout(60):
            while it.runs():  # noqa: ASYNC110 - what is waited for is state of the code under test
                await asyncio.sleep(0.01)
        it.suggester.expect(JOB)
        assert not it.suggester._tasks
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_job_that_needs_the_model_now_does_not_wait_for_a_rehearsal(
    model: Callable[[Callable[..., object]], None],
) -> None:
    model(answer)
    with bench() as it:
        it.suggester.prepare(JOB, BAYESIAN)
        it.suggester.expect(JOB)
        assert len(it.suggester._tasks) == 1
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_model_that_is_loaded_takes_the_processor_after_the_loop(
    model: Callable[[Callable[..., object]], None],
) -> None:
    model(answer)
    with bench() as it:
        await it.take(BAYESIAN)
        worker = it.suggester._processes[0]._worker
        assert worker is not None
        wanted = min(19, os.getpriority(os.PRIO_PROCESS, 0) + model_worker.NICENESS)
        async with asyncio.timeout(60):
            while os.getpriority(os.PRIO_PROCESS, worker._process.pid) != wanted:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)


async def test_a_model_that_cannot_be_loaded_is_tried_again(model: Callable[[Callable[..., object]], None]) -> None:
    model(die)
    with bench() as it:
        it.suggester.expect(JOB)
        await it.end()
        model(answer)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_result_is_taken_once() -> None:
    with bench() as it:
        await it.take(REQUEST)
        assert await it.take(REQUEST) == suggest(REQUEST)


async def test_each_suggestion_is_there_when_it_is_computed_and_one_process_computes_them_all(
    model: Callable[[Callable[..., object]], None],
) -> None:
    model(slowly)
    request = replace(BAYESIAN, numbers=tuple(range(6, 14)))
    parts: list[tuple[Suggestion, ...]] = []
    with bench() as it:
        it.suggester.take(JOB, request)
        while sum(map(len, parts)) < 8:
            await it.call()
            done = sum(map(len, parts))
            parts.append(it.suggester.take(JOB, replace(request, numbers=request.numbers[done:])))
    assert [item.number for part in parts for item in part] == list(request.numbers)
    assert len({item.message for part in parts for item in part}) == 1
    assert len([part for part in parts if part]) > 4


async def test_a_result_outlives_news_but_not_its_number() -> None:
    """A trial that ends meanwhile does not send the suggester back to the start; a trial that was added does."""
    with bench() as it:
        assert it.suggester.take(JOB, REQUEST) == ()
        await it.end()
        newer = replace(REQUEST, pending=({"lr": 0.5},), numbers=(1,))
        assert [item.number for item in it.suggester.take(JOB, newer)] == [1]
        assert it.suggester.take(JOB, REQUEST) == ()
        await it.end()
        assert it.suggester.take(JOB, replace(REQUEST, numbers=(2,))) == ()


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
        assert it.suggester.take(JOB, REQUEST) == ()
        await it.end()
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


async def test_a_failure_is_raised_where_it_can_be_told_and_the_next_question_starts_again() -> None:
    request = replace(REQUEST, strategy=Strategy.GRID)
    with bench() as it:
        for _ in range(2):
            assert it.suggester.take(JOB, request) == ()
            await it.call()
            with pytest.raises(ValueError, match="finite number"):
                it.suggester.take(JOB, request)


async def test_what_is_dropped_ends_early_and_leaves_the_process_to_the_next(
    model: Callable[[Callable[..., object]], None],
) -> None:
    model(slowly)
    with bench() as it:
        it.suggester.take(JOB, replace(BAYESIAN, numbers=tuple(range(6, 1000))))
        await it.call()
        (first, *_) = it.suggester.take(JOB, replace(BAYESIAN, numbers=tuple(range(6, 1000))))
        it.suggester.forget(JOB)
        (second, _) = await it.take(BAYESIAN, OTHER)
        assert second.message == first.message
        await it.end()


async def test_a_long_answer_leaves_its_process_to_others_that_wait(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    model(slowly)
    monkeypatch.setattr(suggestions, "TURN_SECONDS", 0.1)
    with bench() as it:
        request = replace(BAYESIAN, numbers=tuple(range(6, 1000)))
        it.suggester.take(JOB, request)
        await it.call()
        taken = it.suggester.take(JOB, request)
        (first, _) = await it.take(BAYESIAN, OTHER)
        assert first.source is Source.MODEL
        rest = replace(request, numbers=tuple(range(6 + len(taken), 1000)))
        more = it.suggester.take(JOB, rest)
        (following,) = await it.take(replace(request, numbers=(6 + len(taken) + len(more),)))
        assert following.source is Source.MODEL


async def test_the_model_runs_in_a_process_of_its_own_with_one_thread(
    model: Callable[[Callable[..., object]], None],
) -> None:
    model(answer)
    with bench() as it:
        first, second = await it.take(BAYESIAN)
    assert [first.number, second.number] == [1, 2]
    assert first.message.endswith("on 1")
    assert first.message != f"by {os.getpid()} on 1"


@pytest.mark.parametrize(
    ("stand_in", "timeout", "words"), [(dream, 0.5, "longer than 0.5 s"), (die, 60.0, "died with exit code 137")]
)
async def test_a_model_that_hangs_or_dies_is_replaced_by_chance_and_the_next_one_works(
    model: Callable[[Callable[..., object]], None],
    monkeypatch: pytest.MonkeyPatch,
    stand_in: Callable[..., object],
    timeout: float,  # noqa: ASYNC109 - a setting of the suggester
    words: str,
) -> None:
    model(stand_in)
    with bench(timeout) as it:
        with monkeypatch.context() as impatient:
            impatient.setattr(model_process, "LOAD_SECONDS", 0.0)
            found = await it.take(BAYESIAN)
        assert [item.source for item in found] == [Source.FALLBACK, Source.FALLBACK]
        assert all(words in item.message for item in found)
        model(answer)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_what_was_computed_before_a_model_hung_stands(model: Callable[[Callable[..., object]], None]) -> None:
    model(answer_and_dream)
    with bench(timeout=0.5) as it:
        found = await it.take(BAYESIAN)
    assert [(item.number, item.source) for item in found] == [(1, Source.MODEL), (2, Source.FALLBACK)]
    assert found[0].parameters != found[1].parameters


async def test_a_process_that_is_gone_is_replaced(model: Callable[[Callable[..., object]], None]) -> None:
    model(answer)
    with bench() as it:
        await it.take(BAYESIAN)
        worker = it.suggester._processes[0]._worker
        assert worker is not None
        worker._process.kill()
        worker._process.wait()
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_process_is_replaced_after_many_answers(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    model(answer)
    monkeypatch.setattr(model_process, "MOST_ANSWERS", 2)
    with bench() as it:
        said = [(await it.take(replace(BAYESIAN, numbers=(6,))))[0].message for _ in range(4)]
    assert said[0] == said[1] != said[2] == said[3]


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
        assert "in fail" in caplog.text
        assert threads[0] is not threading.main_thread()
        it.suggester._end_processes()
        model(answer)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_model_that_is_always_too_slow_is_given_up_for_a_while(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job costs the others two time limits, not one for each suggestion."""
    model(dream)
    asked: list[SuggestRequest] = []
    ask = model_process.ModelProcess.answer

    def noted(self: model_process.ModelProcess, request: SuggestRequest, *arguments: object) -> object:
        asked.append(request)
        return ask(self, request, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(model_process.ModelProcess, "answer", noted)
    with bench(timeout=0.2) as it:
        with monkeypatch.context() as impatient:
            impatient.setattr(model_process, "LOAD_SECONDS", 0.0)
            for _ in range(5):
                found = await it.take(BAYESIAN)
                assert [item.source for item in found] == [Source.FALLBACK, Source.FALLBACK]
        assert len(asked) == suggestions.OVERRUNS
        assert "2 times in a row" in found[0].message
        it.suggester._overruns[JOB].until, it.suggester._timeout = 0.0, 60.0  # the respite is over
        model(answer)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]
        assert JOB not in it.suggester._overruns
