"""Decides what to do about a job: from a snapshot of the cluster to the next statuses and actions.

Pure: the same snapshot gives the same decision. Nothing here waits, asks, writes or knows what time it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.completion import Completion, completion
from tuning_operator.core.job import CompletionReason, Condition, JobPhase
from tuning_operator.core.lifecycle import TrialFacts, advance, retry_delay
from tuning_operator.core.stopping import judge
from tuning_operator.core.suggest import Observation, SuggestRequest
from tuning_operator.core.trials import StopDecision, Trial, TrialPhase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tuning_operator.core.job import Job
    from tuning_operator.core.pods import PodFacts, Reading


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the cluster looked like, all of it read in one pass.

    Attributes:
        trials: All trials of the job, ascending by number.
        pods: The Pods of each trial, by the trial's name.
        readings: Prometheus' answers by Pod name; a Pod without an entry is unknown, not silent.
        conditions: What the runtime found out beside the objects (template, quota, metrics), by type.
    """

    job: Job
    trials: tuple[Trial, ...]
    pods: Mapping[str, tuple[PodFacts, ...]]
    readings: Mapping[str, Reading]
    now: datetime
    image_pull_grace: timedelta = timedelta(minutes=15)
    conditions: Mapping[str, Condition] = field(default_factory=dict)

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type as just found out, else as recorded."""
        return self.conditions.get(kind) or self.job.conditions.get(kind)

    def is_condition(self, kind: str, status: str) -> bool:
        """Whether the condition is known and has that status."""
        condition = self.condition(kind)
        return condition is not None and condition.status == status


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that users should see as an Event, on a trial (by name) or on the job (None)."""

    reason: str
    message: str
    trial: str | None = None
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a snapshot.

    Attributes:
        trials: All trials with their next status.
        changed: Those of them whose status is to be written.
        create_pods: Trials whose current attempt gets its Pod now.
        delete_pods: Pods to delete, each only if it still has this uid.
        suggest: What to ask the suggester for; None when no trial is to be added.
        wake_after: Look again after this time even if nothing happens.
    """

    phase: JobPhase
    trials: tuple[Trial, ...]
    changed: tuple[Trial, ...] = ()
    create_pods: tuple[Trial, ...] = ()
    delete_pods: tuple[PodFacts, ...] = ()
    suggest: SuggestRequest | None = None
    completion: Completion | None = None
    notices: tuple[Notice, ...] = ()
    wake_after: timedelta | None = None


def decide(snapshot: Snapshot) -> Decision:
    """Return what to record and what to do about the job."""
    job = snapshot.job
    if job.phase.is_final:
        return Decision(job.phase, snapshot.trials, delete_pods=_leftover_pods(snapshot, snapshot.trials))
    if not snapshot.is_condition("TemplateValid", "True"):
        return _without_template(snapshot)

    trials = tuple(_advanced(trial, snapshot) for trial in snapshot.trials)
    trials = tuple(_judged(trial, trials, job) for trial in trials)
    ending = _recorded_completion(job) or completion(job, trials, snapshot.now)
    if ending and ending.reason.stops_trials:
        trials = tuple(_stopped(trial, ending, snapshot) for trial in trials)
    changed = tuple(
        after for before, after in zip(snapshot.trials, trials, strict=True) if _worth_writing(before, after)
    )
    may_start = ending is None and not job.spec.suspend
    waiting = _trials_without_pod(trials, snapshot) if may_start else ()
    slots = _free_slots(snapshot)
    return Decision(
        phase=_phase(job, trials, ending),
        trials=trials,
        changed=changed,
        create_pods=tuple(trial for trial in waiting if _is_due(trial, snapshot.now))[:slots],
        delete_pods=_leftover_pods(snapshot, trials),
        suggest=_suggest_request(job, trials, slots - len(waiting)) if may_start else None,
        completion=ending,
        notices=tuple(_notices(snapshot, trials, ending)),
        wake_after=_wake_after(snapshot, trials),
    )


def _without_template(snapshot: Snapshot) -> Decision:
    """Nothing starts before the API server has accepted the Pod template; a refused one ends the job."""
    if not snapshot.is_condition("TemplateValid", "False"):
        return Decision(JobPhase.PENDING, snapshot.trials, wake_after=timedelta(seconds=30))
    refusal = snapshot.condition("TemplateValid")
    ending = Completion(
        CompletionReason.INVALID_TEMPLATE,
        f"spec.template is refused by the API server: {refusal.message if refusal else ''}",
    )
    notice = Notice("InvalidTemplate", ending.message, warning=True)
    return Decision(JobPhase.FAILED, snapshot.trials, completion=ending, notices=(notice,))


def _advanced(trial: Trial, snapshot: Snapshot) -> Trial:
    if trial.phase.is_final:
        return trial
    pod = _current_pod(trial, snapshot)
    facts = TrialFacts(
        pod=pod,
        reading=snapshot.readings.get(pod_name(trial)),
        now=snapshot.now,
        image_pull_grace=snapshot.image_pull_grace,
        settle=snapshot.job.phase is JobPhase.STOPPING and snapshot.is_condition("MetricsAvailable", "False"),
    )
    return replace(trial, status=advance(trial, facts))


def _judged(trial: Trial, trials: tuple[Trial, ...], job: Job) -> Trial:
    """Apply the early stopping rule to a running trial."""
    if trial.phase is not TrialPhase.RUNNING:
        return trial
    stop = judge(job.spec.early_stopping, job.spec.objective.goal, trial, trials)
    return _with_stop(trial, stop) if stop else trial


def _stopped(trial: Trial, ending: Completion, snapshot: Snapshot) -> Trial:
    """Stop a trial because its job ends; what is already stopping or collecting ends by itself."""
    if trial.phase not in {TrialPhase.PENDING, TrialPhase.RUNNING}:
        return trial
    stopped = _with_stop(trial, StopDecision(ending.reason, f"the job ends: {ending.message}"))
    if _current_pod(trial, snapshot) is not None:
        return stopped
    status = replace(stopped.status, phase=TrialPhase.STOPPED, completion_time=snapshot.now)
    return replace(stopped, status=status)


def _with_stop(trial: Trial, stop: StopDecision) -> Trial:
    status = replace(trial.status, phase=TrialPhase.STOPPING, stop=stop, reason=stop.reason, message=stop.message)
    return replace(trial, status=status)


def _recorded_completion(job: Job) -> Completion | None:
    """The end of a job, once recorded, stands, even if its limits are edited afterwards."""
    if job.completion_reason is None:
        return None
    return Completion(job.completion_reason, job.message)


def _phase(job: Job, trials: tuple[Trial, ...], ending: Completion | None) -> JobPhase:
    if ending and any(not trial.phase.is_final for trial in trials):
        return JobPhase.STOPPING
    if ending:
        return JobPhase.FAILED if ending.reason.is_failure else JobPhase.COMPLETED
    return JobPhase.SUSPENDED if job.spec.suspend else JobPhase.RUNNING


def pod_name(trial: Trial) -> str:
    """The name of the current attempt's Pod."""
    return f"{trial.name}-{trial.status.attempt}"


