"""Sums a job up: counts, the best trial, the bill and the conditions, as `kubectl get tuningjobs` shows them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.confirm import confirmed_best, winner
from tuning_operator.core.lifecycle.wording import NOT_SCRAPED
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.core.model.job import JobPhase
from tuning_operator.core.model.ranking import best_trial, overall_best
from tuning_operator.core.model.trial import searched
from tuning_operator.core.report.confirming import outcome
from tuning_operator.core.report.cost import cost_so_far
from tuning_operator.core.report.waiting import waiting
from tuning_operator.core.stopping.savings import savings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.lifecycle.confirm import Setting
    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.model.job import CompletionReason, Job
    from tuning_operator.core.model.parent import BestTrial
    from tuning_operator.core.model.snapshot import Snapshot
    from tuning_operator.core.model.trial import Trial, TrialPhase
    from tuning_operator.core.report.cost import CostSoFar
    from tuning_operator.core.stopping.savings import Savings


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What the status of a HyperparameterTuningJob says.

    Attributes:
        overall_best: The best of the job's and its parents' trials, where these count as the job's.
        tried: Number of trials of the search that have ended.
        searched: Number of all trials of the search.
        newest: The trial that was added last.
        total_training_seconds: The bill: run time of the training containers of all trials.
        idle: How long the job had ended before it resumed.
    """

    now: datetime
    observed_generation: int
    seed: int
    phase: JobPhase
    conditions: Mapping[str, Condition]
    start_time: datetime | None
    completion_time: datetime | None
    completion_reason: CompletionReason | None
    message: str
    max_trials: int
    tried: int
    searched: int
    phases: Mapping[TrialPhase, int]
    without_objective: int
    best: Trial | None
    newest: Trial | None
    total_training_seconds: int
    idle: timedelta
    early_stopping: Savings | None
    overall_best: BestTrial | None = None
    confirmation: ConfirmationStatus | None = None
    cost: CostSoFar | None = None

    @property
    def ended(self) -> int:
        """Number of trials that have ended."""
        return sum(count for phase, count in self.phases.items() if phase.is_final)


@dataclass(frozen=True, slots=True)
class ConfirmationStatus:
    """How the best settings do with other seeds.

    Attributes:
        settings: The best ones of the search, the best first.
        best: The winner; None before the end, and where none is confirmed.
    """

    settings: tuple[Setting, ...]
    best: Setting | None
    message: str


def summarize(snapshot: Snapshot, decision: Decision) -> JobStatus:
    """Return the job's status after a decision."""
    job, trials = snapshot.job, decision.trials
    tried = searched(trials)
    may_start = snapshot.is_condition(ConditionType.TEMPLATE_VALID, "True") and not snapshot.awaits_parents
    best = (winner if decision.phase.is_final else best_trial)(job, trials)
    return JobStatus(
        now=snapshot.now,
        observed_generation=job.generation,
        seed=job.seed,
        phase=decision.phase,
        conditions=_conditions(snapshot, decision),
        start_time=job.start_time or (snapshot.now if may_start else None),
        completion_time=(job.completion_time or snapshot.now) if decision.phase.is_final else None,
        completion_reason=decision.completion.reason if decision.completion else None,
        message=decision.completion.message if decision.completion else "",
        max_trials=job.spec.limits.max_trials,
        tried=sum(trial.phase.is_final for trial in tried),
        searched=len(tried),
        phases=Counter(trial.phase for trial in trials),
        without_objective=sum(trial.phase.is_final and trial.objective is None for trial in trials),
        best=best,
        newest=max(trials, default=None, key=lambda trial: trial.number),
        total_training_seconds=sum(trial.status.training_seconds for trial in trials),
        idle=job.idle + _rest(snapshot, decision),
        early_stopping=savings(job, tried),
        overall_best=overall_best(job, best, snapshot.parents),
        confirmation=_confirmation(job, decision),
        cost=cost_so_far(job, trials),
    )


def _confirmation(job: Job, decision: Decision) -> ConfirmationStatus | None:
    found = decision.confirmation
    if found is None or not found.settings:
        return None
    best = confirmed_best(job, found.settings) if decision.phase.is_final else None
    return ConfirmationStatus(found.settings, best, outcome(job, decision.phase, found))


def _rest(snapshot: Snapshot, decision: Decision) -> timedelta:
    """Return how long the job had ended, if it resumes now."""
    ended = snapshot.job.completion_time
    return snapshot.now - ended if ended and not decision.phase.is_final else timedelta()


def _conditions(snapshot: Snapshot, decision: Decision) -> dict[str, Condition]:
    conditions = {**snapshot.job.conditions, **snapshot.conditions}
    if snapshot.job.spec.suspend:
        conditions[ConditionType.SUSPENDED] = Condition(
            ConditionType.SUSPENDED, "True", "SuspendedByUser", "spec.suspend is true"
        )
    elif ConditionType.SUSPENDED in conditions:
        conditions[ConditionType.SUSPENDED] = Condition(
            ConditionType.SUSPENDED, "False", "Resumed", "spec.suspend is false"
        )
    if (
        ConditionType.QUOTA_EXCEEDED in conditions
        and ConditionType.QUOTA_EXCEEDED not in snapshot.conditions
        and not decision.create_attempts
    ):
        conditions[ConditionType.QUOTA_EXCEEDED] = Condition(
            ConditionType.QUOTA_EXCEEDED, "False", "NoPodWaits", "no Pod waits for quota"
        )
    conditions |= _unscraped(decision, conditions)
    if decision.stalled:
        conditions[ConditionType.STALLED] = Condition(
            ConditionType.STALLED, "True", "NoTrialSucceeded", decision.stalled
        )
    elif ConditionType.STALLED in conditions:
        conditions[ConditionType.STALLED] = Condition(
            ConditionType.STALLED, "False", "NotStalled", "failures no longer hold trials back"
        )
    waits = waiting(snapshot, decision)
    if waits:
        conditions[waits.type] = waits
    elif ConditionType.WAITING in conditions:
        conditions[ConditionType.WAITING] = Condition(ConditionType.WAITING, "False", "NotWaiting", "nothing waits")
    if decision.completion and decision.phase.is_final:
        for kind in (_ENDS[decision.phase], ConditionType.FINISHED):
            conditions[kind] = Condition(kind, "True", decision.completion.reason, decision.completion.message)
    else:
        past = [kind for kind in (*_ENDS.values(), ConditionType.FINISHED) if kind in conditions]
        conditions |= {kind: Condition(kind, "False", "Resumed", "an edit resumed the job") for kind in past}
    return conditions


def _unscraped(decision: Decision, conditions: Mapping[str, Condition]) -> dict[str, Condition]:
    """Say that Prometheus answers and yet nothing is known of a trial that runs; a silent one has been reported."""
    trials = [trial for trial in decision.trials if trial.status.reason == NOT_SCRAPED]
    known = conditions.get(ConditionType.METRICS_AVAILABLE)
    if not trials or known is None or (known.status == "False" and known.reason != NOT_SCRAPED):
        return {}
    named = ", ".join(trial.name for trial in trials[:_NAMED]) + (" and others" if len(trials) > _NAMED else "")
    message = f"{named}: {trials[0].status.message}"
    kind = ConditionType.METRICS_AVAILABLE
    return {kind: Condition(kind, "False", "TrialNotScraped", message)}


_NAMED = 5
"""Number of trials that a message names."""

_ENDS = {
    JobPhase.COMPLETED: ConditionType.COMPLETE,
    JobPhase.STOPPED: ConditionType.STOPPED,
    JobPhase.FAILED: ConditionType.FAILED,
}
