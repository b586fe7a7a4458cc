"""What every strategy owes every request, on spaces and histories that are made to break it.

A new strategy is added to STRATEGIES and nothing else.
"""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation, RelatedTrial
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Categorical, Continuous, Integer, Scale, Space
from tuning_operator.core.suggest import Source, SpaceExhausted, SuggestRequest, suggest
from tuning_operator.core.suggest.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tuning_operator.core.space import Parameter
    from tuning_operator.core.suggest import Suggestion

# torch and its users compile scripts when they are imported, which torch has come to warn of.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")

TRIALS, ASKED = 12, 3

SPACES: dict[str, tuple[Parameter, ...]] = {
    "one value": (Continuous("x", 2, 2),),
    "two values": (Categorical("c", ("a", "b")),),
    "few values": (Integer("n", -1, 1), Categorical("c", ("a", "b")), Categorical("only", ("this",))),
    "just searched completely": (Integer("n", 1, 2048),),
    "just not searched completely": (Integer("n", 1, 2049),),
    "huge integers": (Integer("n", -(10**15), 10**15), Integer("m", 1, 10**15, Scale.LOG)),
    "the widest integers": (Integer("n", -(2**53), 2**53),),
    "steps": (Integer("n", 16, 1000, step=48), Integer("m", 0, 10, step=10)),
    "the narrowest range": (Continuous("x", 1e9, 1e9 + 2), Continuous("y", 1 - 1e-8, 1)),
    "the widest range": (Continuous("x", 1e-300, 1e300, Scale.LOG), Continuous("y", -1e300, 1e300)),
    "near one": (Continuous("x", 0, 1 - 1e-12, Scale.REVERSE_LOG), Continuous("y", 0, 0.999, Scale.REVERSE_LOG)),
    "many categories": (Categorical("c", tuple(map(str, range(200)))), Categorical("d", tuple(map(str, range(3))))),
    "only categories": tuple(Categorical(f"c{place}", ("a", "b", "c")) for place in range(9)),
    "many parameters": (
        *(Continuous(f"x{place}", 0, 1) for place in range(20)),
        *(Integer(f"n{place}", 1, 8) for place in range(6)),
        *(Categorical(f"c{place}", ("a", "b", "c", "d")) for place in range(4)),
    ),
}

MIXED = Space(
    (
        Continuous("rate", 1e-5, 1.0),
        Continuous("momentum", 0.0, 0.999, Scale.REVERSE_LOG),
        Integer("width", 1, 512),
        Categorical("kind", ("a", "b", "c")),
    )
)


def worth(space: Space, point: dict[str, Any]) -> float:
    """Judge a point by where it lies, so that the model has something to learn in every space."""
    return float(np.square(space.encode([point])[0] - 0.3).sum())


def _alternating(*values: float | None) -> Callable[[int, float], float | None]:
    return lambda place, _worth: values[place % len(values)]


HISTORIES: dict[str, Callable[[int, float], float | None]] = {
    "all equal": _alternating(0.5),
    "all failed": _alternating(None),
    "all diverged": _alternating(math.nan, math.inf, -math.inf),
    "half failed": lambda place, value: None if place % 2 else value,
    "one that did not fail": lambda place, value: None if place else value,
    "exploded": lambda place, value: 1e308 if place % 3 else value,
    "the largest numbers": lambda place, value: (-1) ** place * 1.7e308 * min(value, 1.0),
    "the smallest numbers": lambda place, value: 5e-324 * place,  # noqa: ARG005
    "hardly different": lambda place, value: 1.0 + place * 2.3e-16,  # noqa: ARG005
    "negative zero": _alternating(0.0, -0.0),
    "two values": _alternating(0.0, 1.0),
    "spans decades": lambda place, value: 10.0 ** (30 * value),  # noqa: ARG005
    "one outlier": lambda place, value: -1e12 if place == 3 else value,
}

STRATEGIES = {
    "random": (Strategy.RANDOM, {Source.RANDOM}),
    "bayesian": (Strategy.BAYESIAN, {Source.SOBOL, Source.MODEL}),
    "bayesian with related jobs": (Strategy.BAYESIAN, {Source.SOBOL, Source.MODEL}),
    "grid": (Strategy.GRID, {Source.GRID}),
}


def requests() -> Iterator[Any]:
    """Every space with an ordinary history, and every history in one space."""
    for strategy in STRATEGIES:
        for name, parameters in SPACES.items():
            space = Space(parameters)
            if strategy != "grid" or space.size is not None:
                yield pytest.param(strategy, space, lambda _, value: value, id=f"{strategy}: {name}")
        if strategy != "grid":
            for name, objective in HISTORIES.items():
                yield pytest.param(strategy, MIXED, objective, id=f"{strategy}: {name}")


