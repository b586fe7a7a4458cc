"""Estimates what early stopping saves, and what a dry run would have saved and lost.

A stopped trial saves the epochs that it lacks to its length: the one a hyperparameter sets, or else the completed
trials' median (with Hyperband, the most that a trial trains). An epoch costs the seconds that it took this trial on
average, but no more than it took the completed ones, since a trial stopped soon spent much of its time starting.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning_operator.core.model.early_stopping import EarlyStoppingType
from tuning_operator.core.model.ranking import best_trial
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.stopping.grid import Grid
from tuning_operator.core.stopping.lengths import Lengths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial


@dataclass(frozen=True, slots=True)
class Saving:
    """What stopping a number of trials saves."""

    trials: int
    epochs: int
    seconds: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a dry run shows.

    Attributes:
        would_miss_best: Whether the best trial so far would have been stopped; None until a trial has ended that
            would have been.
    """

    saving: Saving
    would_miss_best: bool | None
    message: str


@dataclass(frozen=True, slots=True)
class Savings:
    """What early stopping does for a job.

    Attributes:
        dry_run: None for a job that never had one.
        resumptions: How often its trials were resumed after a pause.
        repeated_epochs: Epochs that were trained again for that, as far as it was seen.
    """

    stopped: Saving
    dry_run: DryRun | None
    resumptions: int = 0
    repeated_epochs: int = 0


def savings(job: Job, trials: Sequence[Trial]) -> Savings | None:
    """Return what early stopping saves; None for a job that never had it."""
    config = job.spec.early_stopping
    stopped = [trial for trial in trials if trial.phase is TrialPhase.EARLY_STOPPED]
    tried = [trial for trial in trials if trial.status.would_stop]
    if config.type is EarlyStoppingType.OFF and not stopped and not tried:
        return None
    usual = _Usual.of(job, trials) if stopped or tried or config.dry_run else None
    return Savings(
        stopped=usual.of_stopped(stopped) if usual else Saving(0, 0, 0),
        dry_run=_dry_run(job, trials, tried, usual) if usual and (config.dry_run or tried) else None,
        resumptions=sum(trial.status.resumptions for trial in trials),
        repeated_epochs=sum(trial.status.repeated_epochs for trial in trials),
    )


@dataclass(frozen=True, slots=True)
class _Usual:
    """A whole trial's length in epochs, and the completed trials' median seconds per epoch, if any.

    Attributes:
        lengths: Those of trials whose hyperparameters set it; None with Hyperband.
    """

    grid: Grid
    lengths: Lengths | None
    length: float
    pace: float | None

    @classmethod
    def of(cls, job: Job, trials: Sequence[Trial]) -> _Usual:
        grid = Grid(job.spec.objective.goal, trials)
        completed = [trial for trial in trials if trial.phase is TrialPhase.COMPLETED and trial.curve]
        length = statistics.median([grid.trained(trial.curve) for trial in completed] or [0])
        pace = statistics.median(_pace(trial, grid) for trial in completed) if completed else None
        if job.spec.hyperband:
            return cls(grid, None, job.spec.hyperband.max_resource, pace)
        return cls(grid, Lengths(grid, trials), length, pace)

    def length_of(self, trial: Trial) -> float:
        """Return how many epochs a trial has when it is not stopped."""
        own = self.lengths.of(trial.name) if self.lengths and self.lengths.parameter else None
        return self.length if own is None else own - self.grid.before

    def of_stopped(self, trials: Iterable[Trial]) -> Saving:
        """Add up what is saved by trials that have been stopped."""
        return self.saving((trial, self.length_of(trial) - self.grid.trained(trial.curve)) for trial in trials)

    def saving(self, parts: Iterable[tuple[Trial, float]]) -> Saving:
        """Add up the saving if these trials do not train these epochs."""
        known = [(trial, max(0.0, epochs)) for trial, epochs in parts]
        return Saving(
            len(known),
            round(sum(epochs for _, epochs in known)),
            round(sum(epochs * self._seconds_per_epoch(trial) for trial, epochs in known)),
        )

    def _seconds_per_epoch(self, trial: Trial) -> float:
        """Return the trial's own seconds per epoch if it has ended, but no more than usual."""
        own = [_pace(trial, self.grid)] if trial.phase.is_final else []
        return min(own if self.pace is None else [*own, self.pace], default=0.0)


def _pace(trial: Trial, grid: Grid) -> float:
    return trial.status.training_seconds / (grid.trained(trial.curve) or 1)


def _dry_run(job: Job, trials: Sequence[Trial], tried: Sequence[Trial], usual: _Usual) -> DryRun:
    saving = usual.saving((trial, _epochs_after_decision(trial, usual)) for trial in tried)
    sentence = f"dry run: {len(tried)} of {len(trials)} trials would have been stopped"
    best = best_trial(job, trials)
    if best is None or not any(trial.phase.is_final for trial in tried):
        return DryRun(saving, None, sentence)
    kept = best_trial(job, [trial for trial in trials if not trial.status.would_stop])
    if best.status.would_stop is None or (kept and kept.objective == best.objective):
        return DryRun(
            saving, would_miss_best=False, message=f"{sentence}; the best, {_with_objective(kept)}, would not"
        )
    return DryRun(
        saving,
        would_miss_best=True,
        message=f"{sentence}, among them the best, {_with_objective(best)}, at epoch {best.status.would_stop.epoch};"
        f" the best would have been {_with_objective(kept)}",
    )


def _with_objective(trial: Trial | None) -> str:
    return f"{trial.name} ({trial.objective:.6g})" if trial else "none"


def _epochs_after_decision(trial: Trial, usual: _Usual) -> float:
    """Return how many epochs a trial trained after it would have been stopped, or will train."""
    stop = trial.status.would_stop
    trained = usual.grid.trained(trial.curve)
    known = usual.grid.trained(trial.curve.until(stop.epoch)) if stop and stop.epoch is not None else trained
    has_run_out = trial.phase.is_final and trial.phase is not TrialPhase.EARLY_STOPPED
    return (trained if has_run_out else max(usual.length_of(trial), trained)) - known
