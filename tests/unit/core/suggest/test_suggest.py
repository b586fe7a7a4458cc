"""What every suggestion must be, whatever the space and the history."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation, RelatedTrial
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space
from tuning_operator.core.suggest import Source, SpaceExhausted, SuggestRequest, fallback, streams, suggest
from tuning_operator.core.suggest.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tuning_operator.core.space import Parameter
    from tuning_operator.core.suggest import Suggestion

# torch and its users compile scripts when they are imported, which torch has come to warn of.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")

MIXED = Space(
    (
        Continuous("lr", 1e-5, 1.0),
        Continuous("momentum", 0.0, 0.999, Scale.REVERSE_LOG),
        Integer("batch", 16, 64),
        Categorical("optimizer", ("sgd", "adam", "rmsprop", "nag")),
    )
)
SMALL = Space((Integer("n", 1, 3), Categorical("c", ("a", "b"))))


def request(
    space: Space = MIXED,
    strategy: Strategy = Strategy.BAYESIAN,
    numbers: tuple[int, ...] = (1,),
    observations: Iterable[Observation] = (),
    pending: Iterable[Mapping[str, Any]] = (),
    seed: int = 3,
) -> SuggestRequest:
    return SuggestRequest(space, Goal.MINIMIZE, strategy, seed, numbers, tuple(observations), tuple(pending))


def loss(point: Mapping[str, Any]) -> float:
    return (
        (math.log10(point["lr"]) + 2) ** 2
        + 5 * (point["momentum"] - 0.9) ** 2
        + abs(point["batch"] - 32) / 32
        + (point["optimizer"] != "nag")
    )


def history(
    count: int,
    objective: Callable[[Mapping[str, Any]], float | None] = loss,
    space: Space = MIXED,
    seed: int = 11,
) -> tuple[Observation, ...]:
    return tuple(Observation(point, objective(point)) for point in islice(stream(space, seed), count))


def answers(suggestions: Sequence[Suggestion]) -> list[tuple[int, dict[str, Any], Source]]:
    return [(each.number, dict(each.parameters), each.source) for each in suggestions]


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("space", [SMALL, Space((Categorical("c", ("only",)),)), Space((Continuous("x", 2, 2),))])
def test_a_finite_space_is_exhausted_without_repeats(space: Space, strategy: Strategy) -> None:
    observations: list[Observation] = []
    assert space.size is not None
    for number in range(1, space.size + 1):
        point = suggest(request(space, strategy, (number,), observations))[0].parameters
        assert space.parse(space.render(point)) == point
        observations.append(Observation(point, float(number % 3)))
    assert len({space.key(seen.parameters) for seen in observations}) == space.size
    with pytest.raises(SpaceExhausted):
        suggest(request(space, strategy, (space.size + 1,), observations))
    with pytest.raises(SpaceExhausted):
        fallback(request(space, strategy, (space.size + 1,), observations), "why")


def test_a_grid_tries_every_combination_in_order() -> None:
    space = Space((Integer("n", 16, 70, step=16), Categorical("c", ("a", "b", "c"))))
    first = suggest(request(space, Strategy.GRID, tuple(range(1, 6))))
    assert [each.parameters["n"] for each in first] == [16, 32, 48, 64, 16]
    assert [each.parameters["c"] for each in first] == ["a", "a", "a", "a", "b"]
    assert first[4].message == "point 5 of 12 of the grid"
    assert {each.source for each in first} == {Source.GRID}


def test_a_grid_comes_back_to_the_points_of_deleted_trials() -> None:
    space = Space((Integer("n", 1, 5),))
    tried = [Observation({"n": 1}, 0.1), Observation({"n": 4}, 0.2)]
    again = suggest(request(space, Strategy.GRID, (5, 6), tried, pending=[{"n": 2}]))
    assert [each.parameters["n"] for each in again] == [3, 5]


def test_random_depends_on_seed_and_number_alone() -> None:
    plain = suggest(request(strategy=Strategy.RANDOM, numbers=(4, 5)))
    assert plain == suggest(request(strategy=Strategy.RANDOM, numbers=(4, 5), observations=history(3), pending=[{}]))
    assert plain[1] == suggest(request(strategy=Strategy.RANDOM, numbers=(5,)))[0]
    assert plain != suggest(request(strategy=Strategy.RANDOM, numbers=(4, 5), seed=4))
    assert {each.source for each in plain} == {Source.RANDOM}


def test_many_random_points_take_one_walk_along_their_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[tuple[int, ...]] = []

    def walked(space: Space, *seeds: int) -> Iterator[dict[str, Any]]:
        walks.append(seeds)
        return stream(space, *seeds)

    monkeypatch.setattr(streams, "stream", walked)
    numbers = (3, *range(500, 600))
    points = [each.parameters for each in suggest(request(strategy=Strategy.RANDOM, numbers=numbers))]
    in_order = list(islice(stream(MIXED, 3), 600))
    assert points == [in_order[number - 1] for number in numbers]
    assert walks == [(3,)]


def test_random_reaches_the_rare_end_of_a_log_scale() -> None:
    space = Space((Integer("n", 1, 3000, Scale.LOG),))
    points = {suggest(request(space, Strategy.RANDOM, (number,)))[0].parameters["n"] for number in range(1, 3001, 500)}
    assert len(points) == 6


def test_the_start_is_indexed_by_number() -> None:
    together = suggest(request(numbers=(1, 2, 3)))
    apart = [suggest(request(numbers=(number,)))[0] for number in (1, 2, 3)]
    assert list(together) == apart
    assert {each.source for each in together} == {Source.SOBOL}


def test_the_first_trial_is_in_the_middle_of_the_scales() -> None:
    space = Space(
        (
            Continuous("rate", 1e-4, 1.0, Scale.LOG),
            Continuous("momentum", 0.0, 0.99, Scale.REVERSE_LOG),
            Integer("layers", 1, 9),
            Categorical("optimizer", ("sgd", "adam")),
        )
    )
    first = [suggest(request(space, seed=seed))[0].parameters for seed in range(8)]
    for point in first:
        assert [point[name] for name in ("rate", "momentum", "layers")] == [pytest.approx(0.01), pytest.approx(0.9), 5]
    assert {point["optimizer"] for point in first} == {"sgd", "adam"}


def test_a_first_batch_may_be_larger_than_the_start() -> None:
    suggestions = suggest(request(numbers=tuple(range(1, 101))))
    assert len({MIXED.key(each.parameters) for each in suggestions}) == 100


def test_the_model_learns() -> None:
    suggestions = suggest(request(numbers=(31, 32), observations=history(30)))
    good = sorted(loss(seen.parameters) for seen in history(30))[4]
    assert {each.source for each in suggestions} == {Source.MODEL}
    assert all(loss(each.parameters) < good for each in suggestions)


def untold(count: int) -> tuple[Observation, ...]:
    """Trials, others than those of `history`, that were stopped before their first result."""
    return tuple(replace(seen, objective=None, informs=False) for seen in history(count, seed=5))


def test_the_model_knows_that_numbers_to_choose_from_are_numbers() -> None:
    """It has seen nothing near 0.3, and that 0.1 and 1 are better than what lies beyond them."""
    rates = Discrete("lr", (0.0001, 0.001, 0.01, 0.1, 0.3, 1.0, 10.0, 100.0), Scale.LOG)
    space = Space((rates, Discrete.stepped("dropout", 0.0, 0.9, 0.001), Continuous("decay", 0.0, 1.0)))
    seen = [
        {"lr": rate, "dropout": dropout, "decay": 0.5}
        for rate in (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
        for dropout in (0.1, 0.45, 0.8)
    ]
    past = [Observation(point, (math.log10(point["lr"]) + 0.5) ** 2 + (point["dropout"] - 0.45) ** 2) for point in seen]
    (found,) = suggest(SuggestRequest(space, Goal.MINIMIZE, Strategy.BAYESIAN, 3, (len(past) + 1,), tuple(past), ()))
    assert found.source is Source.MODEL
    assert found.parameters["lr"] == 0.3
    assert space.parse(space.render(found.parameters)) == found.parameters


def test_what_never_trained_is_not_suggested_again_and_teaches_nothing() -> None:
    from tuning_operator.core.suggest.history import History  # noqa: PLC0415

    question = request(numbers=(41,), observations=(*history(6), *untold(30)))
    found, plain = History.of(question), History.of(request(observations=history(6)))
    assert (found.rows.tolist(), found.objectives.tolist()) == (plain.rows.tolist(), plain.objectives.tolist())
    assert len(found.tried) == 36
    (suggestion,) = suggest(question)
    assert suggestion.message == "most promising by a model of 6 trials"
    assert MIXED.key(suggestion.parameters) not in question.seen()


def test_the_last_point_of_a_space_is_none_that_never_trained() -> None:
    observations = [Observation(SMALL.nth(index), float(index), informs=True) for index in range(5)]
    stopped = replace(observations[0], objective=None, informs=False)
    (last,) = suggest(request(SMALL, numbers=(6,), observations=[stopped, *observations[1:]]))
    assert last.parameters == SMALL.nth(5)
    with pytest.raises(SpaceExhausted):
        suggest(request(SMALL, numbers=(6,), observations=[*observations, replace(stopped, parameters=SMALL.nth(5))]))


@pytest.mark.parametrize("count", [2, 4])
def test_what_never_trained_does_not_shorten_the_start(count: int) -> None:
    (suggestion,) = suggest(request(numbers=(41,), observations=(*history(count), *untold(30))))
    assert suggestion.source is Source.SOBOL


@pytest.mark.slow
def test_the_expected_gain_falls_to_nothing_as_a_search_comes_to_its_end() -> None:
    space = Space((Continuous("x", 0.0, 1.0),))
    observations: list[Observation] = []
    gains = []
    for number in range(1, 16):
        (suggestion,) = suggest(request(space, numbers=(number,), observations=observations))
        x = float(suggestion.parameters["x"])
        observations.append(Observation(suggestion.parameters, (x - 0.3) ** 2))
        gains.append(suggestion.expected_gain)
    assert gains[:5] == [math.inf] * 5
    assert all(0 < gain < 1 for gain in gains[5:])
    assert max(gains[-3:]) < 0.01 < gains[5]


def test_the_goal_turns_the_objective_round() -> None:
    observations = history(20)
    mirrored = [replace(seen, objective=-loss(seen.parameters)) for seen in observations]
    question = request(numbers=(21,), observations=observations)
    maximize = replace(question, goal=Goal.MAXIMIZE, observations=tuple(mirrored))
    assert answers(suggest(question)) == answers(suggest(maximize))


@pytest.mark.parametrize("count", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_order_of_the_history_makes_no_difference(count: int) -> None:
    *observations, first, second = history(count + 2)
    pending = (first.parameters, second.parameters)
    question = request(numbers=(count + 3, count + 4), observations=observations, pending=pending)
    turned = replace(question, observations=question.observations[::-1], pending=pending[::-1])
    suggestions = suggest(question)
    assert suggestions == suggest(turned)
    assert {each.source for each in suggestions} == {Source.MODEL}
    assert not {MIXED.key(each.parameters) for each in suggestions} & question.seen()


@pytest.mark.slow
def test_another_process_with_two_threads_agrees() -> None:
    *observations, running = history(13)
    question = request(numbers=(14, 15), observations=observations, pending=[running.parameters])
    script = (
        "import pickle, sys, torch\n"
        "torch.set_num_threads(2)\n"
        "from tuning_operator.core.suggest import suggest\n"
        "answer = suggest(pickle.load(sys.stdin.buffer))\n"
        "assert torch.get_num_threads() == 2\n"
        "sys.stdout.buffer.write(pickle.dumps(answer))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps(question),
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    assert pickle.loads(done.stdout) == suggest(question)


def related(count: int, objective: Callable[[Mapping[str, Any]], float | None]) -> tuple[RelatedTrial, ...]:
    """What a search for another task has found in the same space."""
    return tuple(
        RelatedTrial(MIXED.place(MIXED.render(seen.parameters)), seen.objective)
        for seen in history(count, objective, seed=5)
    )


def test_a_related_job_is_told_from_this_one_by_its_switch() -> None:
    from tuning_operator.core.suggest.history import History  # noqa: PLC0415

    far = RelatedTrial((2.5, -0.5, 0.0, 3.0), 7.0)
    others = ((*related(3, loss), far), related(2, lambda point: 1000 - loss(point)))
    question = replace(request(observations=history(6), pending=[history(7)[6].parameters]), relatives=others)
    found = History.of(question)
    assert (found.own, found.rows.shape, found.pending.shape, found.tried.shape) == (6, (12, 6), (1, 4), (6, 4))
    assert found.rows[:, 4:].tolist() == [[0, 0]] * 6 + [[1, 0]] * 4 + [[0, 1]] * 2
    assert far.place in {tuple(row) for row in found.rows[:, :4].tolist()}
    for task in (slice(6), slice(6, 10), slice(10, 12)):  # each on its own scale
        assert found.objectives[task].mean() == pytest.approx(0, abs=1e-9)
        assert found.objectives[task].std() == pytest.approx(1)
    turned = History.of(replace(question, relatives=tuple(trials[::-1] for trials in others)))
    assert (turned.rows.tolist(), turned.objectives.tolist()) == (found.rows.tolist(), found.objectives.tolist())


def test_a_model_takes_related_jobs_for_what_they_are() -> None:
    """One of the two has found the same on another scale, the other the very opposite."""
    helps, misleads = related(40, lambda point: 50 + 3 * loss(point)), related(40, lambda point: -loss(point))
    few = request(numbers=(9,), observations=history(8))
    best = min(loss(seen.parameters) for seen in few.observations)
    (helped,) = suggest(replace(few, relatives=(helps,)))
    assert helped.source is Source.MODEL
    assert helped.message.startswith("most promising by a model of 8 trials and 40 of related jobs (correlation with ")
    assert loss(helped.parameters) < best
    many = request(numbers=(31, 32), observations=history(30))
    good = sorted(loss(seen.parameters) for seen in many.observations)[4]
    for relatives in ((misleads,), (helps, misleads)):
        suggestions = suggest(replace(many, relatives=relatives))
        assert all(loss(each.parameters) < good for each in suggestions)


def test_what_a_related_job_has_tried_may_be_tried_again() -> None:
    relatives = (tuple(RelatedTrial(SMALL.place(SMALL.render(SMALL.nth(index))), 1.0) for index in range(6)),)
    observations = [Observation(SMALL.nth(index), float(index)) for index in range(5)]
    (last,) = suggest(replace(request(SMALL, numbers=(6,), observations=observations), relatives=relatives))
    assert last.parameters == SMALL.nth(5)


def test_importing_the_package_imports_no_torch() -> None:
    script = "import sys, tuning_operator.core.suggest; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(
    "objective",
    [
        lambda point: None if point["optimizer"] == "sgd" else loss(point),
        lambda point: math.nan if point["lr"] > 0.1 else loss(point),
        lambda point: math.inf if point["lr"] > 0.1 else loss(point),
        lambda point: 1e300 if point["lr"] > 0.1 else loss(point),
        lambda point: 1e-300 * loss(point),
        lambda point: 10 ** (30 * loss(point) - 100),
    ],
    ids=["failed", "nan", "inf", "huge", "tiny", "wide"],
)
def test_odd_objectives_still_lead_to_a_valid_model_suggestion(
    objective: Callable[[Mapping[str, Any]], float | None],
) -> None:
    observations = history(24, objective)
    suggestion = suggest(request(numbers=(25,), observations=observations))[0]
    assert suggestion.source is Source.MODEL
    assert MIXED.parse(MIXED.render(suggestion.parameters)) == suggestion.parameters


def test_one_observation_goes_on_with_the_start() -> None:
    (suggestion,) = suggest(request(numbers=(2,), observations=history(1)))
    assert suggestion.source is Source.SOBOL
    assert MIXED.parse(MIXED.render(suggestion.parameters)) == suggestion.parameters


@pytest.mark.parametrize("objective", [None, math.nan, -math.inf])
def test_nothing_but_failures_goes_on_with_the_start(objective: float | None) -> None:
    observations = history(20, lambda _: objective)
    assert suggest(request(numbers=(21,), observations=observations))[0].source is Source.SOBOL


def test_equal_objectives_continue_the_start() -> None:
    """A model without differences would look into the corners of the space."""
    observations = history(20, lambda _: 0.5)
    assert suggest(request(numbers=(21,), observations=observations))[0].source is Source.SOBOL
    differing = (*observations[:-1], replace(observations[-1], objective=0.6))
    assert suggest(request(numbers=(21,), observations=differing))[0].source is Source.MODEL


@pytest.mark.slow
def test_wide_spaces() -> None:
    space = Space(
        (
            *(Categorical(f"c{index}", tuple(f"v{each}" for each in range(128))) for index in range(4)),
            *(Integer(f"n{index}", -(10**15), 10**15) for index in range(30)),
            *(Continuous(f"x{index}", 0, 1) for index in range(30)),
        )
    )
    observations = history(12, lambda point: point["x0"] + (point["c0"] == "v1"), space)
    suggestion = suggest(request(space, numbers=(13,), observations=observations))[0]
    assert suggestion.source is Source.MODEL
    assert space.parse(space.render(suggestion.parameters)) == suggestion.parameters


def test_a_numerical_failure_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    from linear_operator.utils.errors import NotPSDError  # noqa: PLC0415

    from tuning_operator.core.suggest import bayesian  # noqa: PLC0415

    def fail(*_args: object) -> None:
        raise NotPSDError("not positive definite")

    monkeypatch.setattr(bayesian, "fit", fail)
    question = request(numbers=(21,), observations=history(20))
    suggestion = suggest(question)[0]
    assert suggestion.source is Source.FALLBACK
    assert "NotPSDError: not positive definite" in suggestion.message
    assert MIXED.key(suggestion.parameters) not in question.seen()


def test_the_fallback_needs_no_model_and_repeats_nothing() -> None:
    observations = [Observation(SMALL.nth(index), 1.0) for index in range(4)]
    suggestions = fallback(request(SMALL, numbers=(5, 6), observations=observations), "it took too long")
    assert len({SMALL.key(each.parameters) for each in suggestions} - request(SMALL).seen()) == 2
    assert suggestions[0].message == "drawn at random because it took too long"


small_parameters = st.one_of(
    st.builds(Integer, st.just("i"), st.integers(-2, 2), st.integers(3, 5)),
    st.builds(Categorical, st.just("c"), st.sampled_from([("a",), ("a", "b"), ("a", "b", "c", "d")])),
    st.just(Continuous("x", 0.001, 1.0)),
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(small_parameters, min_size=1, max_size=3, unique_by=lambda parameter: parameter.name),
    st.lists(st.one_of(st.none(), st.floats()), min_size=20, max_size=20),
    st.integers(0, 2**31 - 1),
)
def test_suggestions_are_new_points_of_the_space(
    parameters: list[Parameter], objectives: list[float | None], seed: int
) -> None:
    space = Space(tuple(parameters))
    trials = min(20, (space.size or 1000) - 4)
    observations = history(max(trials, 0), lambda _: objectives.pop(), space)
    left = (space.size or 1000) - len(observations)
    numbers = tuple(range(len(observations) + 1, len(observations) + 1 + min(left, 3)))
    question = request(space, numbers=numbers, observations=observations, seed=seed)
    suggestions = suggest(question)
    assert [each.number for each in suggestions] == list(numbers)
    keys = {space.key(each.parameters) for each in suggestions}
    assert len(keys) == len(numbers)
    assert not keys & question.seen()
    assert all(space.parse(space.render(each.parameters)) == each.parameters for each in suggestions)
    assert all(each.source is not Source.FALLBACK for each in suggestions)