def _current_pod(trial: Trial, snapshot: Snapshot) -> PodFacts | None:
    pods = snapshot.pods.get(trial.name, ())
    return next((pod for pod in pods if pod.attempt == trial.status.attempt), None)


def _free_slots(snapshot: Snapshot) -> int:
    """Slots that no Pod holds: a Pod holds its GPU until its containers have ended, also while it is being deleted."""
    held = sum(not pod.ended for pods in snapshot.pods.values() for pod in pods)
    return max(0, snapshot.job.spec.limits.max_parallel_trials - held)


def _trials_without_pod(trials: tuple[Trial, ...], snapshot: Snapshot) -> tuple[Trial, ...]:
    return tuple(
        trial
        for trial in trials
        if trial.phase is TrialPhase.PENDING
        and trial.status.pod_uid is None
        and not trial.deleting
        and _current_pod(trial, snapshot) is None
    )


def _is_due(trial: Trial, now: datetime) -> bool:
    since = trial.status.attempt_time
    return since is None or now - since >= retry_delay(trial.status.disruptions)


def _leftover_pods(snapshot: Snapshot, trials: tuple[Trial, ...]) -> tuple[PodFacts, ...]:
    """Pods that hold resources for nothing: of a stopping or ended trial, or of an attempt that has been replaced."""
    return tuple(
        pod
        for trial in trials
        for pod in snapshot.pods.get(trial.name, ())
        if not pod.ended
        and not pod.deleting
        and (trial.phase.is_final or trial.phase is TrialPhase.STOPPING or pod.attempt != trial.status.attempt)
    )


