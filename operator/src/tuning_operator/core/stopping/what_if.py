"""Replay a job's curves under another early stopping rule.

The rule sees the curves as they grew, and judges as in the operator. A replay knows only what was recorded: a stopped
trial has no further curve, and other stops would have led to other trials.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tuning_operator.core.model.early_stopping import EarlyStopping, Hyperband
from tuning_operator.core.model.ranking import best_trial
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase, TrialStatus, searched
from tuning_operator.core.stopping.judging import judged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tuning_operator.core.model.job import Job

MOST_MOMENTS = 2_000
"""How often the rule judges at most; with more epochs in a job it sees several at once, as between two scrapes."""

_WHOLE = frozenset({TrialPhase.COMPLETED, TrialPhase.FAILED})
"""Trials that ended by themselves: their whole curves are known."""

_UNSETTLED = frozenset({TrialPhase.RUNNING, TrialPhase.STOPPING})


@dataclass(frozen=True, slots=True)
class TrialWhatIf:
    """What the rule would have done with a trial.

    Attributes:
        phase: As recorded.
        stop: The rule's decision; None if the trial would have continued.
        recorded_stop: The recorded decision, if early stopping ended it.
        epochs_saved: Epochs of its recorded curve that it would not have trained.
        seconds_saved: The time that they took.
        open_end: Whether the rule would have let it continue beyond its recorded curve.
    """

    name: str
    number: int
    phase: TrialPhase
    stop: StopDecision | None
    recorded_stop: StopDecision | None
    epochs_saved: float
    seconds_saved: int
    open_end: bool


@dataclass(frozen=True, slots=True)
class Best:
    """A trial with its objective."""

    name: str
    objective: float


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What the rule would have done with a job.

    Attributes:
        trials: Every trial that reported an epoch, by number.
        training_seconds: The time that all trials took.
        best: The best trial of the record.
        best_after: The best trial that would have ended, each with its value then.
        winner_lost: Whether the best would have been stopped with a worse value; None without a best trial.
        unknown: What a replay cannot know, a sentence each.
    """

    trials: tuple[TrialWhatIf, ...]
    epochs_saved: float
    seconds_saved: int
    training_seconds: int
    best: Best | None
    best_after: Best | None
    winner_lost: bool | None
    unknown: tuple[str, ...]

    @property
    def stopped(self) -> int:
        """How many trials would have been stopped."""
        return sum(trial.stop is not None for trial in self.trials)


def what_if(job: Job, trials: Sequence[Trial], rule: EarlyStopping | Hyperband) -> WhatIf:
    """Replay a job's curves, in the order in which they grew, under another rule."""
    known = tuple(trial for trial in searched(trials) if len(trial.curve))
    epochs = sum(len(trial.curve) for trial in known)
    width = math.ceil(epochs / MOST_MOMENTS)
    replayed = _replayed(job, known, rule, width)
    replays = tuple(_told(trial, replayed[trial.name]) for trial in known)
    best, best_after = best_trial(job, known), best_trial(job, tuple(replayed.values()))
    return WhatIf(
        trials=replays,
        epochs_saved=sum(trial.epochs_saved for trial in replays),
        seconds_saved=sum(trial.seconds_saved for trial in replays),
        training_seconds=sum(trial.status.training_seconds for trial in searched(trials)),
        best=_best(best),
        best_after=_best(best_after),
        winner_lost=_is_lost(job, best, best_after) if best else None,
        unknown=tuple(_unknown(replays, epochs, width)),
    )


class _Growth(NamedTuple):
    """A trial's curve grows to this many measurements."""

    when: datetime
    number: int
    length: int


def _replayed(job: Job, trials: Sequence[Trial], rule: EarlyStopping | Hyperband, width: int) -> dict[str, Trial]:
    """Return the trials as they would have ended.

    Args:
        job: Provides the objective.
        trials: With whole curves, as recorded.
        rule: The other rule.
        width: How many epochs arrive between two judgements.
    """
    if isinstance(rule, Hyperband):
        spec = replace(job.spec, hyperband=rule, early_stopping=EarlyStopping())
    else:
        spec = replace(job.spec, hyperband=None, early_stopping=replace(rule, dry_run=False))
    judge, recorded = replace(job, spec=spec), {trial.number: trial for trial in trials}
    states: dict[int, Trial] = {}
    growth = sorted(_growth(trials))
    for start in range(0, len(growth), max(1, width)):
        lengths = {number: length for _, number, length in growth[start : start + max(1, width)]}
        grown = [number for number in lengths if number not in states or states[number].phase is TrialPhase.RUNNING]
        for number in grown:
            states[number] = _at(recorded[number], lengths[number])
        for trial in judged(tuple(states[number] for number in sorted(states)), judge):
            if trial.phase in _UNSETTLED:
                states[trial.number] = _settled(trial, recorded[trial.number])
    return {trial.name: states[trial.number] for trial in trials}


