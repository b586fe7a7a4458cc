"""Other tools' rules for early stopping, re-implemented in a few lines; each names the source that it follows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.stopping.median import quantile

if TYPE_CHECKING:
    from benchmarks.early_stopping_replay import Study
    from benchmarks.early_stopping_tasks import Array


def optuna_median(study: Study, trial: int) -> bool:
    """Optuna 5.0 `MedianPruner()`: best so far below the median of 5 or more completed trials' values."""
    step = study.done[trial] - 1
    completed = [other for other in study.completed if math.isfinite(study.finals[other])]
    if len(completed) < 5:
        return False
    best = float(study.best[trial, step])
    if not math.isfinite(best):
        return True
    values = study.curves[completed, step]
    finite = values[np.isfinite(values)]
    return bool(finite.size) and best < float(np.median(finite))


def syne_tune_median(study: Study, trial: int) -> bool:
    """Syne Tune 0.16 `MedianStoppingRule`: running average outside the better half of 5 or more at this epoch."""
    step = study.done[trial] - 1
    reached = [other for other in study.started if study.done[other] > step]
    better = int(np.count_nonzero(study.means[reached, step] > study.means[trial, step]))
    return len(reached) >= 5 and better / len(reached) > 0.5


def ax_default(study: Study, trial: int) -> bool:
    """Ax 1.3 `get_default_ess_or_none`: the worse half, top 3 protected, not if it would have stopped the best."""
    step = study.done[trial] - 1
    if len(study.completed) < 3 or not _ax_window(study, step):
        return False
    reached = [other for other in study.started if study.done[other] > step]
    return _ax_stops(study.curves[reached, step], float(study.curves[trial, step])) and not _ax_harmful(study)


def _ax_window(study: Study, step: int) -> bool:
    return 0.2 <= step / (study.length - 1) <= 0.9


def _ax_stops(values: Array, value: float) -> bool:
    if len(np.unique(values[values > value])) < 3:
        return False
    return value < quantile(values.tolist(), 0.5)


def _ax_harmful(study: Study) -> bool:
    """`best_trial_vulnerable`: replay the rule on what is known, all trials side by side."""
    known = [other for other in study.started if study.done[other]]
    last = [study.curves[other, study.done[other] - 1] for other in known]
    best = known[int(np.argmax(last))]
    startup = [other for other in sorted(study.completed) if other != best][:3]
    active = [other for other in known if other != best and other not in startup]
    for step in range(study.done[best]):
        if not _ax_window(study, step):
            continue
        if not active:
            return False
        values = study.curves[[other for other in (*startup, *active) if study.done[other] > step], step]
        if values.size and _ax_stops(values, float(study.curves[best, step])):
            return True
        active = [
            other
            for other in active
            if study.done[other] <= step or not _ax_stops(values, float(study.curves[other, step]))
        ]
    return False


def asha(study: Study, trial: int, factor: int = 3) -> bool:
    """ASHA, stopping form (Li et al., 2020): at 1, 3, 9, … epochs only the better third continues."""
    done = study.done[trial]
    if done not in {factor**power for power in range(12)}:
        return False
    reached = [other for other in study.started if study.done[other] >= done]
    kept = max(1, len(reached) // factor)
    better = int(np.count_nonzero(study.curves[reached, done - 1] > study.curves[trial, done - 1]))
    return len(reached) >= factor and better >= kept
