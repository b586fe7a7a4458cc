"""`initialTrials`: what a user wants tried first comes first, once, with every strategy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import ended, job, snapshot, trial
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.completion import completion
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.job import CompletionReason
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.parent import Parent
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space
from tuning_operator.core.suggest import Source, SuggestRequest, initial_points, needs_model, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.model.job import Job

SPACE = Space(
    (
        Continuous("lr", 1e-5, 1.0, Scale.LOG),
        Integer("batch", 16, 64, step=16),
        Categorical("optimizer", ("sgd", "adam", "nag")),
    )
)
ORDERED = Space((Discrete("batch", (16, 24, 64)), Discrete.stepped("dropout", 0, 0.4, 0.2)))  # 9 points
FINITE = Space((Integer("batch", 16, 64, step=16), Categorical("optimizer", ("sgd", "adam"))))  # 8 points
TODAY: dict[str, Any] = {"lr": 0.1, "batch": 32, "optimizer": "sgd"}
PART: dict[str, Any] = {"optimizer": "nag"}


def ask(
    settings: tuple[Mapping[str, Any], ...],
    numbers: tuple[int, ...],
    space: Space = SPACE,
    strategy: Strategy = Strategy.RANDOM,
    tried: tuple[Mapping[str, Any], ...] = (),
    objective: float | None = 0.5,
) -> SuggestRequest:
    """Objectives differ, or there is nothing for a model to learn."""
    seen = tuple(Observation(point, objective and objective + place) for place, point in enumerate(tried))
    initial = initial_points(space, settings, seed=7)
    return SuggestRequest(space, Goal.MAXIMIZE, strategy, 7, numbers, seen, (), initial=initial)


def wanting(space: Space, *settings: Mapping[str, Any], **more: Any) -> Job:
    made = job(space=space, **more)
    return replace(made, spec=replace(made.spec, initial_trials=settings))


def test_settings_come_first_in_their_order_and_what_is_left_out_is_drawn() -> None:
    first, second, third = suggest(ask((TODAY, PART), (1, 2, 3)))
    assert (first.parameters, first.source, first.message) == (TODAY, Source.INITIAL, "spec.initialTrials[0]")
    assert second.parameters["optimizer"] == "nag"
    assert second.message == "spec.initialTrials[1]; lr, batch drawn at random"
    assert SPACE.parse(SPACE.render(second.parameters)) == second.parameters
    assert third.source is Source.RANDOM


def test_a_draw_depends_on_the_seed_and_the_place_in_the_list_alone() -> None:
    once, again = (suggest(ask((TODAY, PART), numbers))[-1] for numbers in ((1, 2), (2, 3)))
    assert once.parameters == again.parameters != suggest(ask((PART,), (1,)))[0].parameters
    later = suggest(ask((TODAY, PART), (2,), tried=(TODAY,)))
    assert [each.parameters for each in later] == [once.parameters], "after a restart"
    other = initial_points(SPACE, (TODAY, PART), seed=8)
    assert other[0].parameters == TODAY
    assert other[1].parameters != once.parameters


def test_a_setting_that_repeats_another_is_left_out() -> None:
    points = initial_points(FINITE, ({"batch": 16}, {"batch": 16}, {"batch": 16}, {"batch": 16, "optimizer": "sgd"}), 7)
    assert len({FINITE.key(point.parameters) for point in points}) == len(points) == 2
    assert [point.message[:21] for point in points] == ["spec.initialTrials[0]", "spec.initialTrials[1]"]
    assert len(initial_points(SPACE, (TODAY, TODAY), 7)) == 1


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.GRID, Strategy.BAYESIAN])
def test_no_point_is_tried_twice_and_none_is_left_out(strategy: Strategy) -> None:
    """A whole search of a finite space, one trial after the other, as passes would ask for it."""
    settings: tuple[Mapping[str, Any], ...] = ({"batch": 48, "optimizer": "adam"}, {"batch": 32}, {"optimizer": "sgd"})
    tried: list[Mapping[str, Any]] = []
    for number in range(1, 9):
        (found,) = suggest(ask(settings, (number,), FINITE, strategy, tuple(tried), objective=None))
        assert (found.source is Source.INITIAL) == (number <= 3)
        tried.append(found.parameters)
    assert tried[0] == settings[0]
    assert len({FINITE.key(point) for point in tried}) == 8


def test_many_at_once_are_the_same_as_one_by_one() -> None:
    settings: tuple[Mapping[str, Any], ...] = ({"batch": 48, "optimizer": "adam"}, {"batch": 32})
    at_once = suggest(ask(settings, tuple(range(1, 9)), FINITE))
    assert len({FINITE.key(each.parameters) for each in at_once}) == 8


def test_the_model_is_not_asked_while_there_are_settings_left() -> None:
    tried = tuple(dict(TODAY, lr=rate) for rate in (0.2, 0.3, 0.4, 0.5, 0.6))
    request = ask((TODAY, PART), (6, 7), strategy=Strategy.BAYESIAN, tried=tried)
    assert not needs_model(request)
    assert needs_model(replace(request, numbers=(6, 7, 8)))
    assert needs_model(replace(request, initial=()))


def test_a_pass_asks_for_them_and_after_a_restart_for_those_that_are_left() -> None:
    a_job = wanting(SPACE, TODAY, PART, parallel=1)
    decision = decide(snapshot(a_job))
    assert decision.suggest is not None
    assert suggest(decision.suggest)[0].parameters == TODAY
    done = replace(ended(1, 0.5), parameters=TODAY)
    decision = decide(snapshot(a_job, [done]))
    assert decision.suggest is not None
    assert [each.message[:21] for each in suggest(decision.suggest)] == ["spec.initialTrials[1]"]
    under_way = replace(trial(1), parameters=TODAY)
    decision = decide(snapshot(wanting(SPACE, TODAY, PART, parallel=2), [under_way]))
    assert decision.suggest is not None
    assert [each.parameters["optimizer"] for each in suggest(decision.suggest)] == ["nag"]


def test_what_a_parent_has_tried_is_not_repeated() -> None:
    a_job = wanting(SPACE, TODAY, PART, parallel=1)
    parent = Parent("base", "uid", observations=(Observation(TODAY, 0.5),), total=1)
    decision = decide(snapshot(a_job, parents=(parent,)))
    assert decision.suggest is not None
    assert [each.message[:21] for each in suggest(decision.suggest)] == ["spec.initialTrials[1]"]


def test_they_count_for_the_limit_and_for_the_space() -> None:
    a_job = wanting(FINITE, {"batch": 16, "optimizer": "sgd"}, trials=8)
    points = [FINITE.nth(index) for index in range(8)]
    trials = [replace(ended(number, 0.5), parameters=point) for number, point in enumerate(points, 1)]
    found = completion(a_job, trials, snapshot(a_job).now)
    assert found is not None
    assert found.reason is CompletionReason.SPACE_EXHAUSTED
    few = decide(snapshot(wanting(SPACE, TODAY, PART, trials=1, parallel=2)))
    assert few.suggest is not None
    assert few.suggest.numbers == (1,)


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.GRID, Strategy.BAYESIAN])
def test_ordered_numbers_and_steps_are_searched_without_repeats(strategy: Strategy) -> None:
    tried: list[Mapping[str, Any]] = []
    for number in range(1, 10):
        (found,) = suggest(ask(({"batch": 24},), (number,), ORDERED, strategy, tuple(tried), objective=None))
        tried.append(found.parameters)
    assert tried[0]["batch"] == 24
    assert {repr(point["batch"]) for point in tried} == {"16", "24", "64"}, "as whole numbers"
    assert len({ORDERED.key(point) for point in tried}) == ORDERED.size == 9
