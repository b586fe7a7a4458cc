"""The condition that names objects in a job's way, or changed since the operator made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.slots import NAME_TAKEN
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.trial import Trial

_NAMED = 10
"""Number of objects that a message names."""


def remarks(
    trials: Sequence[Trial],
    attempts: Mapping[str, Sequence[Attempt]],
    foreign: Sequence[str],
    unlabelled: Sequence[tuple[str, str]],
) -> Condition | None:
    """Return the condition that says what is in the way, the worst first; None if nothing is.

    Args:
        trials: The job's trials.
        attempts: Its attempts, by their trial's name; by another key where the trial is not the job's.
        foreign: Names of trials, Pods and batch Jobs that say that they are the job's, and are not.
        unlabelled: Kind and name of the job's own objects that have lost its label.
    """
    return _names_taken(trials) or _held_by_others(trials, attempts) or _unlabelled(unlabelled) or _foreign(foreign)


def _names_taken(trials: Sequence[Trial]) -> Condition | None:
    waiting = [
        trial
        for trial in trials
        if trial.phase is TrialPhase.PENDING and trial.status.reason == NAME_TAKEN and not trial.status.attempt_uid
    ]
    if not waiting:
        return None
    message = "; ".join(f"{trial.name}: {trial.status.message}" for trial in waiting[:_NAMED])
    return Condition(ConditionType.RECONCILED, "False", NAME_TAKEN, message)


def _held_by_others(trials: Sequence[Trial], attempts: Mapping[str, Sequence[Attempt]]) -> Condition | None:
    """Name the Pods that hold slots, belong to trials of no job here, and are not being deleted.

    The garbage collector deletes the Pods of deleted trials and of an earlier job of this name. But if a job is deleted
    and created again while the collector's watch is interrupted, as an edit of the CRD does, the collector does not
    learn that the first one is gone.
    """
    own = {trial.name for trial in trials}
    others = (attempt for owner, those in attempts.items() if owner not in own for attempt in those)
    running = sorted(attempt.name for attempt in others if not attempt.ended and not attempt.deleting)
    if not running:
        return None
    remedy = "unless the garbage collector deletes them within a minute, delete their TuningTrials, or the Pods"
    message = f"slots are held by Pods whose trials are not this job's: {_few(running)}"
    return Condition(ConditionType.RECONCILED, "False", "SlotsHeld", f"{message}; {remedy}")


def _unlabelled(objects: Sequence[tuple[str, str]]) -> Condition | None:
    if not objects:
        return None
    message = (
        f"the label tuning-operator.dev/job is missing from {_few([f'{kind} {name}' for kind, name in objects])}; they"
        " still count, but changes are noticed only every few seconds; restore it:"
        " `kubectl label <kind> <name> tuning-operator.dev/job=<job>`"
    )
    return Condition(ConditionType.RECONCILED, "False", "LabelLost", message)


def _foreign(names: Sequence[str]) -> Condition | None:
    if not names:
        return None
    message = (
        f"the last pass succeeded; it ignored {_few(names)}: they have this job's label or owner, but the operator"
        " did not create them"
    )
    return Condition(ConditionType.RECONCILED, "True", "Reconciled", message)


def _few(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_NAMED])}{' and others' if len(names) > _NAMED else ''}"
