"""The model: how it is fitted, what it foresees, and what a point promises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space
from tuning_operator.core.suggest.history import History, switched, telling
from tuning_operator.core.suggest.outcomes import standard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuning_operator.core.suggest.acquisition import Fantasies
    from tuning_operator.core.suggest.kernel import Hyperparameters
    from tuning_operator.core.suggest.model import Process

    Rows = NDArray[np.float64]

# torch and its users compile scripts when they are imported, which torch has come to warn of.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")

SPACE = Space((Continuous("x", 0, 1), Categorical("c", ("a", "b", "c")), Integer("n", 0, 100)))
DECADES = Space((Continuous("x", 1e-5, 1, Scale.LINEAR), *SPACE.parameters[1:]))
"""The same, but for a scale that is suspected of being a logarithm's."""


def truth(rows: Rows) -> Rows:
    return -((rows[:, 0] - 0.3) ** 2) - (rows[:, 2] - 0.6) ** 2 + 0.1 * (rows[:, 1] == 1)


def drawn(count: int, seed: int) -> Rows:
    return SPACE.spread(np.random.default_rng(seed).random((count, 3)))


def history_of(rows: Rows, objectives: Rows, related: Rows | None = None, worth: float = 1.0) -> History:
    """Own trials, and those of a related job whose objectives are `worth` times those of the same points here."""
    own, values = rows, standard(objectives)
    if related is not None:
        rows = np.vstack([switched(rows, 1), switched(related, 1, on=0)])
        values = np.concatenate([values, standard(worth * truth(related))])
    return History(rows, values, len(own), own[:0], own)


def fitted(history: History, space: Space = SPACE) -> Process:
    from tuning_operator.core.suggest.model import fit  # noqa: PLC0415 - imports torch

    return fit(space, history)


def promised(process: Process, pending: Rows) -> Fantasies:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.acquisition import Fantasies  # noqa: PLC0415

    return Fantasies(process, torch.from_numpy(pending))


def expected(process: Process, rows: Rows) -> Rows:
    """What a process expects of points, from the textbook's equation."""
    import torch  # noqa: PLC0415

    shared = process.covariance(process.place(torch.from_numpy(rows)), process.known)
    found: Rows = (process.mean + shared @ (process.inverse @ process.residuals)).numpy()
    return found


def hyperparameters(scales: list[float], correlations: tuple[float, ...] = ()) -> Hyperparameters:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import Hyperparameters  # noqa: PLC0415

    one = torch.ones(1, 1, dtype=torch.float64)
    related = torch.tensor([correlations], dtype=torch.float64)
    return Hyperparameters(torch.tensor([scales]).double(), one, one, 0 * one, related, 0 * related)


def test_numbers_have_a_matern_kernel() -> None:
    import torch  # noqa: PLC0415
    from gpytorch.kernels import MaternKernel  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    rows = torch.from_numpy(np.random.default_rng(0).random((6, 2)))
    found = hyperparameters([0.3, 0.7])
    kernel, theirs = Kernel(Space((Continuous("x", 0, 1), Continuous("y", 0, 1))), 0), MaternKernel(ard_num_dims=2)
    theirs.double().lengthscale = found.scales
    placed = kernel.place(rows, torch.zeros(1, 2, dtype=torch.float64))
    assert torch.allclose(placed, rows, atol=1e-6)
    assert torch.allclose(kernel.covariance(placed, placed, found), theirs(rows).to_dense(), atol=1e-6)


def test_related_jobs_have_in_common_what_each_has_with_this_one() -> None:
    """The job itself, one that is its reverse but for noise, and one that is much like it."""
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    point = np.array([[0.5, 1.0, 0.5]])
    rows = np.vstack([switched(point, 2, on) for on in (None, 0, 1)])
    kernel = Kernel(SPACE, 2)
    placed = kernel.place(torch.from_numpy(rows), torch.zeros(1, 2, dtype=torch.float64))
    covariance = kernel.covariance(placed, placed, hyperparameters([1.0, 1.0, 1.0], (-0.9, 0.5)))
    between = [[1, -0.9, 0.5], [-0.9, 1, -0.45], [0.5, -0.45, 1]]
    assert covariance.numpy() == pytest.approx(np.array(between) + np.diag([0, 1, 1]), abs=1e-6)


