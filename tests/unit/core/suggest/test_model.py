"""The model: how it is fitted, what it foresees, and what a point promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tuning_operator.core.space import Categorical, Continuous, Integer, Space
from tuning_operator.core.suggest.history import History, switched, telling
from tuning_operator.core.suggest.outcomes import standard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuning_operator.core.suggest.acquisition import Fantasies
    from tuning_operator.core.suggest.model import Process

    Rows = NDArray[np.float64]

# torch and its users compile scripts when they are imported, which torch has come to warn of.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")

SPACE = Space((Continuous("x", 0, 1), Categorical("c", ("a", "b", "c")), Integer("n", 0, 100)))


def truth(rows: Rows) -> Rows:
    return -((rows[:, 0] - 0.3) ** 2) - (rows[:, 2] - 0.6) ** 2 + 0.1 * (rows[:, 1] == 1)


def drawn(count: int, seed: int) -> Rows:
    return SPACE.spread(np.random.default_rng(seed).random((count, 3)))


def history_of(rows: Rows, objectives: Rows, related: Rows | None = None) -> History:
    """Own trials, and those of a related job with the same objective."""
    own, values = rows, standard(objectives)
    if related is not None:
        rows = np.vstack([switched(rows, 1), switched(related, 1, on=0)])
        values = np.concatenate([values, standard(truth(related))])
    return History(rows, values, len(own), own[:0], own)


def fitted(history: History) -> Process:
    from tuning_operator.core.suggest.model import fit  # noqa: PLC0415 - imports torch

    return fit(SPACE, history)


def promised(process: Process, history: History, pending: Rows) -> Fantasies:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.acquisition import Fantasies  # noqa: PLC0415

    return Fantasies(process, history, torch.from_numpy(pending))


@pytest.mark.parametrize("related", [False, True])
def test_a_process_expects_what_gpytorch_does(related: bool) -> None:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.model import Process, _prior  # noqa: PLC0415

    rows, points = drawn(15, 0), torch.from_numpy(drawn(7, 1))
    history = history_of(rows, truth(rows), related=drawn(4, 2) if related else None)
    theirs = _prior(SPACE, torch.from_numpy(history.rows), torch.from_numpy(history.objectives)).eval()
    ours = Process(theirs, history)
    points = torch.from_numpy(switched(points.numpy(), int(related)))
    with torch.no_grad():
        posterior = theirs.posterior(points[:, None])
        across = ours.covariance(points, ours.known)
        mean = ours.mean + across @ (ours.inverse @ ours.residuals)
        variance = ours.variance - ((across @ ours.inverse) * across).sum(-1)
    assert torch.allclose(mean, posterior.mean.flatten(), atol=1e-4)
    assert torch.allclose(variance, posterior.variance.flatten(), atol=1e-4)


@pytest.mark.parametrize("relatives", [0, 1])
def test_numbers_and_switches_have_a_matern_kernel(relatives: int) -> None:
    import torch  # noqa: PLC0415
    from gpytorch.kernels import MaternKernel  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import MixedMatern  # noqa: PLC0415

    space = Space((Continuous("x", 0, 1), Continuous("y", 0, 1)))
    rows = torch.from_numpy(switched(np.random.default_rng(0).random((6, 2)), relatives))
    ours, theirs = MixedMatern(space, relatives), MaternKernel(ard_num_dims=2 + relatives)
    for kernel in (ours, theirs):
        kernel.lengthscale = torch.tensor([0.3, 0.7, 0.5][: 2 + relatives])
    assert torch.allclose(ours(rows).to_dense(), theirs(rows).to_dense(), atol=1e-6)
    assert torch.allclose(ours(rows, diag=True), torch.ones(6, dtype=rows.dtype))


def test_categories_are_equally_far_apart() -> None:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import MixedMatern  # noqa: PLC0415

    rows = torch.tensor([[0.5, level, 0.5] for level in (0.0, 1.0, 2.0)], dtype=torch.float64)
    kernel = MixedMatern(SPACE, 0)
    kernel.lengthscale = torch.tensor([0.1, 2.0, 0.1])
    root = 5**0.5 / 2.0
    matern = (1 + root + root**2 / 3) * np.exp(-root)
    expected = [1, matern, matern, matern, 1, matern, matern, matern, 1]
    assert kernel.forward(rows, rows).flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_samples_agree_with_the_process_that_they_are_of() -> None:
    import torch  # noqa: PLC0415

    rows, points = drawn(15, 0), drawn(7, 1)
    history = history_of(rows, truth(rows))
    process = fitted(history)
    found = promised(process, history, drawn(2, 2)).posterior(torch.from_numpy(points)[:, None, None, :])
    assert found.mean.shape == (7, 16, 1, 1)
    across = process.covariance(torch.from_numpy(points), process.known)
    expected = process.mean + across @ (process.inverse @ process.residuals)
    assert found.mean.mean(1).flatten().tolist() == pytest.approx(expected.tolist(), abs=0.05)


def test_what_runs_takes_uncertainty_away() -> None:
    import torch  # noqa: PLC0415

    rows, running = drawn(15, 0), drawn(2, 1)
    history = history_of(rows, truth(rows))
    process = fitted(history)
    at = torch.from_numpy(running)[:, None, None, :]
    before, after = (promised(process, history, pending).posterior(at) for pending in (running[:0], running))
    assert bool((after.variance < 0.01 * before.variance).all())


def test_the_best_is_an_own_trial_or_one_that_runs() -> None:
    rows = drawn(10, 0)
    best = np.array([[0.3, 1.0, 0.6]])
    related = history_of(rows, truth(rows), related=best.repeat(3, axis=0))
    process = fitted(related)
    alone, running = (
        promised(process, related, pending).best for pending in (switched(best[:0], 1), switched(best, 1))
    )
    assert float(alone.max()) < float(running.mean())


def test_each_sample_promises_its_own_improvement() -> None:
    import torch  # noqa: PLC0415
    from botorch.acquisition import LogExpectedImprovement  # noqa: PLC0415

    from tuning_operator.core.suggest.acquisition import Promise  # noqa: PLC0415

    rows, points = drawn(15, 0), torch.from_numpy(drawn(5, 1))[:, None, :]
    history = history_of(rows, truth(rows))
    fantasies = promised(fitted(history), history, rows[:0])
    improvements = LogExpectedImprovement(fantasies, best_f=fantasies.best[:, None])(points[:, None]).exp()
    assert torch.allclose(Promise(fantasies)(points), improvements.mean(-1).log(), atol=1e-9)


def test_of_many_trials_the_best_and_some_of_all_others_are_learned_from() -> None:
    objectives = np.random.default_rng(0).permutation(np.arange(1000.0))
    chosen = objectives[telling(objectives, 400)]
    assert len(chosen) == len(set(chosen)) == 400
    assert set(np.arange(1000.0)[-133:]) < set(chosen)
    assert chosen.min() == 0
    assert np.diff(np.sort(chosen)).max() <= 4
