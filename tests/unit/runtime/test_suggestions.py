from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.runtime.suggesting import (
    BAYESIAN,
    JOB,
    OTHER,
    REQUEST,
    bench,
    slowly,
)
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Continuous, Integer, Space
from tuning_operator.core.suggest import (
    Source,
    SpaceExhausted,
    Suggestion,
    SuggestRequest,
    suggest,
    suggest_without_model,
)
from tuning_operator.runtime import suggestions

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.GRID, Strategy.BAYESIAN])
async def test_what_needs_no_model_is_computed_in_a_thread(monkeypatch: pytest.MonkeyPatch, strategy: Strategy) -> None:
    request = replace(REQUEST, strategy=strategy, space=Space((Integer("n", 1, 9),)))
    threads: list[threading.Thread] = []

    def noted(asked: SuggestRequest) -> tuple[Suggestion, ...]:
        threads.append(threading.current_thread())
        return suggest_without_model(asked)

    monkeypatch.setattr(suggestions, "suggest_without_model", noted)
    with bench() as it:
        assert await it.take(request) == suggest(request)
        assert not it.started
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


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
