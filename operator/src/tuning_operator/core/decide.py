"""Decides what to do about a job: from a snapshot of the cluster to the next statuses and actions.

Pure: the same snapshot gives the same decision. Nothing here waits, asks, writes or knows what time it is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.advance import advance
from tuning_operator.core.lifecycle.attempts import next_attempt
from tuning_operator.core.lifecycle.completion import completion, final_phase, is_resumed, stall, untried
from tuning_operator.core.lifecycle.confirm import confirmation, cut_short, is_reopened
from tuning_operator.core.lifecycle.decision import Decision
from tuning_operator.core.lifecycle.facts import TrialFacts
from tuning_operator.core.lifecycle.parents import inherited, related
from tuning_operator.core.lifecycle.pausing import are_left, has_new_trials, settled
from tuning_operator.core.lifecycle.slots import (
    LOOK_AGAIN,
    company_ends,
    free_slots,
    is_due,
    leftover_attempts,
    retries_to_come,
    trials_without_attempt,
    wake_after,
)
from tuning_operator.core.lifecycle.wording import NOT_SCRAPED
from tuning_operator.core.model.conditions import ConditionType
from tuning_operator.core.model.job import Completion, CompletionReason, JobPhase
from tuning_operator.core.model.notice import Notice
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import RunningTrials, SuspendPolicy
from tuning_operator.core.model.thinning import with_thinned_curve
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase, searched
from tuning_operator.core.report.confirming import of_confirmation
from tuning_operator.core.report.notices import notices, of_pods_not_kept
from tuning_operator.core.report.waiting import PATIENCE, waiting_since
from tuning_operator.core.stopping.judging import judged, with_stop
from tuning_operator.core.suggest import SuggestRequest, initial_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.lifecycle.confirm import Confirmation
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.snapshot import Snapshot


_TELLING = frozenset({TrialPhase.PAUSED, *(phase for phase in TrialPhase if phase.is_final)})
"""What a suggester learns from; others are pending."""


def decide(snapshot: Snapshot) -> Decision:
    """Return what to record and what to do about the job."""
    job = snapshot.job
    known = inherited(snapshot.parents)
    if is_resumed(job, snapshot.trials, snapshot.now, known):
        return _resumed(snapshot)
    if is_reopened(job, snapshot.trials, snapshot.now):
        return _reopened(snapshot)
    if job.phase.is_final:
        return _over(snapshot)
    if not snapshot.is_condition(ConditionType.TEMPLATE_VALID, "True") and not job.spec.stop:
        return _without_template(snapshot)

    trials, ending = _moved_on(snapshot, known)
    cut = cut_short(job, trials, ending, snapshot.now) if ending else None
    trials = tuple(_stopped(trial, cut if trial.is_repetition else ending, snapshot) for trial in trials)
    if job.spec.suspend and job.spec.suspend_policy is SuspendPolicy.STOP:
        trials = tuple(_suspended(trial, snapshot) for trial in trials)
    changed, grown = _to_write(snapshot.trials, trials)
    confirming = confirmation(job, trials, cut) if ending else None
    phase = _phase(snapshot, trials, ending, confirming)
    if ending and phase is JobPhase.FAILED and not ending.reason.is_failure:
        ending = replace(ending, message=f"{ending.message}; no trial has a finite objective")
    stalled = None if ending else stall(job, trials)
    may_start = not job.spec.suspend and not snapshot.awaits_parents and cut is None
    waiting = trials_without_attempt(trials, snapshot) if may_start else ()
    slots = free_slots(snapshot)
    leftover = leftover_attempts(snapshot, trials)
    left = max(0, slots - len(waiting) - retries_to_come(trials, job.spec.max_attempts))
    decision = Decision(
        phase=phase,
        trials=trials,
        changed=changed,
        grown=grown,
        create_attempts=tuple(trial for trial in waiting if is_due(trial, snapshot.now))[:slots],
        delete_attempts=leftover,
        suggest=_suggest_request(snapshot, trials, left) if may_start and not ending and not stalled else None,
        repeat=confirming.to_come[:left] if may_start and confirming and job.completion_reason else (),
        confirmation=confirming,
        completion=ending,
        stalled=stalled,
        notices=(
            *notices(snapshot, trials, ending, failed=phase is JobPhase.FAILED, stalled=stalled),
            *of_confirmation(job, phase, confirming),
            *of_pods_not_kept(snapshot, trials, leftover),
        ),
        wake_after=_wake_after(snapshot, trials, phase),
    )
    return _to_tell_of_waiting(snapshot, decision)


def _moved_on(snapshot: Snapshot, known: Sequence[Observation]) -> tuple[tuple[Trial, ...], Completion | None]:
    """Return the trials with what was observed and judged, and why the job ends, if it does."""
    job, now = snapshot.job, snapshot.now
    completed = (trial.curve.latest for trial in snapshot.trials if trial.phase is TrialPhase.COMPLETED)
    longest = max((latest.epoch for latest in completed if latest), default=None)
    trials = tuple(_advanced(trial, snapshot, longest) for trial in snapshot.trials)
    is_new_to_come = has_new_trials(job, trials, known)
    trials = judged(trials, job, may_pause=is_new_to_come)
    ending = _recorded_completion(job) or completion(job, trials, now, known)
    if ending or is_new_to_come or job.spec.suspend or snapshot.awaits_parents:
        return trials, ending
    trials = settled(trials, snapshot)
    return trials, completion(job, trials, now, known)


def _wake_after(snapshot: Snapshot, trials: tuple[Trial, ...], phase: JobPhase) -> timedelta | None:
    if phase is JobPhase.CONFIRMING and snapshot.job.completion_reason is None:
        return timedelta(0)  # the end of the search is recorded before anything is repeated
    if are_left(snapshot.trials, trials):
        return timedelta(0)
    return LOOK_AGAIN if snapshot.awaits_parents else wake_after(snapshot, trials)


def _to_tell_of_waiting(snapshot: Snapshot, decision: Decision) -> Decision:
    """Return when to look again, to report a pause once it is long enough."""
    since = waiting_since(snapshot, decision)
    left = since + PATIENCE - snapshot.now if since else timedelta(0)
    if left <= timedelta(0):
        return decision
    return replace(decision, wake_after=min(left, decision.wake_after or left))


def _resumed(snapshot: Snapshot) -> Decision:
    """Record that the job resumes, and nothing else: what follows is for the next pass."""
    job = snapshot.job
    notice = Notice("Resumed", f"the job resumes after {job.completion_reason}: its specification was edited")
    phase = _phase(snapshot, snapshot.trials, None, None)
    return Decision(phase, snapshot.trials, notices=(notice,), wake_after=timedelta(0))


def _reopened(snapshot: Snapshot) -> Decision:
    """Record that a job whose search has ended continues to confirm, and nothing else."""
    ending, confirming = _recorded_completion(snapshot.job), confirmation(snapshot.job, snapshot.trials, None)
    return Decision(
        _phase(snapshot, snapshot.trials, ending, confirming),
        snapshot.trials,
        confirmation=confirming,
        completion=ending,
        notices=(Notice("Resumed", "the job confirms its best settings: its specification was edited"),),
        wake_after=timedelta(0),
    )


def _over(snapshot: Snapshot) -> Decision:
    """Clean up after a job that has ended."""
    expiry = snapshot.job.expiry
    left = expiry - snapshot.now if expiry else None
    trials = snapshot.trials
    leftover = leftover_attempts(snapshot, trials)
    ahead = [moment - snapshot.now for moment in company_ends(snapshot, trials) if moment > snapshot.now]
    return Decision(
        phase=snapshot.job.phase,
        trials=trials,
        delete_attempts=leftover,
        delete_job=left is not None and left <= timedelta(0),
        notices=tuple(of_pods_not_kept(snapshot, trials, leftover)),
        wake_after=min([*ahead, *([left] if left is not None else [])], default=None),
    )


def _without_template(snapshot: Snapshot) -> Decision:
    """Nothing starts before the API server has accepted the Pod template; a refused one ends the job."""
    if not snapshot.is_condition(ConditionType.TEMPLATE_VALID, "False"):
        return Decision(JobPhase.PENDING, snapshot.trials, wake_after=timedelta(seconds=30))
    refusal = snapshot.condition(ConditionType.TEMPLATE_VALID)
    ending = Completion(
        CompletionReason.INVALID_TEMPLATE,
        f"the API server refuses spec.template: {refusal.message if refusal else ''}",
    )
    notice = Notice("InvalidTemplate", ending.message, warning=True)
    return Decision(JobPhase.FAILED, snapshot.trials, completion=ending, notices=(notice,))


def _advanced(trial: Trial, snapshot: Snapshot, longest: float | None) -> Trial:
    if trial.phase.is_final:
        return trial
    facts = TrialFacts(
        attempt=snapshot.attempt(trial),
        reading=snapshot.reading(trial),
        now=snapshot.now,
        image_pull_grace=snapshot.image_pull_grace,
        max_attempts=snapshot.job.spec.max_attempts,
        start_deadline=snapshot.job.spec.start_deadline,
        max_duration=snapshot.job.spec.limits.max_trial_duration,
        metrics_since=snapshot.metrics_since,
        settle=snapshot.job.phase is JobPhase.STOPPING and _is_prometheus_silent(snapshot),
        longest=longest,
        source=snapshot.job.spec.source,
    )
    status = advance(trial, facts)
    return with_thinned_curve(trial if status is trial.status else replace(trial, status=status), snapshot.job)


def _is_prometheus_silent(snapshot: Snapshot) -> bool:
    about = snapshot.condition(ConditionType.METRICS_AVAILABLE)
    return about is not None and about.status == "False" and about.reason != NOT_SCRAPED


def _stopped(trial: Trial, ending: Completion | None, snapshot: Snapshot) -> Trial:
    """Stop a trial because its job ends, if it does; what is already stopping or collecting ends by itself."""
    if ending is None or trial.phase not in {TrialPhase.PENDING, TrialPhase.RUNNING, TrialPhase.PAUSED}:
        return trial
    finish = snapshot.job.spec.completion.running_trials is RunningTrials.FINISH
    if finish and trial.phase is TrialPhase.RUNNING and ending.reason is not CompletionReason.STOPPED_BY_USER:
        return trial
    stopped = with_stop(trial, StopDecision(ending.reason, f"the job ends: {ending.message}"))
    if snapshot.attempt(trial) is not None and trial.phase is not TrialPhase.PAUSED:
        return stopped
    status = replace(stopped.status, phase=TrialPhase.STOPPED, completion_time=snapshot.now)
    return replace(stopped, status=status)


def _suspended(trial: Trial, snapshot: Snapshot) -> Trial:
    """Take a trial's Pod away because its job is suspended; a trial that has not begun to train keeps its turn."""
    if trial.phase is TrialPhase.RUNNING:
        return with_stop(trial, StopDecision("JobSuspended", "the job is suspended with suspendPolicy Stop"))
    if trial.phase is TrialPhase.PENDING and snapshot.attempt(trial):
        return replace(
            trial, status=next_attempt(trial.status, "JobSuspended", "was ended by a suspension", snapshot.now)
        )
    return trial


