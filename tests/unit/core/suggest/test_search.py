"""How the most promising point is looked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space
from tuning_operator.core.suggest.history import History

if TYPE_CHECKING:
    import torch

    from tuning_operator.core.space import Parameter
    from tuning_operator.core.suggest.model import Process
    from tuning_operator.core.suggest.search import Search

# torch and its users compile scripts when they are imported, which torch has come to warn of.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")


def search_of(*parameters: Parameter, bend: float = 0.0) -> Search:
    """A search on bent scales without a model, two of whose points have been tried."""
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.search import Search  # noqa: PLC0415

    space = Space(parameters)
    rows = space.spread(np.array([[0.1] * len(parameters), [0.7] * len(parameters)]))
    history = History(rows, np.array([-1.0, 1.0]), 2, rows[:0], rows)
    model = SimpleNamespace(bends=torch.full([len(parameters)], bend, dtype=torch.float64))
    return Search(space, cast("Process", model), history, np.random.default_rng(5))


class Acquisition:
    """Prefers a small first parameter, and notes how many candidates it was asked about at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, candidates: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(candidates))
        return -candidates[:, 0, 0]


@pytest.mark.parametrize(
    ("parameter", "value", "others"),
    [
        (Integer("n", 1, 4096, Scale.LOG), 64, [62, 63, 65, 66]),
        (Integer("n", 0, 1000, step=10), 500, [480, 490, 510, 520]),
        (Integer("n", 1, 4096, Scale.LOG), 1, [2, 3]),  # not below the minimum
        (Integer("n", 1, 4), 2, [1, 3, 4]),  # each once, and not itself
        (Integer("n", 3, 3), 3, []),
        (Discrete("n", (0.1, 0.3, 1.0, 3.0)), 0.1, [0.3, 1.0, 3.0]),
    ],
)
def test_a_number_moves_by_one_and_two_values(parameter: Integer | Discrete, value: float, others: list[float]) -> None:
    (unit,) = parameter.to_unit([value])
    places = search_of(parameter)._alternatives(parameter, unit)
    assert [parameter.from_unit(place) for place in places] == others


def test_a_number_of_few_values_also_moves_farther() -> None:
    parameter = Integer("n", 1, 20)
    places = search_of(parameter)._alternatives(parameter, parameter.to_unit([3])[0])
    values = [parameter.from_unit(place) for place in places]
    assert {1, 2, 4, 5} < set(values)
    assert max(values) > 5
    assert 3 not in values


def test_steps_on_the_lattice_end_where_none_gains() -> None:
    search, acquisition = search_of(Integer("n", 0, 10), Categorical("c", ("a", "b"))), Acquisition()
    climbers = search._space.encode([{"n": 9, "c": "a"}])
    values = search._evaluate(acquisition, climbers)
    search._hop(acquisition, climbers, values)
    assert search._space.decode(climbers[0])["n"] == 0
    assert values == pytest.approx([0.0])
    asked = len(acquisition.asked)
    search._hop(acquisition, climbers, values)
    assert len(acquisition.asked) == asked + 1


@pytest.mark.parametrize("parameter", [Continuous("x", 0, 1), Integer("n", 1, 2**53, Scale.LOG)])
def test_a_space_without_a_lattice_that_its_scale_shows_has_no_steps(parameter: Parameter) -> None:
    search, acquisition, climbers = search_of(parameter), Acquisition(), np.array([[1.0]])
    search._hop(acquisition, climbers, np.array([-1.0]))
    assert acquisition.asked == []
    assert climbers.tolist() == [[1.0]]


def test_numbers_of_many_values_climb_together_and_others_stay() -> None:
    import torch  # noqa: PLC0415

    search = search_of(Continuous("x", 0, 1), Categorical("c", ("a", "b", "c")), Integer("n", 0, 10_000))

    def peak(candidates: torch.Tensor) -> torch.Tensor:
        target = torch.tensor([0.3, 1.0, 0.9], dtype=torch.float64)
        return -(candidates[:, 0] - target).square().sum(-1)

    climbers = np.array([[0.9, 2.0, 0.1], [0.2, 1.0, 0.4]])
    values = search._evaluate(peak, climbers)
    search._ascend(peak, climbers, values)
    assert climbers[:, [0, 2]] == pytest.approx(np.array([[0.3, 0.9], [0.3, 0.9]]), abs=1e-3)
    assert climbers[:, 1].tolist() == [2.0, 1.0]
    assert values == pytest.approx([-1.0, 0.0], abs=1e-4)


def test_a_scale_is_climbed_and_spread_over_as_the_model_bends_it() -> None:
    """A rate's best value is a thousandth of its range: a straight climb goes past it."""

    search = search_of(Continuous("rate", 0, 1), bend=10.0)

    def peak(candidates: torch.Tensor) -> torch.Tensor:
        return -(candidates[:, 0, 0] + 1e-6).log10().add(3).square()

    climbers = np.array([[0.5]])
    values = search._evaluate(peak, climbers)
    search._ascend(peak, climbers, values)
    assert float(np.log10(climbers[0, 0])) == pytest.approx(-3, abs=0.05)
    assert 0.2 < (search._spread(1000) < 1e-3).mean() < 0.5


def test_a_climb_that_leads_to_a_point_that_was_tried_stays_where_it_was() -> None:
    search = search_of(Continuous("x", 0, 1), Continuous("y", 0, 1))
    tried = search._space.snap(np.array([[0.0, 0.0]]))
    search._seen.add(tried[0].tobytes())
    climbers, values = np.array([[0.4, 0.5]]), np.array([-0.9])
    search._ascend(lambda candidates: -candidates[:, 0].sum(-1), climbers, values)
    assert climbers.tolist() == [[0.4, 0.5]]


def test_candidates_are_evaluated_in_bounded_numbers_at_once() -> None:
    search, acquisition = search_of(Continuous("x", 0, 1), Continuous("y", 0, 1)), Acquisition()
    rows = np.random.default_rng(0).random((1300, 2))
    values = search._evaluate(acquisition, rows)
    assert acquisition.asked == [512, 512, 276]
    assert values.tolist() == (-rows[:, 0]).tolist()
