"""Decides which settings are trained again with other seeds, which trainings that still takes, and which setting wins.

The best value of a search is the luckiest of many. So settings are compared by trainings that had no part in choosing
them, with the same seeds for each setting. Everything follows from the trials: a repetition names the trial that it
repeats, and its seed says which repetition it is.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.budget import spent
from tuning_operator.core.model.job import Completion, JobPhase, stable_hash
from tuning_operator.core.model.ranking import best_trial, ranking
from tuning_operator.core.model.trial import TrialPhase, searched
from tuning_operator.core.suggest import Source, Suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the best settings of the search, and how it does with other seeds.

    Attributes:
        trial: The trial of the search that tried it.
        repetitions: The trials that repeat it; those that were stopped tell nothing, and are left out.
        seeds: The seeds to train it with.
    """

    trial: Trial
    repetitions: tuple[Trial, ...]
    seeds: tuple[int, ...]

    @property
    def missing(self) -> tuple[int, ...]:
        """The seeds without a repetition."""
        return tuple(seed for seed in self.seeds if all(trial.seed != seed for trial in self.repetitions))

    @property
    def values(self) -> tuple[float, ...]:
        """The finite objectives of the repetitions that trained to their end."""
        completed = (trial.objective for trial in self.repetitions if trial.phase is TrialPhase.COMPLETED)
        return tuple(value for value in completed if value is not None and math.isfinite(value))

    @property
    def ended(self) -> int:
        """How many repetitions have ended."""
        return sum(trial.phase.is_final for trial in self.repetitions)

    @property
    def is_confirmed(self) -> bool:
        """Whether every seed has given a finite objective."""
        return len(self.values) == len(self.seeds)

    @property
    def mean(self) -> float | None:
        """The mean of the values; None before the first."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Their sample standard deviation; None before there are two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def ignores_seeds(self) -> bool:
        """Whether all repetitions have given the same curve: another seed changes nothing in this training."""
        curves = [trial.curve for trial in self.repetitions if trial.phase is TrialPhase.COMPLETED]
        return len(curves) > 1 and all(curve == curves[0] for curve in curves)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How far a job's confirmation has come, once its search has ended.

    Attributes:
        settings: The best ones of the search, the best first.
        cut: Why no repetition runs any more, if that is so.
        to_come: The repetitions that are still to be committed; none while trials of the search have not ended.
        running: How many repetitions have not ended.
    """

    settings: tuple[Setting, ...]
    cut: Completion | None
    to_come: tuple[Suggestion, ...]
    running: int

    @property
    def goes_on(self) -> bool:
        """Whether the job waits for repetitions."""
        return self.cut is None and bool(self.to_come or self.running)


def cut_short(job: Job, trials: Sequence[Trial], ending: Completion, now: datetime) -> Completion | None:
    """Return why no repetition may run: the search has ended without a winner to confirm, or a budget is spent."""
    if ending.reason.phase is not JobPhase.COMPLETED:
        return ending
    if job.spec.confirm is None:
        return Completion(ending.reason, "spec.confirm was removed")
    return spent(job, trials, now)


def confirmation(job: Job, trials: Sequence[Trial], cut: Completion | None) -> Confirmation:
    """Return the settings to confirm when the search has ended, and how far each has come."""
    found = settings(job, trials)
    return Confirmation(
        found,
        cut,
        _to_come(found, trials),
        running=sum(trial.is_repetition and not trial.phase.is_final for trial in trials),
    )


def is_reopened(job: Job, trials: Sequence[Trial], now: datetime) -> bool:
    """Whether an edit makes a completed job confirm more: `confirm` is new or larger, or a budget was raised."""
    if job.phase is not JobPhase.COMPLETED or job.completion_reason is None or not job.is_edited:
        return False
    cut = cut_short(job, trials, Completion(job.completion_reason, job.message), job.completion_time or now)
    return confirmation(job, trials, cut).goes_on


def settings(job: Job, trials: Sequence[Trial]) -> tuple[Setting, ...]:
    """Return the best settings of the search, the best first, with their repetitions; none without `spec.confirm`."""
    confirm, space = job.spec.confirm, job.spec.space
    if confirm is None:
        return ()
    seeds = tuple(stable_hash(job.seed, "confirm", place) for place in range(confirm.seeds))
    best: dict[tuple[object, ...], Trial] = {}
    for trial in ranking(job, trials):
        best.setdefault(space.key(trial.parameters), trial)
    return tuple(
        Setting(trial, tuple(each for each in trials if _repeats(each, trial, seeds)), seeds)
        for trial in list(best.values())[: confirm.top]
    )


def winner(job: Job, trials: Sequence[Trial]) -> Trial | None:
    """Return the trial whose setting has the best mean of those that are confirmed; without any, the search's best."""
    best = confirmed_best(job, settings(job, trials))
    return best.trial if best else best_trial(job, trials)


def confirmed_best(job: Job, found: Sequence[Setting]) -> Setting | None:
    """Return the confirmed setting with the best mean, the better one of the search among equals; None without any."""
    orient = job.spec.objective.goal.orient
    known = [(orient(setting.mean), setting) for setting in found if setting.is_confirmed and setting.mean is not None]
    return max(known, default=(0.0, None), key=lambda entry: entry[0])[1]


def _to_come(found: Sequence[Setting], trials: Sequence[Trial]) -> tuple[Suggestion, ...]:
    """Return the missing repetitions, setting by setting: if a budget ends them, the best are confirmed."""
    if any(not trial.phase.is_final for trial in searched(trials)):
        return ()
    missing = [(setting, seed) for setting in found for seed in setting.missing]
    first = max((trial.number for trial in trials), default=0) + 1
    return tuple(
        Suggestion(
            number,
            setting.trial.parameters,
            Source.CONFIRMATION,
            f"trains {setting.trial.name} again, with seed {setting.seeds.index(seed) + 1} of {len(setting.seeds)}",
            seed=seed,
            confirms=setting.trial.number,
        )
        for number, (setting, seed) in enumerate(missing, start=first)
    )


def _repeats(trial: Trial, other: Trial, seeds: Sequence[int]) -> bool:
    return trial.confirms == other.number and trial.seed in seeds and trial.phase is not TrialPhase.STOPPED
