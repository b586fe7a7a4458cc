"""The two variants of a job beside each other, and what the second has saved against the first; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.early_stopping_replay import Study, replay
from benchmarks.early_stopping_rules import auto
from benchmarks.early_stopping_tasks import Task
from experiment.records import VARIANTS
from tuning_operator.core.model.curves import Goal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from experiment.records import JobRecord, Kind, Stopping


@dataclass(frozen=True, slots=True)
class Pair:
    """The same job twice; shares saved are negative where the second has cost more.

    Attributes:
        base: Without early stopping or, where pauses are compared, without pauses.
        variant: With it.
    """

    base: JobRecord
    variant: JobRecord

    @property
    def training_saved(self) -> float:
        """Share of the training seconds."""
        return 1 - self.variant.training_seconds / self.base.training_seconds

    @property
    def clock_saved(self) -> float:
        """Share of the time from the job's start to its end."""
        return 1 - self.variant.clock_seconds / self.base.clock_seconds

    @property
    def epochs_saved(self) -> float:
        """Share of the epochs asked for that the second job has not trained."""
        return 1 - self.variant.epochs_trained / self.variant.epochs_asked

    @property
    def gained(self) -> float:
        """By how much the best accuracy of the second job is higher."""
        return self.variant.best_value - self.base.best_value

    @property
    def same_bill(self) -> tuple[float, float]:
        """The best accuracy of each when both have trained as long as the cheaper one in all."""
        bill = min(self.base.training_seconds, self.variant.training_seconds)
        first, second = (_best_for(job, bill) for job in (self.base, self.variant))
        return first, second


def pairs(records: Iterable[JobRecord], kind: Kind) -> list[Pair]:
    """The pairs of an experiment by length and seed; a job whose other half is missing is left out."""
    halves: dict[tuple[float, int], dict[Stopping, JobRecord]] = {}
    base, variant = VARIANTS[kind]
    for record in records:
        if record.kind == kind:
            halves.setdefault((record.epoch_seconds or 0, record.seed), {})[record.stopping] = record
    both = sorted((key, half) for key, half in halves.items() if len(half) == len(VARIANTS[kind]))
    return [Pair(half[base], half[variant]) for _, half in both]


def end_delay(job: JobRecord) -> float:
    """Seconds that a stopped trial trained beyond its deciding epoch, in the mean; of a job whose epochs are replays.

    The start of the training program is among them: what the epochs did not take of the trial's training seconds.
    """
    return _mean(
        trial.training_seconds - trial.stop.epoch * (job.epoch_seconds or 0) for trial in job.stopped if trial.stop
    )


@dataclass(frozen=True, slots=True)
class Undelayed:
    """What `Auto` would have done to a job that ran without it, had it known each epoch at its end.

    Attributes:
        saved: Share of the epochs.
        lost: By how much the best of the trials that it left alone is worse than the best of all.
    """

    saved: float
    lost: float


def undelayed(job: JobRecord) -> Undelayed:
    """Run a job's trials again in virtual time, in their order and at their speed.

    That others would have been suggested after a stop is left out of account: what is lost, is lost by the rule.
    """
    curves = np.array([[value for _, value in trial.curve] for trial in job.trials])
    seconds = np.array([trial.training_seconds / job.epochs for trial in job.trials])
    whole = np.where(np.isfinite(curves), curves, -np.inf)
    task = Task(job.name, whole, np.empty((len(whole), 0)), (), Goal.MAXIMIZE, curves)
    study = Study(task, np.arange(len(whole)), seconds)
    saved = replay(study, auto(), job.workers).saved
    return Undelayed(saved, float(np.max(task.finals) - np.max(task.finals[study.completed])))


def gap(job: JobRecord) -> float:
    """Seconds from the end of one trial to the start of the next one in its slot, in the mean."""
    return (job.workers * job.clock_seconds - job.training_seconds) / len(job.trials)


def best_so_far(job: JobRecord) -> Iterator[tuple[float, float]]:
    """At the end of each trial: training seconds of all trials until then, and the best last value of the ended ones.

    As in the job's status, a stopped trial counts with its last value, and a failed one or one that diverged not.
    """
    best = -math.inf
    for now, trial in sorted(((t.finished, t) for t in job.trials if t.finished), key=lambda pair: pair[0]):
        value = trial.curve[-1][1] if trial.curve and trial.phase != "Failed" else math.nan
        best = max(best, value if math.isfinite(value) else -math.inf)
        if math.isfinite(best):
            yield sum(other.trained(now) for other in job.trials), best


def _best_for(job: JobRecord, bill: float) -> float:
    return max((best for spent, best in best_so_far(job) if spent <= bill), default=math.nan)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return fmean(known) if known else math.nan
