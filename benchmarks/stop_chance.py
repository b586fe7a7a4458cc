"""Whether the chance in a decision's sentence is kept: what would have become of the trials that a rule stopped.

    python -m benchmarks.stop_chance FOLDER [--replays 40]

FOLDER holds learning curves as for `early_stopping.py`. Every stopped trial is followed to its recorded end. The table
has for each rule the mean bound and the share of trials that would have beaten the best completed one by then.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.early_stopping_replay import Study, replay, studies
from benchmarks.early_stopping_rules import LITERAL, auto, median
from benchmarks.early_stopping_tasks import read_tasks
from tuning_operator.core.model.early_stopping import MedianKnobs, Statistic
from tuning_operator.core.stopping.chance import chance
from tuning_operator.core.stopping.gains import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.early_stopping_replay import Rule
    from benchmarks.early_stopping_tasks import Task

TRIALS, WORKERS, SEED = 20, 2, 0


class Watched(NamedTuple):
    """A rule, the epoch from which it counts gains, and whether it compares current values, not best ones."""

    rule: Rule
    since: Callable[[int, int], int]
    current: bool


class Stop(NamedTuple):
    """A stopped trial: what was said about its chance, and whether it would have beaten the best."""

    bound: float
    beats: bool


def _newest(done: int, _length: int) -> int:
    return done


def _checkpoint(done: int, length: int) -> int:
    return checkpoint(np.arange(1.0, done + 1), length)


RULES = {
    "Auto": Watched(auto(), _checkpoint, current=False),
    "Median, guarded": Watched(median(MedianKnobs()), _newest, current=False),
    "Median, Current": Watched(median(MedianKnobs(statistic=Statistic.CURRENT)), _newest, current=True),
    "SageMaker, literal": Watched(median(LITERAL), _newest, current=True),
}


def stops(watched: Watched, task: Task, replays: int) -> list[Stop]:
    """Return what the rule stops in this many studies, of the trials whose chance is known."""
    found: list[Stop] = []

    def rule(study: Study, trial: int) -> bool:
        if not watched.rule(study, trial):
            return False
        done = study.done[trial]
        values = study.curves if watched.current else study.best
        last = study.finals[study.completed]
        target = float(np.max(last))
        estimate = chance(
            target - float(values[trial, done - 1]),
            values[study.completed, watched.since(done, study.length) - 1],
            last,
        )
        if estimate.seen and np.isfinite(study.curves[trial, done - 1]) and values[trial, done - 1] < target:
            found.append(Stop(estimate.bound, bool(study.finals[trial] > target)))
        return True

    for runs, seconds in studies(task, TRIALS, replays, SEED):
        replay(Study(task, runs, seconds), rule, WORKERS)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with learning curves (.npz)")
    parser.add_argument("--replays", type=int, default=40, help="studies a task (%(default)s)")
    parser.add_argument("--checkpoints", type=int, default=100, help="thin longer curves to this many epochs")
    arguments = parser.parse_args()
    tasks = read_tasks(arguments.folder, arguments.checkpoints)
    print("| rule | stops | mean bound | would have beaten the best | tightest task: bound, beaten |")
    print("|---|---|---|---|---|")
    for name, watched in RULES.items():
        each = [stops(watched, task, arguments.replays) for task in tasks]
        known = [_means(found) for found in each if found]
        bound, beaten = _means([stop for found in each for stop in found])
        tightest = min(known, key=lambda means: means[0] - means[1])
        count = sum(map(len, each))
        print(f"| {name} | {count} | {bound:.1%} | {beaten:.1%} | {tightest[0]:.1%}, {tightest[1]:.1%} |", flush=True)


def _means(found: Sequence[Stop]) -> tuple[float, float]:
    return float(np.mean([stop.bound for stop in found])), float(np.mean([stop.beats for stop in found]))


if __name__ == "__main__":
    main()
