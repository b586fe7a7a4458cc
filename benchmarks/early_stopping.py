"""How much early stopping saves, and what it loses, on recorded learning curves.

    python -m benchmarks.early_stopping [FOLDER …] [--trials 20 50] [--workers 2 8] [--json FILE]

The folders hold .npz files (`early_stopping_tasks.py` says what is in them); without any, it is what the project has
recorded itself. Every rule replays the same studies. With the packages of `requirements.txt` installed, other tools'
rules are those of their libraries.

saved: share of all epochs that were not trained. regret: what the best completed trial's last value falls short of
the best there was, in units of (99th percentile - median of the task's last values). missed: share of the studies
whose best trial was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.early_stopping_replay import Outcome, Study, keep_top, replay, studies
from benchmarks.early_stopping_rules import LIBRARIES, RULES, sweeps, variations
from benchmarks.early_stopping_tasks import OWN, Task, read_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.early_stopping_replay import Rule

    Run = Callable[[Study, int], Outcome]

KEPT, KEPT_AFTER = 3, 0.2


@dataclass(frozen=True)
class Record:
    """One rule on one task.

    Attributes:
        library: Whether it was another tool's own code that decided.
        knob: The value of the family's knob in a sweep.
    """

    rule: str
    task: str
    trials: int
    workers: int
    replays: int
    saved: float
    regret: float
    missed: float
    makespan: float
    library: bool = False
    knob: float | None = None


def measure(
    name: str, run: Run, task: Task, trials: int, workers: int, replays: int, seed: int, knob: float | None = None
) -> Record:
    outcomes = [run(Study(task, runs, seconds), workers) for runs, seconds in studies(task, trials, replays, seed)]
    return Record(
        rule=name,
        task=task.name,
        trials=trials,
        workers=workers,
        replays=replays,
        saved=float(np.mean([outcome.saved for outcome in outcomes])),
        regret=float(np.mean([outcome.regret for outcome in outcomes])),
        missed=float(np.mean([outcome.missed for outcome in outcomes])),
        makespan=float(np.mean([outcome.makespan for outcome in outcomes])),
        library=name in LIBRARIES,
        knob=knob,
    )


def by_rule(rule: Rule) -> Run:
    return lambda study, workers: replay(study, rule, workers)


def compared() -> dict[str, Run]:
    runs = {name: by_rule(rule) for name, rule in RULES.items()}
    runs[f"top {KEPT} after {KEPT_AFTER:.0%}"] = lambda study, workers: keep_top(study, KEPT_AFTER, KEPT, workers)
    return runs


def report(records: list[Record], tasks: list[Task], runs: Mapping[str, Run]) -> None:
    """Print the mean over the tasks, then saved/missed in percent for each task."""
    width = max(len(name) for name in runs)
    print(f"\n{records[0].trials} trials, {records[0].workers} workers, {records[0].replays} replays a task")
    print(f"{'rule':{width}}  saved  regret  missed   per task: saved/missed in %")
    for name in runs:
        mine = [record for record in records if record.rule == name]
        saved, regret, missed = (
            np.mean([getattr(record, field) for record in mine]) for field in ("saved", "regret", "missed")
        )
        each = " ".join(f"{100 * record.saved:.0f}/{100 * record.missed:.1f}" for record in mine)
        print(f"{name:{width}} {100 * saved:5.1f}% {regret:7.4f} {100 * missed:6.1f}%   {each}")
    print("tasks: " + ", ".join(f"{task.name} ({task.goal})" for task in tasks))
    print("by their libraries: " + (", ".join(name for name in runs if name in LIBRARIES) or "none"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", default=[OWN], help="folders with learning curves (.npz)")
    parser.add_argument("--trials", type=int, nargs="+", default=[20])
    parser.add_argument("--workers", type=int, nargs="+", default=[2])
    parser.add_argument("--replays", type=int, default=200, help="studies a task (default 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoints", type=int, default=100, help="thin longer curves to this many epochs")
    parser.add_argument("--rules", nargs="+", help="only these (default: all)")
    parser.add_argument("--sensitivity", action="store_true", help="Auto with one constant changed at a time")
    parser.add_argument("--sweep", action="store_true", help="rules over their main knob, for the plot")
    parser.add_argument("--json", type=Path, help="write one record a rule, task, trials and workers")
    arguments = parser.parse_args()

    tasks = [task for folder in arguments.folders for task in read_tasks(folder, arguments.checkpoints)]
    runs = compared()
    if arguments.sensitivity:
        runs = {name: by_rule(rule) for name, rule in variations().items()}
    if arguments.rules:
        runs = {name: run for name, run in runs.items() if name in arguments.rules}
        if not runs:
            parser.error(f"--rules: none of {', '.join(compared())}")
    records: list[Record] = []
    for trials in arguments.trials:
        for workers in arguments.workers:
            sizes = (trials, workers, arguments.replays, arguments.seed)
            part = [measure(name, run, task, *sizes) for name, run in runs.items() for task in tasks]
            report(part, tasks, runs)
            records += part
            if arguments.sweep:
                records += [
                    measure(name, by_rule(rule), task, *sizes, knob=knob)
                    for name, family in sweeps().items()
                    for knob, rule in family.items()
                    for task in tasks
                ]
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(record) for record in records], indent=1) + "\n")


if __name__ == "__main__":
    main()
