"""What a user gets for the same bill: the best value against the training spent, in whole jobs.

    python -m benchmarks.equal_cost [FOLDER …] [--tasks NAME …] --json runs.jsonl
    python -m benchmarks.equal_cost --json runs.jsonl --plot docs/images/equal-cost.png --seeds 0

Jobs run in virtual time through the operator's own decisions and suggestions (`virtual_job.py`) until they have spent
the bill, with every kind of stopping and both kinds of proposals. Every finished job is appended to the file, and a
job that is in it already is not run again.

regret: what the best objective falls short of the best recorded run, in units of (99th percentile - median of the
task's last values). The bill is in full trainings.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import torch

from benchmarks.early_stopping_tasks import OWN, read_tasks
from benchmarks.virtual_job import VirtualJob
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, Hyperband
from tuning_operator.core.model.spec import Limits, Strategy

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.early_stopping_tasks import Task

    Record = dict[str, Any]

STOPPING = ("Off", "Median", "Auto", "Hyperband")
PROPOSALS = {"random": Strategy.RANDOM, "model": Strategy.BAYESIAN}
MOST_TRIALS = 200
SHOWN = (4, 6, 8, 10, 12)


def stopping_of(name: str, task: Task) -> EarlyStopping | Hyperband:
    """The rule of that name; Hyperband's trainings are as long as the task's."""
    if name == "Hyperband":
        return Hyperband(1, task.curves.shape[1])
    return EarlyStopping(EarlyStoppingType(name))


def run(task: Task, stopping: str, proposals: str, seed: int, bill: float) -> Record:
    """Run a job until the bill is spent."""
    length = task.curves.shape[1]
    most = min(MOST_TRIALS, len(task.curves))
    job = VirtualJob(task, Limits(most, 2), stopping_of(stopping, task), seed, strategy=PROPOSALS[proposals])
    job.run(most_epochs=round(bill * length))
    best = float(np.max(task.finals))
    return {
        "task": task.name,
        "stopping": stopping,
        "proposals": proposals,
        "seed": seed,
        "regret": [(best - step.best) / task.scale for step in job.steps],
        "cost": [step.epochs / length for step in job.steps],
        "trials": len(job.trials),
    }


def at(record: Record, bill: float) -> float:
    """The regret once the bill was spent; before a first trial has ended, that of the first."""
    known = [regret for cost, regret in zip(record["cost"], record["regret"], strict=True) if cost <= bill]
    return float(known[-1] if known else record["regret"][0])


def curve(records: Sequence[Record], bills: Sequence[float]) -> tuple[list[float], list[float]]:
    """Mean regret at each bill, and its standard error over the jobs."""
    values = np.array([[at(record, bill) for bill in bills] for record in records])
    return values.mean(axis=0).tolist(), (values.std(axis=0, ddof=1) / np.sqrt(len(values))).tolist()


def report(records: list[Record]) -> None:
    """Print the mean regret at some bills."""
    print("| stopping | proposals | jobs | trials | " + " | ".join(f"{bill} trainings" for bill in SHOWN) + " |")
    print("|---|---|---|---|" + "---|" * len(SHOWN))
    for stopping, proposals in product(STOPPING, PROPOSALS):
        mine = _of(records, stopping, proposals)
        if len(mine) > 1:
            cells = " | ".join(f"{mean:.3f} ± {error:.3f}" for mean, error in zip(*curve(mine, SHOWN), strict=True))
            trials = np.mean([record["trials"] for record in mine])
            print(f"| {stopping} | {proposals} | {len(mine)} | {trials:.0f} | {cells} |")


def plot(records: list[Record], image: Path) -> None:
    """Draw mean regret against the bill, a panel for each kind of proposals."""
    figure, panels = plt.subplots(1, len(PROPOSALS), figsize=(9, 4), sharey=True)
    bills = np.arange(2, max(SHOWN) + 0.01, 0.25).tolist()
    for panel, proposals in zip(panels, PROPOSALS, strict=True):
        for stopping in STOPPING:
            mine = _of(records, stopping, proposals)
            if len(mine) > 1:
                mean, error = (np.array(each) for each in curve(mine, bills))
                (line,) = panel.plot(bills, mean, label=stopping)
                panel.fill_between(bills, mean - error, mean + error, alpha=0.12, color=line.get_color(), linewidth=0)
        panel.set(xlabel="bill, in full trainings", title=f"{proposals} proposals", yscale="log")
        panel.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("regret of the best trial (mean, standard error)")
    panels[-1].legend()
    figure.tight_layout()
    figure.savefig(image, dpi=100)


def _of(records: list[Record], stopping: str, proposals: str) -> list[Record]:
    return [record for record in records if (record["stopping"], record["proposals"]) == (stopping, proposals)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", default=[OWN], help="folders with learning curves (.npz)")
    parser.add_argument("--tasks", nargs="+", help="only these (default: all)")
    parser.add_argument("--bill", type=float, default=max(SHOWN), help="in full trainings (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=4, help="jobs a task and variant; 0 to show only what is known")
    parser.add_argument("--checkpoints", type=int, default=30, help="thin longer curves to this many epochs")
    parser.add_argument("--json", type=Path, required=True, help="file of finished jobs, one JSON object a line")
    parser.add_argument("--plot", type=Path, help="draw the regret against the bill into this image")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    records = [json.loads(line) for line in arguments.json.read_text().splitlines()] if arguments.json.exists() else []
    known = {tuple(record[key] for key in ("task", "stopping", "proposals", "seed")) for record in records}
    tasks = [task for folder in arguments.folders for task in read_tasks(folder, arguments.checkpoints)]
    tasks = [task for task in tasks if not arguments.tasks or task.name in arguments.tasks]
    for seed, task, stopping, proposals in product(range(arguments.seeds), tasks, STOPPING, PROPOSALS):
        if (task.name, stopping, proposals, seed) not in known:
            record = run(task, stopping, proposals, seed, arguments.bill)
            records.append(record)
            with arguments.json.open("a") as file:
                file.write(json.dumps(record) + "\n")
    report(records)
    if arguments.plot:
        plot(records, arguments.plot)


if __name__ == "__main__":
    main()
