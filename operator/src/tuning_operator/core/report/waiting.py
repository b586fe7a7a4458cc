"""Says what a job waits for while none of its trials trains."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.conditions import MAX_MESSAGE, Condition, ConditionType
from tuning_operator.core.model.job import JobPhase
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.model.snapshot import Snapshot

_TRAINS = frozenset({TrialPhase.RUNNING, TrialPhase.COLLECTING, TrialPhase.STOPPING})

PATIENCE = timedelta(seconds=15)
"""A pause between two trials is reported once it has lasted this long."""


def waiting(snapshot: Snapshot, decision: Decision) -> Condition | None:
    """Return the condition that says what the job waits for; None while a trial trains or nothing is to start."""
    since = waiting_since(snapshot, decision)
    if since is None or snapshot.now - since < PATIENCE:
        return None
    pending = [trial for trial in decision.trials if trial.phase is TrialPhase.PENDING]
    if not pending:
        message = "no trial trains: the next hyperparameters are being chosen"
        return Condition(ConditionType.WAITING, "True", "Suggestion", message)
    reasons = Counter(trial.status.reason or "Pending" for trial in pending)
    reason, count = reasons.most_common(1)[0]
    example = next(trial for trial in pending if (trial.status.reason or "Pending") == reason)
    message = (
        f"no trial trains: {count} of {len(pending)} pending trials wait with reason {reason}, for example"
        f" {example.name}"
    )
    if example.status.message:
        message += f": {example.status.message}"
    return Condition(ConditionType.WAITING, "True", reason, message[:MAX_MESSAGE])


def waiting_since(snapshot: Snapshot, decision: Decision) -> datetime | None:
    """Return since when no trial has trained although one should; None while one trains or none should."""
    trials = decision.trials
    if decision.phase not in {JobPhase.RUNNING, JobPhase.CONFIRMING} or any(trial.phase in _TRAINS for trial in trials):
        return None
    if decision.suggest is None and all(trial.phase is not TrialPhase.PENDING for trial in trials):
        return None
    ends = (trial.status.attempt_time or trial.status.completion_time for trial in trials)
    return max((end for end in (*ends, snapshot.job.start_time) if end), default=snapshot.now)