def request_of(strategy: str, space: Space, objective: Callable[[int, float], float | None]) -> SuggestRequest:
    """Ask for what is left of a space after some trials, one of which has no result and one of which still runs."""
    points = list(islice(stream(space, 11), TRIALS))
    if space.size is not None:
        points = points[: max(0, space.size - ASKED)]
    seen = [Observation(point, objective(place, worth(space, point))) for place, point in enumerate(points)]
    pending = [seen.pop().parameters] if len(seen) > 5 else []
    if len(seen) > 5:
        seen[0] = replace(seen[0], objective=None, informs=False)
    left = min(ASKED, (space.size or ASKED + TRIALS) - len(points))
    relatives: tuple[tuple[RelatedTrial, ...], ...] = ()
    if strategy == "bayesian with related jobs":
        others = list(islice(stream(space, 5), TRIALS))
        relatives = (
            tuple(
                RelatedTrial(space.place(space.render(point)), objective(place, -worth(space, point)))
                for place, point in enumerate(others)
            ),
        )
    return SuggestRequest(
        space=space,
        goal=Goal.MINIMIZE,
        strategy=STRATEGIES[strategy][0],
        seed=3,
        numbers=tuple(range(len(points) + 1, len(points) + 1 + left)),
        observations=tuple(seen),
        pending=tuple(pending),
        relatives=relatives,
    )


def answer(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Ask, and see to it that asking changes nothing."""
    before = copy.deepcopy(request)
    suggestions = suggest(request)
    assert request == before or repr(request) == repr(before)  # NaN is equal to nothing
    return suggestions


@pytest.mark.parametrize(("strategy", "space", "objective"), list(requests()))
def test_a_strategy_keeps_its_promises(
    strategy: str, space: Space, objective: Callable[[int, float], float | None]
) -> None:
    request = request_of(strategy, space, objective)
    suggestions = answer(request)

    assert tuple(each.number for each in suggestions) == request.numbers
    for each in suggestions:
        assert space.parse(space.render(each.parameters)) == each.parameters
        assert each.expected_gain >= 0  # which NaN is not
        assert each.message
    keys = {space.key(each.parameters) for each in suggestions}
    assert len(keys) == len(suggestions)
    # Numbers of random points stand for places in a stream, whatever has been tried.
    if strategy != "random":
        assert not keys & request.seen()
    assert {each.source for each in suggestions} <= STRATEGIES[strategy][1]
    assert pickle.loads(pickle.dumps(suggestions)) == suggestions


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_answers_the_same_in_any_order_and_with_any_random_state(strategy: str) -> None:
    space = Space(SPACES["steps"]) if strategy == "grid" else MIXED
    request = request_of(strategy, space, lambda _, value: value)
    first = suggest(request)
    np.random.seed(7)  # noqa: NPY002 - what others leave behind
    turned = replace(
        request,
        observations=request.observations[::-1],
        pending=request.pending[::-1],
        relatives=tuple(trials[::-1] for trials in request.relatives),
    )
    assert suggest(turned) == first
    assert suggest(replace(request, goal=Goal.MAXIMIZE)) is not None


@pytest.mark.parametrize("size", [6, 2500], ids=["small", "large"])
@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "random"])
def test_a_strategy_finds_the_last_points_of_a_space_and_says_when_none_is_left(strategy: str, size: int) -> None:
    space = Space((Integer("n", 1, size // 2), Categorical("c", ("a", "b"))))
    kind, points = STRATEGIES[strategy][0], [space.nth(index) for index in range(size)]
    seen = tuple(Observation(point, worth(space, point)) for point in points)
    asked = SuggestRequest(space, Goal.MINIMIZE, kind, 3, (size - 1, size), seen[:1] + seen[3:], ())
    found = suggest(asked)
    assert {space.key(each.parameters) for each in found} == {space.key(point) for point in points[1:3]}
    assert {each.source for each in found} <= STRATEGIES[strategy][1]
    with pytest.raises(SpaceExhausted):
        suggest(replace(asked, numbers=(size + 1,), observations=seen))


def test_random_points_say_when_none_is_left() -> None:
    space = Space((Integer("n", 1, 3), Categorical("c", ("a", "b"))))
    points = [space.nth(index) for index in range(6)]
    seen = tuple(Observation(point, worth(space, point)) for point in points)
    with pytest.raises(SpaceExhausted):
        suggest(SuggestRequest(space, Goal.MINIMIZE, Strategy.RANDOM, 3, (7,), seen, ()))


@pytest.mark.parametrize("name", ["two values", "few values"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_finds_every_point_of_a_small_space(strategy: str, name: str) -> None:
    space = Space(SPACES[name])
    assert space.size is not None
    seen: list[Observation] = []
    for number in range(1, space.size + 1):
        kind = STRATEGIES[strategy][0]
        (found,) = suggest(SuggestRequest(space, Goal.MINIMIZE, kind, 3, (number,), tuple(seen), ()))
        seen.append(Observation(found.parameters, None if number == 2 else worth(space, dict(found.parameters))))
    assert len({space.key(each.parameters) for each in seen}) == space.size
