"""How the most promising point is looked for."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tuning_operator.core.space import Categorical, Continuous, Integer, Scale, Space

if TYPE_CHECKING:
    import torch

    from tuning_operator.core.space import Parameter
    from tuning_operator.core.suggest.search import Search

# torch and its users compile scripts when they are imported, which torch has come to warn of.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")


def search_of(*parameters: Parameter) -> Search:
    """A search without a model, two of whose points have been tried."""
    from tuning_operator.core.suggest.model import History  # noqa: PLC0415 - imports torch
    from tuning_operator.core.suggest.search import Search  # noqa: PLC0415

    space = Space(parameters)
    rows = space.spread(np.array([[0.1] * len(parameters), [0.7] * len(parameters)]))
    history = History(rows, np.array([-1.0, 1.0]), 2, rows[:0], rows)
    return Search(space, None, history, np.random.default_rng(5))


class Acquisition:
    """Prefers a small first parameter, and notes how many candidates it was asked about at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, candidates: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(candidates))
        return -candidates[:, 0, 0]


@pytest.mark.parametrize(
    ("parameter", "value", "width", "others"),
    [
        (Integer("n", 1, 4096, Scale.LOG), 64, 0.25, [8, 62, 63, 65, 66, 512]),  # by a factor, as the scale is
        (Integer("n", 0, 1000), 500, 0.1, [400, 498, 499, 501, 502, 600]),
        (Integer("n", 0, 1000, step=10), 500, 0.1, [400, 480, 490, 510, 520, 600]),
        (Integer("n", 1, 4096, Scale.LOG), 1, 0.25, [2, 3, 8]),  # not below the minimum
        (Integer("n", 1, 4), 2, 0.2, [1, 3, 4]),  # each once, and not itself
        (Integer("n", 0, 1000), 500, 0.0007, [498, 499, 501, 502]),
        (Integer("n", 3, 3), 3, 0.2, []),
    ],
)
def test_an_integer_moves_on_its_scale_and_by_one_and_two_steps(
    parameter: Integer, value: int, width: float, others: list[int]
) -> None:
    (unit,) = parameter.to_unit([value])
    places = search_of(parameter)._alternatives(parameter, unit, width)
    assert [parameter.from_unit(place) for place in places] == others


@pytest.mark.parametrize(
    ("parameters", "narrowest"),
    [
        ([Integer("n", 0, 10_000), Categorical("c", ("a", "b"))], 0.01),  # as fine as on continuous parameters
        ([Continuous("x", 0, 1), Categorical("c", ("a", "b"))], 0.01),
        ([Integer(f"n{index}", 0, 19) for index in range(4)], 2 / 20),
        ([Integer(f"n{index}", 1, 6) for index in range(6)], 0.2),  # the first step is among the two of any width
        ([Categorical(f"c{index}", ("a", "b", "c")) for index in range(8)], 0.2),
    ],
)
def test_a_climb_without_gain_ends_when_there_are_no_finer_steps(
    monkeypatch: pytest.MonkeyPatch, parameters: list[Parameter], narrowest: float
) -> None:
    search = search_of(*parameters)
    widths: list[float] = []

    def step(*arguments: object) -> float:
        widths.append(float(arguments[-1]))  # type: ignore[arg-type]
        return 0.0

    monkeypatch.setattr(search, "_step", step)
    search._climb(Acquisition())
    assert len(widths) == 1 if narrowest == widths[0] else widths[-1] < narrowest <= widths[-2]
    assert all(one > other for one, other in pairwise(widths))


def test_candidates_are_evaluated_in_bounded_numbers_at_once() -> None:
    search, acquisition = search_of(Continuous("x", 0, 1), Continuous("y", 0, 1)), Acquisition()
    rows = np.random.default_rng(0).random((1300, 2))
    values = search._evaluate(acquisition, rows)
    assert acquisition.asked == [512, 512, 276]
    assert values.tolist() == (-rows[:, 0]).tolist()