def test_a_bent_scale_is_that_of_a_logarithm_or_of_its_mirror() -> None:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import bend, straighten  # noqa: PLC0415

    places = torch.linspace(0, 1, 11, dtype=torch.float64)
    logarithmic = torch.log((1e-4 + places * (1 - 1e-4)) / 1e-4) / np.log(1e4)
    by = torch.tensor(np.log(1e4))
    assert torch.allclose(bend(places, by), logarithmic)
    assert torch.allclose(bend(places, -by), 1 - logarithmic.flip(0))
    assert torch.equal(bend(places, torch.zeros(1)), places)
    for strength in (12.0, 0.1, 0.0, -0.1, -12.0):
        by = torch.tensor(strength, dtype=torch.float64)
        assert torch.allclose(straighten(bend(places, by), by), places, atol=1e-9)


def test_what_is_out_of_a_bent_range_stays_as_far_out() -> None:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    rows = torch.tensor([[-0.5], [0.0], [1.0], [1.5]], dtype=torch.float64)
    placed = Kernel(Space((Continuous("x", 0, 1),)), 0).place(rows, torch.tensor([[3.0]]))
    assert torch.allclose(placed, rows)


def test_categories_are_equally_far_apart() -> None:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    rows = torch.tensor([[0.5, level, 0.5] for level in (0.0, 1.0, 2.0)], dtype=torch.float64)
    kernel = Kernel(SPACE, 0)
    placed = kernel.place(rows, torch.zeros(1, 2, dtype=torch.float64))
    root = 5**0.5 / 2.0
    matern = (1 + root + root**2 / 3) * np.exp(-root)
    found = kernel.covariance(placed, placed, hyperparameters([0.1, 2.0, 0.1]))
    assert found.flatten().tolist() == pytest.approx(
        [1, matern, matern, matern, 1, matern, matern, matern, 1], abs=1e-6
    )


@pytest.mark.parametrize("levels", [2, 128])
def test_what_categories_cost_does_not_depend_on_how_many_values_they_have(levels: int) -> None:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    values = tuple(str(level) for level in range(levels))
    space = Space(tuple(Categorical(f"c{place}", values) for place in range(64)))
    rows = torch.from_numpy(space.spread(np.random.default_rng(0).random((5, 64))))
    placed = Kernel(space, 0).place(rows, torch.zeros(1, 0, dtype=torch.float64))
    assert placed.shape == (5, 64)


def test_each_category_in_which_points_differ_sets_them_apart() -> None:
    """As the corners of simplices, which is how GPyTorch would be given them."""
    import torch  # noqa: PLC0415
    from gpytorch.kernels import MaternKernel  # noqa: PLC0415

    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    space = Space((Categorical("c", ("a", "b", "c")), Continuous("x", 0, 1), Categorical("d", ("a", "b"))))
    rows = torch.from_numpy(space.spread(np.random.default_rng(0).random((12, 3))))
    found = replace(hyperparameters([0.9, 0.4, 2.0]), bends=torch.zeros(1, 1, dtype=torch.float64))
    kernel, theirs = Kernel(space, 0), MaternKernel(ard_num_dims=6)
    theirs.double().lengthscale = found.scales[:, [0, 0, 0, 1, 2, 2]]
    one_hot = [
        torch.nn.functional.one_hot(rows[:, place].long(), levels) / 2**0.5 for place, levels in ((0, 3), (2, 2))
    ]
    corners = torch.cat([one_hot[0], rows[:, 1:2], one_hot[1]], dim=-1)
    placed = kernel.place(rows, found.bends)
    assert torch.allclose(
        kernel.covariance(placed[:5], placed, found), theirs(corners[:5], corners).to_dense(), atol=1e-6
    )


