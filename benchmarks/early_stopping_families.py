"""How much `Auto` saves and loses by the kind of training: constant rates, schedules, lengths, noise, late risers.

    python -m benchmarks.early_stopping_families [FOLDER …] [--scheduled NAME …] [--each]

The folders hold recorded curves as for `early_stopping.py`. Names of tasks that begin with one of those after
`--scheduled` are of trainings whose learning rates follow a schedule, all others of constant rates. The other families
are made (`early_stopping_shapes.py`): from recorded curves of constant rates, and from nothing.

A line for each family and rule: saved (also with what resumptions cost, as a share of a training each), resumptions of
a study, regret and missed as in `early_stopping.py`; then what the studies that lost
their best trial have lost, in the median: as a share of the task's scale, and as times the difference of two seeds of
one setting, where that is known; and how many of them have lost less than that. With `--each`, a line for each task
has the loss and that difference in the metric's own units.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.early_stopping_replay import Pauses, Study, replay, studies
from benchmarks.early_stopping_rules import RULES, auto
from benchmarks.early_stopping_shapes import shapes, with_lengths, with_passing_nans
from benchmarks.early_stopping_tasks import OWN, Task, read_tasks
from tuning_operator.core.stopping.gains import PAUSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.early_stopping_replay import Outcome

PAUSE = "Auto, pause"
COMPARED = ("Median, guarded", "Auto", PAUSE)
OWN_SCHEDULES = "fashion_mnist_schedules"
COSTS = (0.0, 0.01, 0.03)
"""Of a resumption, as shares of a training: a Pod's start and the loading of a checkpoint."""


@dataclass(frozen=True)
class Line:
    """One rule on one task, or on a family: the mean over its tasks, and medians over all of its studies that lost.

    Attributes:
        saved: Without what resumptions cost.
        resumptions: Of a study.
        resumed: The resumed trials' share of all epochs: so often their cost is to be subtracted.
        share: What was lost, of the task's scale.
        seeds: The same, times the difference of two seeds of one setting; NaN where that is not known.
        within: Share of the losses that are less than that difference.
        lost: What was lost in the metric's own units, and
        noise: the difference of two seeds; NaN of a family.
    """

    name: str
    rule: str
    saved: float
    regret: float
    missed: float
    resumptions: float
    resumed: float
    share: float
    seeds: float
    within: float
    lost: float = math.nan
    noise: float = math.nan


def families(
    recorded: Iterable[Task], scheduled: tuple[str, ...], seed: int, *, best: bool = False
) -> dict[str, list[Task]]:
    """All tasks by family; `best` is whether a run counts by its best epoch."""
    alike: list[Task] = []
    lengths: list[Task] = []
    for task in recorded:
        (alike if len(set(task.lengths.tolist())) == 1 else lengths).append(task)
    schedules = [task for task in alike if task.name.startswith(scheduled)]
    constant = [task for task in alike if not task.name.startswith(scheduled)]
    found = {
        "constant rates": constant,
        "schedules": schedules,
        "different lengths, recorded": lengths,
        "different lengths": [with_lengths(task, seed) for task in constant],
        "passing NaNs": [with_passing_nans(task, seed) for task in constant],
        **shapes(seed),
    }
    return {name: [replace(task, best=best) for task in tasks] for name, tasks in found.items() if tasks}


def measured(task: Task, rule: str, trials: int, workers: int, replays: int, seed: int) -> list[Outcome]:
    """Replay studies of a task, the same for every rule."""
    drawn = studies(task, trials, replays, seed)
    if rule == PAUSE:
        pauses = Pauses(auto(PAUSING), cost=0.01)
        return [replay(Study(task, *each), RULES["Auto"], workers, pauses) for each in drawn]
    return [replay(Study(task, *each), RULES[rule], workers) for each in drawn]


def of_family(name: str, rule: str, found: list[tuple[Task, list[Outcome]]]) -> Line:
    """Sum up a family."""
    each = [of_task(rule, task, outcomes) for task, outcomes in found]
    return Line(name, rule, *_means(each), *_losses(found))


def of_task(rule: str, task: Task, outcomes: list[Outcome]) -> Line:
    """Sum up a task."""
    lost = _median([outcome.lost for outcome in outcomes if outcome.missed])
    return Line(task.name, rule, *_means(outcomes), *_losses([(task, outcomes)]), lost, task.seed_noise)


def _means(parts: Sequence[Line | Outcome]) -> tuple[float, float, float, float, float]:
    """Of what is saved, of regret, misses and resumptions, and of the resumed trials' share."""
    rows = [(part.saved, part.regret, part.missed, part.resumptions, part.resumed) for part in parts]
    saved, regret, missed, resumptions, resumed = np.mean(rows, axis=0).tolist()
    return saved, regret, missed, resumptions, resumed


def _losses(found: list[tuple[Task, list[Outcome]]]) -> tuple[float, float, float]:
    """Of the studies that lost their best trial: share of the scale, in seeds, and how many within one."""
    lost = [(task, outcome) for task, outcomes in found for outcome in outcomes if outcome.missed]
    seeds = np.array([outcome.lost / task.seed_noise for task, outcome in lost if task.seed_noise > 0])
    within = float(np.mean(seeds < 1)) if seeds.size else math.nan
    return _median([outcome.regret for _, outcome in lost]), _median(seeds.tolist()), within


def _median(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", default=[OWN], help="folders with learning curves (.npz)")
    parser.add_argument(
        "--scheduled", nargs="+", default=[OWN_SCHEDULES], help="beginnings of names of tasks with schedules"
    )
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replays", type=int, default=100, help="studies a task (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoints", type=int, default=100, help="thin longer curves to this many epochs")
    parser.add_argument("--best", action="store_true", help="objective.value Best: a run counts by its best epoch")
    parser.add_argument("--each", action="store_true", help="print every task, too")
    parser.add_argument("--json", type=Path, help="write the lines")
    arguments = parser.parse_args()

    recorded = [task for folder in arguments.folders for task in read_tasks(folder, arguments.checkpoints)]
    sizes = (arguments.trials, arguments.workers, arguments.replays, arguments.seed)
    lines = []
    costs = "".join(f" saved at {cost:.0%} |" for cost in COSTS)
    print(
        f"| family | rule |{costs} resumptions | regret | missed | lost: of the scale | in seeds | within one | units |"
    )
    print("|---|---|" + "---|" * (len(COSTS) + 7))
    for family, tasks in families(recorded, tuple(arguments.scheduled), arguments.seed, best=arguments.best).items():
        for rule in COMPARED:
            found = [(task, measured(task, rule, *sizes)) for task in tasks]
            part = [of_task(rule, *pair) for pair in found] if arguments.each else []
            lines += [of_family(f"{family} ({len(tasks)})", rule, found), *part]
            for line in lines[-1 - len(part) :]:
                _print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


def _print(line: Line) -> None:
    units = "" if math.isnan(line.noise) and math.isnan(line.lost) else f"{line.lost:.3g}, {line.noise:.3g}"
    costs = "".join(f" {line.saved - cost * line.resumed:.1%} |" for cost in COSTS)
    print(
        f"| {line.name} | {line.rule} |{costs} {line.resumptions:.1f} | {line.regret:.4f} | {line.missed:.1%}"
        f" | {line.share:.3f} | {line.seeds:.1f} | {line.within:.0%} | {units} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
