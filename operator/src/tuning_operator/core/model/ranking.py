"""Ranks the trials that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.model.parent import BestTrial
from tuning_operator.core.model.trial import searched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.parent import Parent
    from tuning_operator.core.model.trial import Trial


def ranking(job: Job, trials: Sequence[Trial]) -> list[Trial]:
    """Return the ended trials of the search that have a finite objective: the best first, the earlier one of equals."""
    orient = job.spec.objective.goal.orient
    worth = [
        (orient(objective), -trial.number, trial)
        for trial in searched(trials)
        if (objective := trial.objective) is not None
    ]
    ranked = sorted(worth, key=lambda entry: entry[:2], reverse=True)
    return [trial for value, _, trial in ranked if value > float("-inf")]


def best_trial(job: Job, trials: Sequence[Trial]) -> Trial | None:
    """Return the ended trial of the search with the best finite objective; the earlier one of equals."""
    return next(iter(ranking(job, trials)), None)


def overall_best(job: Job, best: Trial | None, parents: Sequence[Parent]) -> BestTrial | None:
    """Return the best trial of a job and its parents, the earliest of equals; None where there are none to compare."""
    if not parents or job.spec.transfer:
        return None
    orient = job.spec.objective.goal.orient
    candidates = [known for known in (*(parent.best for parent in parents), shown(job, best)) if known]
    return max(candidates, default=None, key=lambda best: orient(best.objective))


def shown(job: Job, best: Trial | None) -> BestTrial | None:
    """Return the best trial of a job in the form that is shown to users."""
    measured = best.measured if best else None
    if best is None or measured is None:
        return None
    return BestTrial(job.name, best.name, measured.value, measured.epoch, job.spec.space.render(best.parameters))