def test_a_fit_follows_the_slope_of_what_it_minimises() -> None:
    import torch  # noqa: PLC0415

    from tuning_operator.core.suggest.density import Density  # noqa: PLC0415
    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    history = history_of(drawn(12, 0), truth(drawn(12, 0)), related=drawn(5, 1))
    density = Density(Kernel(DECADES, 1), torch.from_numpy(history.rows), torch.from_numpy(history.objectives))
    start = density.start() + 0.1
    values, slopes = density(start, range(2))
    for place, each in enumerate(start):
        steps = 1e-5 * np.eye(len(each))
        above, below = (density(each + sign * steps, [place] * len(each))[0] for sign in (1, -1))
        assert slopes[place] == pytest.approx((above - below) / 2e-5, abs=1e-6)
        assert density(each[None], [place])[0][0] == pytest.approx(values[place])  # apart as together


def test_a_fit_minimises_what_gpytorch_says_is_unlikely() -> None:
    """Our values differ from GPyTorch's by what hyperparameters do not change."""
    import torch  # noqa: PLC0415
    from gpytorch.distributions import MultivariateNormal  # noqa: PLC0415
    from gpytorch.priors import LogNormalPrior  # noqa: PLC0415

    from tuning_operator.core.suggest import density as densities  # noqa: PLC0415
    from tuning_operator.core.suggest.density import Density, likeliest_mean  # noqa: PLC0415
    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    rows, targets = torch.from_numpy(drawn(12, 0)), torch.from_numpy(standard(truth(drawn(12, 0))))
    kernel = Kernel(SPACE, 0)
    density = Density(kernel, rows, targets)
    location, width = densities.LENGTHSCALE
    scale = LogNormalPrior(location + 0.5 * np.log(3), width)
    off = []
    for shift in (0.0, 0.3, -0.5):
        flat = density.start()[:1] + shift * np.array([[1.0] * 5 + [0.0] * 2])
        found = density.read(torch.from_numpy(flat), [0])[0]
        placed = kernel.place(rows, found.bends)
        covariance = found.outputscale * kernel.covariance(placed, placed, found) + torch.diag(
            kernel.noise(placed, found)
        )
        mean = likeliest_mean(torch.linalg.inv(covariance), targets).flatten()
        likelihood = MultivariateNormal(mean.expand(12), covariance).log_prob(targets)
        prior = scale.log_prob(found.scales).sum() + LogNormalPrior(*densities.NOISE).log_prob(found.noise).sum()
        prior = prior + LogNormalPrior(*densities.OUTPUTSCALE).log_prob(found.outputscale).sum()
        off.append(12 * density(flat, [0])[0][0] + float(likelihood + prior))
    assert off[1:] == pytest.approx([off[0]] * 2, abs=1e-3)


def test_a_fit_finds_what_matters() -> None:
    rows = drawn(40, 0)
    scales = fitted(history_of(rows, -((rows[:, 0] - 0.3) ** 2))).hyperparameters.scales[0].tolist()
    assert scales[0] < 0.5 * min(scales[1:])


def test_a_linear_range_of_decades_is_suspected_of_being_a_logarithm() -> None:
    from tuning_operator.core.suggest.kernel import Kernel  # noqa: PLC0415

    rate, log = Continuous("rate", 1e-5, 1, Scale.LINEAR), Continuous("log", 1e-5, 1)
    narrow, discrete = Integer("n", 1, 99), Discrete("d", (0.1, 1.0, 100.0), Scale.LINEAR)
    category = Categorical("c", ("a", "b"))
    suspected = Kernel(Space((rate, category, log, narrow, discrete)), 0).suspected
    assert suspected == pytest.approx([np.log(1e5), 0, 0, np.log(1e3)])


def test_a_scale_is_bent_where_that_foresees_clearly_better() -> None:
    """A learning rate given as linear: half of its decades lie in the first hundredth of the range."""
    rows, noise = drawn(40, 0), 0.1 * np.random.default_rng(1).standard_normal(40)
    rows[:20, 0] = 10 ** np.linspace(-5, -1, 20)
    bent = fitted(history_of(rows, noise - (np.log10(rows[:, 0] + 1e-5) + 3) ** 2), DECADES).bends
    plain = fitted(history_of(rows, noise - 9 * (rows[:, 0] - 0.3) ** 2), DECADES).bends
    assert not plain.any()
    assert float(bent[0]) > 3
    assert bent[1:].tolist() == [0, 0]