def _suggest_request(job: Job, trials: tuple[Trial, ...], free: int) -> SuggestRequest | None:
    limits = job.spec.limits
    size = job.spec.space.size
    bound = limits.max_trials if size is None else min(limits.max_trials, size)
    count = min(free, bound - len(trials))
    if count <= 0:
        return None
    first = max((trial.number for trial in trials), default=0) + 1
    return SuggestRequest(
        space=job.spec.space,
        goal=job.spec.objective.goal,
        strategy=job.spec.strategy,
        seed=job.seed,
        numbers=tuple(range(first, first + count)),
        observations=tuple(Observation(trial.parameters, trial.objective) for trial in trials if trial.phase.is_final),
        pending=tuple(trial.parameters for trial in trials if not trial.phase.is_final),
    )


def _worth_writing(before: Trial, after: Trial) -> bool:
    """Whether a status is to be written: at any change of the facts, for a growing curve from 2 % more epochs on."""
    if before.status == after.status:
        return False
    if replace(before.status, curve=after.curve) != after.status:
        return True
    return len(after.curve) - len(before.curve) >= max(1, len(before.curve) // 50)


def _wake_after(snapshot: Snapshot, trials: tuple[Trial, ...]) -> timedelta | None:
    """The next moment at which time alone changes the decision."""
    job, now = snapshot.job, snapshot.now
    moments = [
        trial.status.attempt_time + retry_delay(trial.status.disruptions)
        for trial in trials
        if trial.phase is TrialPhase.PENDING and trial.status.attempt_time
    ]
    moments += [
        pod.created + snapshot.image_pull_grace
        for pods in snapshot.pods.values()
        for pod in pods
        if pod.waiting and pod.waiting.is_image_problem
    ]
    if job.start_time and job.spec.limits.max_duration:
        moments.append(job.start_time + job.spec.limits.max_duration)
    ahead = [moment - now for moment in moments if moment > now]
    return min(ahead, default=None)


def _notices(snapshot: Snapshot, trials: tuple[Trial, ...], ending: Completion | None) -> Iterator[Notice]:
    """Events for what has just been decided; what was decided before has been told before."""
    for before, after in zip(snapshot.trials, trials, strict=True):
        yield from _trial_notices(before, after, snapshot)
    if ending and snapshot.job.completion_reason is None:
        yield Notice(ending.reason, ending.message, warning=ending.reason.is_failure)


def _trial_notices(before: Trial, after: Trial, snapshot: Snapshot) -> Iterator[Notice]:
    if after.status.stop and not before.status.stop:
        early = after.status.stop.epoch is not None
        yield Notice("TrialEarlyStopped" if early else "TrialStopped", after.status.stop.message, after.name)
    elif after.phase is not before.phase and after.phase in _TOLD:
        reason, warning = _TOLD[after.phase]
        yield Notice(reason, _sentence(after), after.name, warning=warning)
    if after.status.attempt != before.status.attempt:
        yield Notice("Disrupted", after.status.message or "", after.name, warning=True)
    reading = snapshot.readings.get(pod_name(before))
    conflicts = before.curve.conflicts(reading.curve) if reading else ()
    if conflicts:
        epoch, value = conflicts[0]
        yield Notice(
            "MeasurementChanged",
            f"epoch {epoch} was reported again as {value:.6g}; the first value stays",
            before.name,
            warning=True,
        )


_TOLD = {
    TrialPhase.RUNNING: ("TrialStarted", False),
    TrialPhase.COMPLETED: ("TrialCompleted", False),
    TrialPhase.FAILED: ("TrialFailed", True),
}


def _sentence(trial: Trial) -> str:
    status = trial.status
    if trial.phase is TrialPhase.RUNNING:
        return f"attempt {status.attempt} started training"
    if trial.phase is TrialPhase.COMPLETED:
        return f"objective {trial.objective:.6g} after {len(status.curve)} epochs, {status.training_seconds} s"
    return status.message or status.reason or ""
