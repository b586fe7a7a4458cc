"""What early stopping costs the operator: `python -m benchmarks.stop_cost`.

Prints, for each rule and size of a job, the processor time of one pass: to prepare the rule from all trials' curves,
and to judge one running trial with it.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, Hyperband
from tuning_operator.core.model.trial import Trial, TrialPhase, TrialStatus
from tuning_operator.core.stopping import rule_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tuning_operator.core.stopping import Rule

SIZES = ((20, 10, 2), (1_000, 100, 8), (1_000, 100, 100), (1_000, 1_000, 8), (50, 10_000, 8))
RULES: dict[str, EarlyStopping | Hyperband] = {
    "Auto": EarlyStopping(EarlyStoppingType.AUTO),
    "Median": EarlyStopping(EarlyStoppingType.MEDIAN),
    "Hyperband": Hyperband(1, 27),
}
REPEATS = 5


def trials(count: int, epochs: int, running: int) -> Iterator[Trial]:
    """Completed trials with noisy curves, and running ones at two fifths of their length."""
    rng = np.random.default_rng(0)
    for number in range(1, count + 1):
        goes_on = number > count - running
        length = epochs * 2 // 5 if goes_on else epochs
        values = rng.uniform() * (1 - np.exp(-np.arange(1, length + 1) / epochs * 5)) + rng.normal(0, 0.01, length)
        curve = Curve.of(enumerate(values.tolist(), start=1))
        phase = TrialPhase.RUNNING if goes_on else TrialPhase.COMPLETED
        yield Trial(f"job-{number:04}", number, {}, number, status=TrialStatus(phase=phase, curve=curve))


def milliseconds(work: Callable[[], object]) -> float:
    """Processor time, the least of several runs: the others were disturbed."""

    def once() -> float:
        start = time.process_time()
        work()
        return 1000 * (time.process_time() - start)

    return min(once() for _ in range(REPEATS))


def _judge_all(rule: Rule, judged: Sequence[Trial]) -> None:
    for trial in judged:
        rule(trial)


def main() -> None:
    print("| trials | epochs | running | rule | once a pass | each decision |")
    print("|---|---|---|---|---|---|")
    for count, epochs, running in SIZES:
        known = list(trials(count, epochs, running))
        judged = known[-running:]
        for name, config in RULES.items():
            rule = rule_for(config, Goal.MAXIMIZE, known)
            prepare = milliseconds(partial(rule_for, config, Goal.MAXIMIZE, known))
            decide = milliseconds(partial(_judge_all, rule, judged)) / running
            print(f"| {count:,} | {epochs:,} | {running} | {name} | {prepare:.1f} ms | {decide:.2f} ms |", flush=True)


if __name__ == "__main__":
    main()