def _recorded_completion(job: Job) -> Completion | None:
    """Return the recorded end of a job. It stands unless the job resumes; only the user's stop can overtake it."""
    if job.completion_reason is None or job.spec.stop:
        return None
    return Completion(job.completion_reason, job.message)


def _phase(
    snapshot: Snapshot, trials: tuple[Trial, ...], ending: Completion | None, confirming: Confirmation | None
) -> JobPhase:
    if confirming and confirming.goes_on and all(trial.phase.is_final for trial in searched(trials)):
        return JobPhase.SUSPENDED if snapshot.job.spec.suspend else JobPhase.CONFIRMING
    if ending and any(not trial.phase.is_final for trial in trials):
        return JobPhase.STOPPING
    if ending:
        return final_phase(snapshot.job, trials, ending.reason, inherited(snapshot.parents))
    if snapshot.job.spec.suspend:
        return JobPhase.SUSPENDED
    return JobPhase.PENDING if snapshot.awaits_parents else JobPhase.RUNNING


def _suggest_request(snapshot: Snapshot, trials: tuple[Trial, ...], free: int) -> SuggestRequest | None:
    job, known = snapshot.job, inherited(snapshot.parents)
    count = min(free, job.spec.limits.max_trials - len(searched(trials)))
    left = untried(job, trials, known)
    if left is not None:
        count = min(count, left)
    if count <= 0:
        return None
    first = max((trial.number for trial in trials), default=0) + 1
    return SuggestRequest(
        space=job.spec.space,
        goal=job.spec.objective.goal,
        strategy=job.spec.strategy,
        seed=job.seed,
        numbers=tuple(range(first, first + count)),
        observations=(
            *known,
            *(Observation.of(trial) for trial in trials if trial.phase in _TELLING),
        ),
        pending=tuple(trial.parameters for trial in trials if trial.phase not in _TELLING),
        relatives=related(snapshot.parents),
        initial=initial_points(job.spec.space, job.spec.initial_trials, job.seed),
    )


def _to_write(before: Sequence[Trial], after: Sequence[Trial]) -> tuple[tuple[Trial, ...], tuple[Trial, ...]]:
    """Return the trials of which more has changed than the curve, and those whose curve has grown by at least 2 %."""
    moved = [(known, trial) for known, trial in zip(before, after, strict=True) if known is not trial]
    changed = [not trial.status.says_the_same_as(known.status) for known, trial in moved]
    return (
        tuple(trial for (_, trial), more in zip(moved, changed, strict=True) if more),
        tuple(trial for (known, trial), more in zip(moved, changed, strict=True) if not more and _grows(known, trial)),
    )


def _grows(before: Trial, after: Trial) -> bool:
    return after.curve.count - before.curve.count >= max(1, before.curve.count // 50)
