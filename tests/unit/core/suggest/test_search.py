"""How the most promising point is looked for: which points lie beside each other, and how they are climbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from tuning_operator.core.space import Parameter
    from tuning_operator.core.suggest.climb import Climbers
    from tuning_operator.core.suggest.terrain import Terrain

# torch and its users compile scripts when they are imported, which torch has come to warn of.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")


def terrain_of(*parameters: Parameter, bend: float = 0.0) -> Terrain:
    """Bent scales on which nothing has been tried."""
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.terrain import Terrain  # noqa: PLC0415

    bends = torch.full([len(parameters)], bend, dtype=torch.float64)
    return Terrain(Space(parameters), bends, 0, set(), np.random.default_rng(5))


def climbers_on(
    terrain: Terrain, acquisition: Callable[[torch.Tensor], torch.Tensor], rows: list[list[float]]
) -> Climbers:
    from tuning_operator.core.suggest.climb import Climbers  # noqa: PLC0415

    starts = np.array(rows)
    return Climbers(terrain, acquisition, starts, terrain.evaluate(acquisition, starts))


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
    places = terrain_of(parameter).alternatives(parameter, unit)
    assert [parameter.from_unit(place) for place in places] == others


def test_a_number_of_few_values_also_moves_farther() -> None:
    parameter = Integer("n", 1, 20)
    places = terrain_of(parameter).alternatives(parameter, parameter.to_unit([3])[0])
    values = [parameter.from_unit(place) for place in places]
    assert {1, 2, 4, 5} < set(values)
    assert max(values) > 5
    assert 3 not in values


def test_steps_on_the_lattice_end_where_none_gains() -> None:
    terrain, acquisition = terrain_of(Integer("n", 0, 10), Categorical("c", ("a", "b"))), Acquisition()
    climbers = climbers_on(terrain, acquisition, terrain.space.encode([{"n": 9, "c": "a"}]).tolist())
    climbers.hop()
    assert terrain.space.decode(climbers.rows[0])["n"] == 0
    assert climbers.values == pytest.approx([0.0])
    asked = len(acquisition.asked)
    climbers.hop()
    assert len(acquisition.asked) == asked + 1


@pytest.mark.parametrize("parameter", [Continuous("x", 0, 1), Integer("n", 1, 2**53, Scale.LOG)])
def test_a_space_without_a_lattice_that_its_scale_shows_has_no_steps(parameter: Parameter) -> None:
    acquisition = Acquisition()
    climbers = climbers_on(terrain_of(parameter), acquisition, [[1.0]])
    acquisition.asked.clear()
    climbers.hop()
    assert acquisition.asked == []
    assert climbers.rows.tolist() == [[1.0]]


def test_numbers_of_many_values_climb_together_and_others_stay() -> None:
    import torch  # noqa: PLC0415

    terrain = terrain_of(Continuous("x", 0, 1), Categorical("c", ("a", "b", "c")), Integer("n", 0, 10_000))

    def peak(candidates: torch.Tensor) -> torch.Tensor:
        target = torch.tensor([0.3, 1.0, 0.9], dtype=torch.float64)
        return -(candidates[:, 0] - target).square().sum(-1)

    climbers = climbers_on(terrain, peak, [[0.9, 2.0, 0.1], [0.2, 1.0, 0.4]])
    climbers.ascend()
    assert climbers.rows[:, [0, 2]] == pytest.approx(np.array([[0.3, 0.9], [0.3, 0.9]]), abs=1e-3)
    assert climbers.rows[:, 1].tolist() == [2.0, 1.0]
    assert climbers.values == pytest.approx([-1.0, 0.0], abs=1e-4)


def test_the_better_half_climbs_on_and_the_best_is_kept() -> None:
    import torch  # noqa: PLC0415

    terrain = terrain_of(Continuous("x", 0, 1), Integer("n", 0, 10))

    def peak(candidates: torch.Tensor) -> torch.Tensor:
        return -(candidates[:, 0] - torch.tensor([0.3, 0.5], dtype=torch.float64)).square().sum(-1)

    climbers = climbers_on(terrain, peak, [[0.9, 0.1], [0.2, 0.4], [0.6, 0.9], [0.5, 0.5]])
    climbers.climb(rounds=2)
    assert climbers.rows[climbers.values.argmax()] == pytest.approx([0.3, 0.5], abs=1e-3)
    assert len(climbers.rows) < 4


def test_a_scale_is_climbed_and_spread_over_as_the_model_bends_it() -> None:
    """A rate's best value is a thousandth of its range: a straight climb goes past it."""

    terrain = terrain_of(Continuous("rate", 0, 1), bend=10.0)

    def peak(candidates: torch.Tensor) -> torch.Tensor:
        return -(candidates[:, 0, 0] + 1e-6).log10().add(3).square()

    climbers = climbers_on(terrain, peak, [[0.5]])
    climbers.ascend()
    assert float(np.log10(climbers.rows[0, 0])) == pytest.approx(-3, abs=0.05)
    assert 0.2 < (terrain.spread(1000) < 1e-3).mean() < 0.5


def test_a_climb_that_leads_to_a_point_that_was_tried_stays_where_it_was() -> None:
    terrain = terrain_of(Continuous("x", 0, 1), Continuous("y", 0, 1))
    terrain.seen.add(terrain.space.snap(np.array([[0.0, 0.0]]))[0].tobytes())
    climbers = climbers_on(terrain, lambda candidates: -candidates[:, 0].sum(-1), [[0.4, 0.5]])
    climbers.ascend()
    assert climbers.rows.tolist() == [[0.4, 0.5]]


def test_candidates_are_evaluated_in_bounded_numbers_at_once() -> None:
    terrain, acquisition = terrain_of(Continuous("x", 0, 1), Continuous("y", 0, 1)), Acquisition()
    rows = np.random.default_rng(0).random((1300, 2))
    values = terrain.evaluate(acquisition, rows)
    assert acquisition.asked == [512, 512, 276]
    assert values.tolist() == (-rows[:, 0]).tolist()
