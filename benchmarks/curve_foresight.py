"""What the curves of stopped and running trials could teach the suggester at most: their true ends.

    python -m benchmarks.curve_foresight [FOLDER …] [--tasks NAME …] [--seeds 3]

Jobs with random proposals run in virtual time (`virtual_job.py`) through the operator's own decisions. When a job has
12, 18 and 25 trials, a model learns of them as the operator tells it, and with true ends in place of last values or of
nothing. Models are judged on the runs that the job has not tried: by the rank correlation of what they expect with how
these end, and by the share of them that end better than the best of the three most promising.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.curve_spaces import points
from benchmarks.early_stopping_tasks import OWN, read_tasks
from benchmarks.stopped_trials import ORACLES, VIEWS
from benchmarks.virtual_job import VirtualJob
from tuning_operator.core.model.early_stopping import EarlyStopping
from tuning_operator.core.model.spec import Limits, Strategy
from tuning_operator.core.suggest import history, model

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.early_stopping_tasks import Task
    from benchmarks.stopped_trials import End
    from benchmarks.virtual_job import View
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.suggest import SuggestRequest

TRIALS, SLOTS = (12, 18, 25), 4
_PICKED = 3


VARIANTS: dict[str, Callable[[End], View]] = {
    "last value": lambda _end: VIEWS["last value"],
    "typical end of stopped": lambda _end: VIEWS["typical end"],
    **{name: ORACLES[name] for name in ("true end of stopped", "true end of running")},
}


def judge(task: Task, seed: int) -> list[list[tuple[float, float]]]:
    """Return both scores of each variant, after each number of trials."""
    job = VirtualJob(task, Limits(max(TRIALS) + 1, SLOTS), EarlyStopping(), seed, strategy=Strategy.RANDOM)
    caught: dict[int, tuple[SuggestRequest, tuple[Trial, ...], set[int]]] = {}

    def catch(request: SuggestRequest, trials: tuple[Trial, ...]) -> SuggestRequest:
        for number in set(request.numbers) & set(TRIALS):
            caught[number] = request, trials, set(job.runs.values())
        return request

    job.view = catch
    job.run()
    rows = task.space.encode(points(task.space, task.names, task.hyperparameters))
    finite = np.flatnonzero(np.isfinite(task.finals))
    scores = []
    for request, trials, taken in caught.values():
        unseen = np.array([run for run in finite if run not in taken])
        told = [variant(job.end)(request, trials) for variant in VARIANTS.values()]
        scores.append([_scores(each, rows[unseen], task.finals[unseen]) for each in told])
    return scores


def _scores(request: SuggestRequest, rows: np.ndarray, ends: np.ndarray) -> tuple[float, float]:
    fitted = model.fit(request.space, history.History.of(request))
    with torch.no_grad():
        unseen = fitted.place(torch.from_numpy(rows))
        expected = (fitted.covariance(unseen, fitted.known) @ (fitted.inverse @ fitted.residuals)).numpy()
    best = ends[np.argsort(-expected, kind="stable")[:_PICKED]].max()
    return float(spearmanr(expected, ends)[0]), float((ends > best).mean())


def main() -> None:
    """Print means, and mean and error of what differs from the last value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", default=[OWN], help="folders with learning curves (.npz)")
    parser.add_argument("--tasks", nargs="+", help="only these (default: all)")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    tasks = [task for folder in options.folders for task in read_tasks(folder, 40)]
    chosen = [task for task in tasks if not options.tasks or task.name in options.tasks]
    found = np.array([scores for task in chosen for seed in range(options.seeds) for scores in judge(task, seed)])
    differences = found - found[:, :1]
    errors = differences.std(axis=0, ddof=1) / len(found) ** 0.5
    print(f"{len(found)} models each     rank correlation               share better than the best of three")
    for place, name in enumerate(VARIANTS):
        cells = zip(found[:, place].mean(axis=0), differences[:, place].mean(axis=0), errors[place], strict=True)
        print(f"{name:24}" + "   ".join(f"{mean:.3f} ({more:+.3f} ± {error:.3f})" for mean, more, error in cells))


if __name__ == "__main__":
    main()