def _growth(trials: Iterable[Trial]) -> list[_Growth]:
    """Return when each curve had grown to which length; epochs have no times, so they are spread evenly."""
    known = list(trials)
    paces = [_pace(trial) for trial in known]
    usual = statistics.median([pace for pace in paces if pace is not None] or [1.0])
    found = []
    for trial, pace in zip(known, paces, strict=True):
        first, seconds = trial.status.start_time or datetime.min.replace(tzinfo=UTC), usual if pace is None else pace
        found += [
            _Growth(first + timedelta(seconds=seconds * length), trial.number, length)
            for length in range(1, len(trial.curve) + 1)
        ]
    return found


def _pace(trial: Trial) -> float | None:
    """Return the seconds per epoch of a trial that has ended."""
    start, end = trial.status.start_time, trial.status.completion_time
    return (end - start).total_seconds() / len(trial.curve) if start and end else None


def _at(trial: Trial, length: int) -> Trial:
    """Return the trial when its curve was this long; at the end of its training there is nothing to judge."""
    if length == len(trial.curve) and trial.phase in _WHOLE:
        return replace(trial, status=replace(trial.status, stop=None, would_stop=None))
    curve = trial.curve if length == len(trial.curve) else trial.curve.head(length)
    status = TrialStatus(phase=TrialPhase.RUNNING, start_time=trial.status.start_time, curve=curve)
    return replace(trial, status=status)


def _settled(trial: Trial, recorded: Trial) -> Trial:
    """Return the trial after a judgement: stopped at once, or as recorded where its record ends."""
    if trial.phase is TrialPhase.STOPPING:
        return replace(trial, status=replace(trial.status, phase=TrialPhase.EARLY_STOPPED))
    if trial.phase is TrialPhase.RUNNING and len(trial.curve) == len(recorded.curve):
        phase = recorded.phase if recorded.phase.is_final else TrialPhase.RUNNING
        return replace(trial, status=replace(trial.status, phase=phase))
    return trial


def _told(recorded: Trial, replayed: Trial) -> TrialWhatIf:
    stop = replayed.status.stop
    spared = len(recorded.curve) - len(replayed.curve)
    last, then = recorded.curve.latest, replayed.curve.latest
    recorded_stop = recorded.status.stop
    return TrialWhatIf(
        name=recorded.name,
        number=recorded.number,
        phase=recorded.phase,
        stop=stop,
        recorded_stop=recorded_stop if recorded_stop and recorded_stop.early else None,
        epochs_saved=last.epoch - then.epoch if last and then else 0,
        seconds_saved=round(recorded.status.training_seconds * spared / len(recorded.curve)),
        open_end=stop is None and recorded.phase not in _WHOLE,
    )


def _best(trial: Trial | None) -> Best | None:
    return Best(trial.name, trial.objective) if trial and trial.objective is not None else None


def _is_lost(job: Job, best: Trial, after: Trial | None) -> bool:
    if after is None or after.objective is None or best.objective is None:
        return True
    return job.spec.objective.goal.is_better(best.objective, after.objective)


def _unknown(trials: Sequence[TrialWhatIf], epochs: int, width: int) -> Iterable[str]:
    yield "epochs have no times: they are spread evenly over the time of each trial"
    if width > 1:
        yield f"the rule judged once for {width} of {epochs} epochs"
    if any(
        (trial.stop and trial.stop.epoch) != (trial.recorded_stop and trial.recorded_stop.epoch) for trial in trials
    ):
        yield (
            "after the first difference other hyperparameters would have been suggested, and slots would have become "
            "free at other times: the trials here are those of the record"
        )
    cut = sum(trial.open_end and trial.phase.is_final for trial in trials)
    if cut:
        yield f"how {cut} of the stopped trials would have continued"
    running = sum(trial.open_end and not trial.phase.is_final for trial in trials)
    if running:
        yield f"how {running} of the trials continue, which have not ended"
