"""The model's processes: loaded ahead, one thread each, replaced when they hang, die or are too slow."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.runtime.suggesting import (
    BAYESIAN,
    JOB,
    OTHER,
    answer,
    answer_and_dream,
    answer_when_loaded,
    bench,
    die,
    dream,
    fail,
    load,
)
from tuning_operator.core.suggest import Source, Suggestion, SuggestRequest, fallback
from tuning_operator.runtime import model_process, model_worker, suggestions

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_the_model_is_loaded_ahead_once_for_a_job_and_given_up_when_it_is_idle(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process holds hundreds of megabytes."""
    model(answer)
    with bench() as it:
        assert not it.started
        it.suggester.expect(JOB)
        await it.end()
        assert [process.poll() for process in it.started] == [None]
        it.suggester.expect(OTHER)
        monkeypatch.setattr(suggestions, "IDLE_SECONDS", 0.01)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]
        assert len(it.started) == 1
        async with asyncio.timeout(60):
            while it.process.runs:  # noqa: ASYNC110 - what is waited for is state of the code under test
                await asyncio.sleep(0.01)
        it.suggester.expect(JOB)
        assert not it.tasks()
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_job_that_needs_the_model_now_does_not_wait_for_a_rehearsal(
    model: Callable[[Callable[..., object]], None],
) -> None:
    model(answer)
    with bench() as it:
        it.suggester.prepare(JOB, BAYESIAN)
        it.suggester.expect(JOB)
        assert len(it.tasks()) == 1
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


async def test_a_process_that_was_started_ahead_loads_the_model_and_gets_the_first_question(
    model: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart does not wait for trials to be read before it begins to import PyTorch."""
    model(answer_when_loaded)
    monkeypatch.setattr(model_process, "load", load)
    with bench() as it:
        for job in (JOB, OTHER):
            it.suggester.start(job)
            await it.end()
        assert it.process.runs
        it.suggester.expect(JOB)
        assert not it.tasks()
        assert [item.message for item in await it.take(BAYESIAN)] == ["loaded: 1"] * 2
        assert len(it.started) == 1


async def test_a_model_that_is_loaded_takes_the_processor_after_the_loop(
    model: Callable[[Callable[..., object]], None],
) -> None:
    model(answer)
    with bench() as it:
        await it.take(BAYESIAN)
        (process,) = it.started
        wanted = min(19, os.getpriority(os.PRIO_PROCESS, 0) + model_worker.NICENESS)
        async with asyncio.timeout(60):
            while os.getpriority(os.PRIO_PROCESS, process.pid) != wanted:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)


async def test_a_model_that_cannot_be_loaded_is_tried_again(model: Callable[[Callable[..., object]], None]) -> None:
    model(die)
    with bench() as it:
        it.suggester.expect(JOB)
        await it.end()
        model(answer)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]


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
        (process,) = it.started
        process.kill()
        process.wait()
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
        it.process.end()
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
    with bench(timeout=0.5) as it:

        async def given_up() -> None:
            asked.clear()
            with monkeypatch.context() as impatient:
                impatient.setattr(model_process, "LOAD_SECONDS", 0.0)
                for _ in range(5):
                    found = await it.take(BAYESIAN)
                    assert [item.source for item in found] == [Source.FALLBACK, Source.FALLBACK]
            assert len(asked) == suggestions.OVERRUNS
            assert "2 times in a row" in found[0].message

        await given_up()
        it.later += suggestions.FIRST_RESPITE
        model(answer)
        assert [item.source for item in await it.take(BAYESIAN)] == [Source.MODEL, Source.MODEL]
        await it.end()
        it.process.end()
        model(dream)
        await given_up()  # only after as many again: what was before has been forgotten
