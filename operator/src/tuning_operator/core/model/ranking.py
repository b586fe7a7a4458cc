"""Ranks the trials that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.model.parent import BestTrial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.parent import Parent
    from tuning_operator.core.model.trial import Trial


def best_trial(job: Job, trials: Sequence[Trial]) -> Trial | None:
    """Return the ended trial with the best finite objective; the earlier one of equals."""
    orient = job.spec.objective.goal.orient
    ranked = [(orient(trial.objective), -trial.number, trial) for trial in trials if trial.objective is not None]
    best = max(ranked, default=None, key=lambda entry: entry[:2])
    return best[2] if best and best[0] > float("-inf") else None


def overall_best(job: Job, trials: Sequence[Trial], parents: Sequence[Parent]) -> BestTrial | None:
    """Return the best trial of a job and its parents, the earliest of equals; None where there are none to compare."""
    if not parents or job.spec.transfer:
        return None
    orient = job.spec.objective.goal.orient
    candidates = [best for best in (*(parent.best for parent in parents), best_of(job, trials)) if best]
    return max(candidates, default=None, key=lambda best: orient(best.objective))


def best_of(job: Job, trials: Sequence[Trial]) -> BestTrial | None:
    """Return the best trial of a job in the form that is shown to users."""
    best = best_trial(job, trials)
    measured = best.measured if best else None
    if best is None or measured is None:
        return None
    return BestTrial(job.name, best.name, measured.value, measured.epoch, job.spec.space.render(best.parameters))
