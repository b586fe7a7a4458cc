from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.unit.builders import SPACE
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, needs_model
from tuning_operator.core.suggest.sobol import MOST_DIMENSIONS, sobol


@pytest.mark.parametrize("dimensions", [1, 2, 17, MOST_DIMENSIONS])
def test_points_are_those_of_torch(dimensions: int) -> None:
    from torch.quasirandom import SobolEngine  # noqa: PLC0415 - takes seconds

    expected = SobolEngine(dimensions).draw(300).numpy()
    assert sobol(dimensions, range(300)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1])
def test_scrambled_points_are_evenly_spread_in_each_dimension_and_pair(seed: int) -> None:
    """A net of base 2: each of 64 intervals holds one of 64 points, also of the later ones; so do 8 x 8 squares."""
    for first in (0, 64, 640):
        points = sobol(MOST_DIMENSIONS, range(first, first + 64), seed)
        assert (np.sort((points * 64).astype(int), axis=0) == np.arange(64)[:, None]).all()
        squares = (points[:, :2] * 8).astype(int)
        assert len({tuple(square) for square in squares.tolist()}) == 64


def test_seeds_differ_and_places_stand_for_themselves() -> None:
    assert not np.isclose(sobol(5, [3], seed=1), sobol(5, [3], seed=2)).any()
    assert (sobol(5, [9, 3], seed=1) == sobol(5, range(10), seed=1)[[9, 3]]).all()


def question(
    finite: int, failed: int = 0, relatives: int = 0, strategy: Strategy = Strategy.BAYESIAN, step: float = 1.0
) -> SuggestRequest:
    observations = [Observation({"lr": number / 100}, number * step) for number in range(finite)]
    observations += [Observation({"lr": number / 100 + 0.5}, None) for number in range(failed)]
    return SuggestRequest(SPACE, Goal.MAXIMIZE, strategy, 7, (99,), tuple(observations), (), ((),) * relatives)


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        (question(4), False),
        (question(5), True),
        (question(1, failed=20), False),
        (question(2, failed=8), True),
        (question(2, relatives=1), True),
        (question(50, step=0.0), False),
        (question(50, failed=50, step=0.0), False),
        (question(2, relatives=1, step=0.0), True),
        (question(50, strategy=Strategy.RANDOM), False),
        (question(50, strategy=Strategy.GRID), False),
    ],
)
def test_what_needs_the_model(asked: SuggestRequest, needed: bool) -> None:
    assert needs_model(asked) is needed


def test_what_needs_no_model_imports_neither_torch_nor_scipy() -> None:
    """The operator computes it itself, which is to start quickly and stay small."""
    code = (
        "import sys; from tests.unit.core.test_suggest_start import question; "
        "from tuning_operator.core.suggest import suggest; suggest(question(0)); "
        "print([name for name in ('torch', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
