"""The problems that suggesters are compared on, and how their regrets are summed up."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.suggest_functions import DEVELOPMENT, REPORT, function
from benchmarks.suggest_problems import SETS, problem, problems
from benchmarks.suggest_report import Record, print_ratios

# torch and its users compile scripts when they are imported, which torch has come to warn of.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")


@pytest.mark.parametrize("name", [*DEVELOPMENT, *REPORT])
def test_a_functions_regret_is_the_share_of_what_a_random_point_lacks(name: str) -> None:
    task = function(name)
    rows = task.space.spread(np.random.default_rng(3).random((300, len(task.space.parameters))))
    losses = np.array([task.loss(task.space.decode(row)) for row in rows])
    regrets = np.array([task.regret(loss) for loss in losses[np.isfinite(losses)]])
    assert regrets.min() >= 0
    assert 0.7 < np.median(regrets) < 1.3


def test_a_point_that_fails_reports_nothing_and_noise_moves_what_is_reported() -> None:
    generator = np.random.default_rng(0)
    cliff, noisy = problem("cliff4"), problem("levy4-noisy")
    beyond = dict.fromkeys((f"x{place}" for place in range(4)), 1.0)
    assert math.isinf(cliff.loss(beyond))
    assert cliff.report(beyond, generator) is None
    middle = noisy.space.decode(np.full(4, 0.5))
    reported = [noisy.report(middle, generator) for _ in range(3)]
    assert len(set(reported)) == 3
    assert problem("levy4-noisy:noiseless").report(middle, generator) == noisy.loss(middle)


def test_what_is_reported_has_decided_nothing() -> None:
    names = {key: set(problems([key], None)) for key in SETS}
    assert not names["development"] & names["report"]
    assert names["development"] > set(DEVELOPMENT)
    assert not set(SETS["development"][2]) & set(SETS["report"][2])
    with pytest.raises(SystemExit, match="there is no problem unheard-of"):
        problem("unheard-of")
    with pytest.raises(SystemExit, match="--surrogates"):
        problem("lcbench/167184")


def test_ratios_are_summed_up_over_problems(capsys: pytest.CaptureFixture[str]) -> None:
    def record(method: str, task: str, seed: int, regret: float) -> Record:
        curve = [1.0] * 19 + [regret] * 6
        return {"method": method, "task": task, "seed": seed, "given": 0, "curve": curve, "seconds": []}

    regrets = {"easy": (0.1, 0.4), "hard": (0.5, 0.5), "other way": (0.2, 0.1)}
    records = [
        record(method, task, seed, regret)
        for task, pair in regrets.items()
        for method, regret in zip(("ours", "peer"), pair, strict=True)
        for seed in (0, 1)
    ]
    print_ratios(records, list(regrets), ["ours", "peer"])
    said = capsys.readouterr().out
    assert said.startswith("peer / ours: after 20 trials 1.26, times or over ")  # the cube root of 4 * 1 / 2
    assert ", median 1.00; " in said
    assert said.endswith("better on 1, worse on 1 of 3 problems\n")