@pytest.mark.parametrize("worth", [1.0, -1.0])
def test_a_related_job_helps_whether_it_is_alike_or_the_reverse(worth: float) -> None:
    rows, unseen = drawn(6, 0), drawn(200, 1)
    alone = expected(fitted(history_of(rows, truth(rows))), unseen)
    process = fitted(history_of(rows, truth(rows), related=drawn(30, 5), worth=worth))
    (correlation,) = process.correlations
    assert correlation * worth > 0.7
    helped = expected(process, switched(unseen, 1))
    before, after = (float(np.corrcoef(each, truth(unseen))[0, 1]) for each in (alone, helped))
    assert after > max(0.9, before)


def test_the_noise_of_a_related_job_stays_its_own() -> None:
    rows, unseen = drawn(12, 0), drawn(200, 1)
    alone = fitted(history_of(rows, truth(rows)))
    history = history_of(rows, truth(rows), related=drawn(30, 5))
    noise = standard(np.random.default_rng(3).standard_normal(30))
    process = fitted(replace(history, objectives=np.concatenate([history.objectives[:12], noise])))
    assert float(process.noise[-1]) > 10 * float(process.noise[0])
    before, after = (
        float(np.corrcoef(expected(model, points), truth(unseen))[0, 1])
        for model, points in ((alone, unseen), (process, switched(unseen, 1)))
    )
    assert after > before - 0.05


def test_samples_agree_with_the_process_that_they_are_of() -> None:
    import torch  # noqa: PLC0415

    rows, points = drawn(15, 0), drawn(7, 1)
    history = history_of(rows, truth(rows))
    process = fitted(history)
    found = promised(process, drawn(2, 2)).posterior(torch.from_numpy(points)[:, None, None, :])
    assert found.mean.shape == (7, 16, 1, 1)
    assert found.mean.mean(1).flatten().tolist() == pytest.approx(expected(process, points).tolist(), abs=0.05)


def test_what_runs_takes_uncertainty_away() -> None:
    import torch  # noqa: PLC0415

    rows, running = drawn(15, 0), drawn(2, 1)
    history = history_of(rows, truth(rows))
    process = fitted(history)
    at = torch.from_numpy(running)[:, None, None, :]
    before, after = (promised(process, pending).posterior(at) for pending in (running[:0], running))
    assert bool((after.variance < 0.01 * before.variance).all())


def test_the_best_is_an_own_trial_or_one_that_runs() -> None:
    rows = drawn(10, 0)
    best = np.array([[0.3, 1.0, 0.6]])
    related = history_of(rows, truth(rows), related=best.repeat(3, axis=0))
    process = fitted(related)
    alone, running = (promised(process, pending).best for pending in (switched(best[:0], 1), switched(best, 1)))
    assert float(alone.max()) < float(running.mean())


def test_each_sample_promises_its_own_improvement() -> None:
    import torch  # noqa: PLC0415
    from botorch.acquisition import LogExpectedImprovement  # noqa: PLC0415

    from tuning_operator.core.suggest.acquisition import Promise  # noqa: PLC0415

    rows, points = drawn(15, 0), torch.from_numpy(drawn(5, 1))[:, None, :]
    history = history_of(rows, truth(rows))
    fantasies = promised(fitted(history), rows[:0])
    improvements = LogExpectedImprovement(fantasies, best_f=fantasies.best[:, None])(points[:, None]).exp()
    assert torch.allclose(Promise(fantasies)(points), improvements.mean(-1).log(), atol=1e-9)


def test_of_many_trials_the_best_and_some_of_all_others_are_learned_from() -> None:
    objectives = np.random.default_rng(0).permutation(np.arange(1000.0))
    chosen = objectives[telling(objectives, 400)]
    assert len(chosen) == len(set(chosen)) == 400
    assert set(np.arange(1000.0)[-133:]) < set(chosen)
    assert chosen.min() == 0
    assert np.diff(np.sort(chosen)).max() <= 4
