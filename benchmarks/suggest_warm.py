"""Compares ways to start from the trials of another job, where they help and where they mislead.

    python -m benchmarks.suggest_warm --seeds 5 --json warm.jsonl
    python -m benchmarks.suggest_warm --seeds 5 --foresight

Needs the packages of `benchmarks/requirements.txt`. Searches that the file has are not run again. Foresight is how well
a model orders points that it has not seen; it takes minutes where searches take an hour (`suggest_warm_foresight.py`).
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
from benchmarks.suggest_warm_foresight import as_related, changed, print_foresight
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, start, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tuning_operator.core.space import Value

    Seen = tuple[Observation, ...]

KINDS = {
    "helpful": {
        "slice from parkinsons": ("slice_localization", "parkinsons_telemonitoring"),
        "naval from slice": ("naval_propulsion", "slice_localization"),
        "protein from slice": ("protein_structure", "slice_localization"),
    },
    "reversed": {
        "naval from its reverse": ("naval_propulsion", "naval_propulsion:reversed"),
        "protein from its reverse": ("protein_structure", "protein_structure:reversed"),
        "slice from its reverse": ("slice_localization", "slice_localization:reversed"),
        "levy from its reverse": ("levy4-noisy", "levy4-noisy:reversed"),
        "branches from its reverse": ("branches4", "branches4:reversed"),
        "valley from its reverse": ("valley5", "valley5:reversed"),
    },
    "unrelated": {
        "slice from noise": ("slice_localization", "slice_localization:shuffled"),
        "protein from noise": ("protein_structure", "protein_structure:shuffled"),
        "levy from noise": ("levy4-noisy", "levy4-noisy:shuffled"),
        "valley from ackley": ("valley5", "ackley5"),
    },
}
"""Problems, and those that their parents searched: reversed, for the worst; shuffled, with results mixed up."""

CASES = {case: problems for kind in KINDS.values() for case, problems in kind.items()}

STARTS = {"related": 2, "related-5": 5}
METHODS = ("alone", "joined", *STARTS)
"""Without the parent's trials; with them as the job's own, as for identical data and algorithm; with them as those of a
related job, where the model takes over after this many own trials."""

PARENT_TRIALS, TRIALS, SLOTS = 30, 20, 2
AT = (5, 10, 15, 20)
LEAST = 1e-3
"""What is less than this of a regret is as good as none."""


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
    return changed(seen, change, seed)


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
    with ExitStack() as stack:
        if method == "joined":
            request = replace(request, observations=request.observations + known)
        elif method in STARTS:
            request = replace(request, relatives=(as_related(request.space, known),))
            stack.enter_context(patch.object(start, "RELATED_START", STARTS[method]))
        (suggestion,) = suggest(request)
    return suggestion.parameters


def main() -> None:
    """Run what is missing, and print mean and standard error over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--seeds", type=int, default=5)
    output = parser.add_mutually_exclusive_group(required=True)
    output.add_argument("--json", type=Path)
    output.add_argument("--foresight", action="store_true", help="judge models instead of searches")
    options = parser.parse_args()
    if options.foresight:
        print_foresight(KINDS, options.seeds)
        return
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
    regrets = {
        (case, method): np.array([curves[method, case, seed] for seed in range(options.seeds)])[:, np.array(AT) - 1]
        for case in options.cases
        for method in options.methods
    }
    print(f"{'case':26}{'method':11}" + "".join(f"{f'{at} trials':>16}" for at in AT))
    for (case, method), found in regrets.items():
        _print_row(case, method, found.mean(axis=0), found.std(axis=0, ddof=1) / options.seeds**0.5)
    for kind, cases in KINDS.items():
        for method in options.methods:
            logs = [
                np.log(np.maximum(regrets[case, method].mean(axis=0), LEAST))
                - np.log(np.maximum(regrets[case, "alone"].mean(axis=0), LEAST))
                for case in cases
                if (case, "alone") in regrets
            ]
            if len(logs) > 1:
                ratios, error = np.exp(np.mean(logs, axis=0)), np.std(logs, axis=0, ddof=1) / len(logs) ** 0.5
                _print_row(f"{kind}: times `alone`", method, ratios, ratios * error)


def _print_row(title: str, method: str, means: NDArray[np.float64], errors: NDArray[np.float64]) -> None:
    cells = zip(means, errors, strict=True)
    print(f"{title:26}{method:11}" + "".join(f"{mean:9.3f} ±{each:.3f}" for mean, each in cells))


if __name__ == "__main__":
    main()
