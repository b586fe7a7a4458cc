"""Decides whether a job has spent its time, its training time or its GPU hours, and when that is due.

All attempts count, also those that failed or were disrupted; one that still runs counts up to now.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.job import Completion, CompletionReason
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial

_FARTHEST = 86_400.0
"""Longest time in seconds until the next look: a large budget may outlast the range of dates."""


def spent(job: Job, trials: Sequence[Trial], now: datetime) -> Completion | None:
    """Return the budget that is spent, or None."""
    limit = job.spec.limits.max_duration
    if limit is not None and job.start_time is not None and now - job.start_time - job.idle >= limit:
        return Completion(CompletionReason.MAX_DURATION, f"limits.maxDuration ({limit}) has passed")
    for reason, allowed, budget in _budgets(job):
        seconds = _seconds(trials, now)
        if seconds >= allowed:
            return Completion(reason, f"{budget} is used up: {_used(job, seconds)}")
    return None


def spent_at(job: Job, trials: Sequence[Trial], now: datetime) -> datetime | None:
    """Return when the running trials will have spent a budget; None without a budget or running trials."""
    running = sum(trial.phase in _TRAINING and trial.status.start_time is not None for trial in trials)
    left = min((allowed for _, allowed, _ in _budgets(job)), default=None)
    if left is None or not running:
        return None
    left -= _seconds(trials, now)
    return now + timedelta(seconds=min(_FARTHEST, max(0.0, left) / running))


_TRAINING = frozenset({TrialPhase.RUNNING, TrialPhase.STOPPING})


def _budgets(job: Job) -> Iterator[tuple[CompletionReason, float, str]]:
    """Yield each budget's reason, the seconds that all trials together may train, and the limit in words."""
    limits, nodes = job.spec.limits, job.spec.nodes
    if limits.max_training_time is not None:
        allowed = limits.max_training_time.total_seconds() / nodes
        yield CompletionReason.MAX_TRAINING_TIME, allowed, f"limits.maxTrainingTime ({limits.max_training_time})"
    gpus = job.spec.cost.gpus_per_pod
    if limits.max_gpu_hours is not None and gpus:
        allowed = limits.max_gpu_hours * 3600 / (gpus * nodes)
        yield CompletionReason.MAX_GPU_HOURS, allowed, f"limits.maxGPUHours ({limits.max_gpu_hours:g})"


def _seconds(trials: Sequence[Trial], now: datetime) -> float:
    return sum(trial.status.seconds(now) for trial in trials)


def _used(job: Job, seconds: float) -> str:
    nodes, gpus = job.spec.nodes, job.spec.cost.gpus_per_pod
    on = f" on {nodes} nodes" if nodes > 1 else ""
    with_gpus = f", with {gpus:g} GPUs each" if gpus else ""
    return f"the trials have trained for {timedelta(seconds=round(seconds))}{on}{with_gpus}"
