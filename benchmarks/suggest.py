"""Compares suggesters side by side: asynchronous studies in which the oldest of the pending trials completes first.

    python -m benchmarks.suggest --problems protein_structure naval_propulsion --seeds 8 --json runs.jsonl
    python -m benchmarks.suggest --problems report --surrogates FOLDER --seeds 2 --trials 40 --json runs.jsonl
    python -m benchmarks.suggest --costs
    python -m benchmarks.suggest --starts --seeds 300 --methods ours no-middle random
    python -m benchmarks.suggest --foresight --methods as-decided half-ranks botorch-prior

Needs the packages of `benchmarks/requirements.txt`. With `--json` every finished study is appended to the file,
and a study that is in it already is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.suggest_costs import print_costs
from benchmarks.suggest_foresight import print_foresight
from benchmarks.suggest_methods import METHODS, PEERS
from benchmarks.suggest_problems import problem, problems
from benchmarks.suggest_report import Record, plot, print_ratios, print_table
from benchmarks.suggest_starts import print_starts

if TYPE_CHECKING:
    from benchmarks.suggest_functions import Problem
    from tuning_operator.core.space import Value


def study(method: str, task: Problem, seed: int, trials: int, parallel: int, given: int = 0) -> Record:
    """Run one study; its curve is the regret of the best completed trial so far, judged without noise.

    The first points may be given: drawn at random, the same for every method.
    """
    start = task.space.spread(np.random.default_rng((seed, 2)).random((given, len(task.space.parameters))))
    noise = np.random.default_rng((seed, 1))
    suggester = METHODS[method](task.space, seed)
    pending: list[tuple[int, dict[str, Value]]] = []
    best = math.inf
    curve: list[float] = []
    seconds: list[float] = []
    for number in range(1, trials + parallel + 1):
        if len(pending) == parallel or (number > trials and pending):
            oldest, point = pending.pop(0)
            best = min(best, task.loss(point))
            curve.append(task.regret(best))
            suggester.tell(oldest, task.report(point, noise))
        if number <= trials:
            began = time.process_time()
            if number <= given:
                point = task.space.decode(start[number - 1])
                suggester.take(number, point)
            else:
                point = suggester.ask(number)
            pending.append((number, point))
            seconds.append(time.process_time() - began)
    return {"method": method, "task": task.name, "seed": seed, "given": given, "curve": curve, "seconds": seconds}


def main() -> None:
    """Run what is missing, then print and plot everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(PEERS), choices=METHODS)
    parser.add_argument("--problems", nargs="+", default=["development"], help="see suggest_problems.py; or `report`")
    parser.add_argument("--surrogates", type=Path, help="folder of YAHPO's surrogates: see suggest_surrogates.py")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--given", type=int, default=0, help="first points that all methods have in common")
    parser.add_argument("--json", type=Path, help="file of finished studies, one JSON object a line")
    parser.add_argument("--plot", type=Path, help="PNG to write")
    parser.add_argument("--costs", action="store_true", help="print seconds and memory of our suggestions, and end")
    parser.add_argument("--foresight", action="store_true", help="print how well variants' models order unseen points")
    parser.add_argument("--starts", action="store_true", help="print what a search's first points are worth, and end")
    options = parser.parse_args()
    if options.costs:
        print_costs()
        return
    torch.set_num_threads(1)  # for every method: threads would fight over a shared machine
    chosen = problems(options.problems, options.surrogates)
    if options.foresight:
        print_foresight(chosen, options.surrogates, options.methods, options.seeds)
        return
    if options.starts:
        print_starts(chosen, options.methods, options.seeds)
        return
    records = [record for record in _read(options.json) if record["given"] == options.given]
    known = {(record["method"], record["task"], record["seed"]) for record in records}
    for seed in range(options.seeds):
        for name in chosen:
            for method in options.methods:
                if (method, name, seed) in known:
                    continue
                task = problem(name, options.surrogates)
                record = study(method, task, seed, options.trials, options.parallel, options.given)
                records.append(record)
                if options.json:
                    with options.json.open("a") as file:
                        file.write(json.dumps(record) + "\n")
    shown = [
        record
        for record in records
        if record["task"] in chosen and record["method"] in options.methods and record["seed"] < options.seeds
    ]
    print_table(shown, chosen, options.methods)
    print_ratios(shown, chosen, options.methods)
    if options.plot:
        plot(shown, chosen, options.methods, options.plot)


def _read(path: Path | None) -> list[Record]:
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
