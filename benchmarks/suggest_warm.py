"""Compares ways to start from the trials of another job, where they help and where they mislead.

    python -m benchmarks.suggest_warm --seeds 5 --json warm.jsonl

Needs the packages of `benchmarks/requirements.txt`. Searches that the file has are not run again.
"""

from __future__ import annotations

import argparse
import json
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from benchmarks.suggest_problems import problem
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation, RelatedTrial
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, start, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.space import Value

    Seen = tuple[Observation, ...]

CASES = {
    "slice from parkinsons": ("slice_localization", "parkinsons_telemonitoring"),
    "naval from slice": ("naval_propulsion", "slice_localization"),
    "naval from its reverse": ("naval_propulsion", "naval_propulsion:reversed"),
    "slice from noise": ("slice_localization", "slice_localization:shuffled"),
}
"""A problem, and the one that its parent searched: reversed, for the worst; shuffled, with results mixed up."""

STARTS = {"related": 2, "related-5": 5}
METHODS = ("alone", "joined", *STARTS)
"""Without the parent's trials; with them as the job's own, as for identical data and algorithm; with them as those of a
related job, where the model takes over after this many own trials."""

PARENT_TRIALS, TRIALS, SLOTS = 30, 20, 2
AT = (5, 10, 15, 20)


@cache
def parent(name: str, seed: int) -> Seen:
    """Return the trials of a search that has ended."""
    plain, _, change = name.partition(":")
    task = problem(plain)
    goal = Goal.MAXIMIZE if change == "reversed" else Goal.MINIMIZE
    seen: list[Observation] = []
    for number in range(1, PARENT_TRIALS + 1):
        request = SuggestRequest(task.space, goal, Strategy.BAYESIAN, seed + 100, (number,), tuple(seen), ())
        (suggestion,) = suggest(request)
        seen.append(Observation(suggestion.parameters, task.loss(suggestion.parameters)))
    losses = np.array([each.objective for each in seen])
    if change == "reversed":
        losses = -losses
    if change == "shuffled":
        losses = np.random.default_rng(seed).permutation(losses)
    return tuple(replace(each, objective=float(loss)) for each, loss in zip(seen, losses, strict=True))


def study(method: str, case: str, seed: int) -> list[float]:
    """Return the regret of the best point after each trial of a search."""
    name, earlier = CASES[case]
    task, known = problem(name), parent(earlier, seed)
    running: deque[Mapping[str, Value]] = deque()
    seen: list[Observation] = []
    curve: list[float] = []
    for number in range(1, TRIALS + SLOTS + 1):
        if number > SLOTS:
            point = running.popleft()
            seen.append(Observation(point, task.loss(point)))
            curve.append(task.regret(min(each.objective for each in seen if each.objective is not None)))
        if number <= TRIALS:
            request = SuggestRequest(
                task.space, Goal.MINIMIZE, Strategy.BAYESIAN, seed, (number,), tuple(seen), tuple(running)
            )
            running.append(_ask(method, request, known))
    return curve


def _ask(method: str, request: SuggestRequest, known: Seen) -> Mapping[str, Value]:
    space = request.space
    with ExitStack() as stack:
        if method == "joined":
            request = replace(request, observations=request.observations + known)
        elif method in STARTS:
            trials = (RelatedTrial(space.place(space.render(each.parameters)), each.objective) for each in known)
            request = replace(request, relatives=(tuple(trials),))
            stack.enter_context(patch.object(start, "RELATED_START", STARTS[method]))
        (suggestion,) = suggest(request)
    return suggestion.parameters


def main() -> None:
    """Run what is missing, and print mean and standard error over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    lines = options.json.read_text().splitlines() if options.json.exists() else []
    curves: dict[tuple[Any, ...], list[float]] = {
        (each["method"], each["case"], each["seed"]): each["curve"] for each in map(json.loads, lines)
    }
    wanted = [
        (method, case, seed) for seed in range(options.seeds) for case in options.cases for method in options.methods
    ]
    with options.json.open("a") as file:
        for method, case, seed in wanted:
            if (method, case, seed) not in curves:
                curve = curves[method, case, seed] = study(method, case, seed)
                file.write(json.dumps({"method": method, "case": case, "seed": seed, "curve": curve}) + "\n")
                file.flush()
    print(f"{'case':24}{'method':11}" + "".join(f"{f'{at} trials':>16}" for at in AT))
    for case in options.cases:
        for method in options.methods:
            regrets = np.array([curves[method, case, seed] for seed in range(options.seeds)])[:, [at - 1 for at in AT]]
            error = regrets.std(axis=0, ddof=1) / options.seeds**0.5
            cells = zip(regrets.mean(axis=0), error, strict=True)
            print(f"{case:24}{method:11}" + "".join(f"{mean:9.3f} ±{each:.3f}" for mean, each in cells))


if __name__ == "__main__":
    main()
