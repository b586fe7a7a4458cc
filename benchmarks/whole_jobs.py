"""What early stopping does to whole jobs: best value against training cost, and what unfinished trials tell the model.

    python -m benchmarks.whole_jobs [FOLDER …] [--seeds 10] [--json runs.jsonl]
    python -m benchmarks.whole_jobs [FOLDER …] --bill 15 --parallel 4 --variants "last value" "all true ends"

Jobs run in virtual time through the operator's own decisions and suggestions (`virtual_job.py`), on the curves of the
folders; without any on those that the project has recorded itself. All variants of a job have the same seed. With
`--json` every finished job is appended to the file, and a job that is in it already is not run again. With `--bill`
jobs end when they have spent so many full trainings; trials that run then count for their cost, but not as trials.

regret: what the best objective falls short of the best recorded run, in units of (99th percentile - median of the
task's last values). cost: epochs trained, in units of one full training.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.early_stopping_tasks import OWN, read_tasks
from benchmarks.stopped_trials import ORACLES, VIEWS
from benchmarks.virtual_job import VirtualJob
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType
from tuning_operator.core.model.spec import Limits, Strategy

if TYPE_CHECKING:
    from benchmarks.early_stopping_tasks import Task

    Record = dict[str, Any]

OFF = "off"
RANDOM = "off, random"
RANDOM_AUTO = "auto, random"


def run(task: Task, variant: str, seed: int, trials: int, parallel: int, bill: float = math.inf) -> Record:
    """Run one job; `variant` is a name in VIEWS or ORACLES, or without early stopping or model."""
    job = VirtualJob(
        task,
        Limits(trials, parallel),
        EarlyStopping(EarlyStoppingType.OFF if variant in {OFF, RANDOM} else EarlyStoppingType.AUTO),
        seed,
        strategy=Strategy.RANDOM if variant in {RANDOM, RANDOM_AUTO} else Strategy.BAYESIAN,
    )
    job.view = ORACLES[variant](job.end) if variant in ORACLES else VIEWS.get(variant, VIEWS["last value"])
    best, length = float(np.max(task.finals)), task.curves.shape[1]
    job.run(most_epochs=bill * length)
    return {
        "task": task.name,
        "variant": variant,
        "seed": seed,
        "trials": trials,
        "parallel": parallel,
        "regret": [(best - step.best) / task.scale for step in job.steps],
        "cost": [step.epochs / length for step in job.steps],
        "stopped": job.stopped,
        "clock": job.clock / length,
    }


def report(records: list[Record]) -> None:
    """Print, for each variant, the means over the tasks and what differs from the last value, paired by seed."""
    by: dict[tuple[str, str], dict[int, Record]] = defaultdict(dict)
    for record in records:
        by[record["variant"], record["task"]][record["seed"]] = record
    tasks = sorted({record["task"] for record in records})
    print("\nvariant            saved  stopped  regret at the end, ± standard error   less what `last value` has")
    for variant in dict.fromkeys(record["variant"] for record in records):
        jobs = [job for task in tasks for job in by[variant, task].values()]
        ends, error = _mean([_end(job) for job in jobs])
        pairs = [
            _end(job) - _end(by["last value", task][seed])
            for task in tasks
            for seed, job in by[variant, task].items()
            if seed in by["last value", task]
        ]
        more, more_error = _mean(pairs)
        saved = 1 - np.mean([job["cost"][-1] / len(job["cost"]) for job in jobs])
        stopped = np.mean([job["stopped"] for job in jobs])
        print(
            f"{variant:18} {100 * saved:5.1f}% {stopped:6.1f}   {ends:7.4f} ± {error:.4f}"
            f"                      {more:+7.4f} ± {more_error:.4f}"
        )
    spent = max(job["cost"][-1] for job in records)
    budgets = [budget for budget in (2, 4, 6, 8, 10, 15, 20) if budget <= round(spent)]
    print("\nregret after the cost of this many full trainings, ± standard error (and less what `last value` has)")
    print(f"{'variant':20} jobs " + " ".join(f"{budget:>33}" for budget in budgets))
    for variant in dict.fromkeys(record["variant"] for record in records):
        mine = {(task, seed): job for task in tasks for seed, job in by[variant, task].items()}
        cells = " ".join(f"{_cell(mine, by, budget):>33}" for budget in budgets)
        print(f"{variant:20} {len(mine):4} {cells}")
    print("tasks: " + ", ".join(tasks))


def _cell(jobs: dict[tuple[str, int], Record], by: dict[tuple[str, str], dict[int, Record]], budget: float) -> str:
    mean, error = _mean([_after(job, budget) for job in jobs.values()])
    usual = {(task, seed): by["last value", task].get(seed) for task, seed in jobs}
    pairs = [_after(jobs[key], budget) - _after(job, budget) for key, job in usual.items() if job]
    more, more_error = _mean(pairs)
    return f"{mean:.3f} ± {error:.3f} ({more:+.3f} ± {more_error:.3f})"


def _end(job: Record) -> float:
    return float(job["regret"][-1])


def _after(job: Record, budget: float) -> float:
    """Return the regret after the cost of this many full trainings; before the first trial's end, the first trial's."""
    known = [regret for cost, regret in zip(job["cost"], job["regret"], strict=True) if cost <= budget]
    return float(known[-1] if known else job["regret"][0])


def _mean(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return float(np.mean(values)) if values else np.nan, np.nan
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", default=[OWN], help="folders with learning curves (.npz)")
    parser.add_argument("--tasks", nargs="+", help="only these (default: all)")
    variants = [OFF, *VIEWS, *ORACLES, RANDOM, RANDOM_AUTO]
    parser.add_argument("--variants", nargs="+", choices=variants, default=variants)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--bill", type=float, default=math.inf, help="in full trainings (default: all trials)")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--checkpoints", type=int, default=30, help="thin longer curves to this many epochs")
    parser.add_argument("--json", type=Path, help="file of finished jobs, one JSON object a line")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tasks = [task for folder in arguments.folders for task in read_tasks(folder, arguments.checkpoints)]
    chosen = [task for task in tasks if not arguments.tasks or task.name in arguments.tasks]
    if not chosen:
        parser.error(f"--tasks: none of {', '.join(task.name for task in tasks)}")
    records = _read(arguments.json)
    known = {(record["task"], record["variant"], record["seed"]) for record in records}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for task in chosen:
            for variant in arguments.variants:
                if (task.name, variant, seed) in known:
                    continue
                record = run(task, variant, seed, arguments.trials, arguments.parallel, arguments.bill)
                records.append(record)
                if arguments.json:
                    with arguments.json.open("a") as file:
                        file.write(json.dumps(record) + "\n")
    report(records)


def _read(path: Path | None) -> list[Record]:
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
