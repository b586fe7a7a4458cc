"""The Events that users see: each decision once, when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.slots import has_company
from tuning_operator.core.lifecycle.wording import NOT_SCRAPED, log_trouble
from tuning_operator.core.model.conditions import ConditionType
from tuning_operator.core.model.notice import Notice
from tuning_operator.core.model.thinning import points_per_trial
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.report.losses import losses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Completion
    from tuning_operator.core.model.snapshot import Snapshot


def notices(
    snapshot: Snapshot, trials: tuple[Trial, ...], ending: Completion | None, *, failed: bool, stalled: str | None
) -> Iterator[Notice]:
    """Yield Events for new decisions; earlier ones have been reported."""
    for before, after in zip(snapshot.trials, trials, strict=True):
        if after is not before or snapshot.reading(before):  # of most trials nothing is new
            yield from _trial_notices(before, after, snapshot)
    earlier, found = (
        snapshot.job.conditions.get(ConditionType.PARENTS_READY),
        snapshot.conditions.get(ConditionType.PARENTS_READY),
    )
    if found and found != earlier:
        ready = found.status == "True"
        yield Notice("ParentsReady" if ready else "ParentsNotReady", found.message, warning=not ready)
    yield from _metrics_notices(snapshot)
    if ending and (snapshot.job.completion_reason is not ending.reason or (failed and not ending.reason.is_failure)):
        # That a job has failed for want of a result may be known only when the last of its trials has ended.
        yield Notice(ending.reason, ending.message, warning=failed or ending.reason.is_failure)
    if stalled and not snapshot.is_condition(ConditionType.STALLED, "True"):
        yield Notice("Stalled", stalled, warning=True)


def _metrics_notices(snapshot: Snapshot) -> Iterator[Notice]:
    """Yield Events when Prometheus stops answering, and when it answers again."""
    kind = ConditionType.METRICS_AVAILABLE
    known, found = snapshot.job.conditions.get(kind), snapshot.conditions.get(kind)
    before = known.status if known else "True"
    if found is None or found.status == before or snapshot.job.phase.is_final:
        return
    if found.status == "False":
        yield Notice("MetricsUnavailable", f"{found.message}; trials continue, but none is stopped early", warning=True)
    else:
        yield Notice("MetricsAvailable", "Prometheus answers again")


def _trial_notices(before: Trial, after: Trial, snapshot: Snapshot) -> Iterator[Notice]:
    if after.status.stop and not before.status.stop:
        yield Notice(
            "TrialEarlyStopped" if after.status.stop.early else "TrialStopped", after.status.stop.message, after
        )
    elif after.status.is_pausing and after.phase is not before.phase and after.status.pause:
        yield Notice("TrialPaused", after.status.pause.message, after)
    elif after.phase is not before.phase and after.phase in ENDS:
        reason, warning = ENDS[after.phase]
        yield Notice(reason, _sentence(after), after, warning=warning)
    yield from _of_its_attempts(before, after)
    yield from _of_its_pod(before, after, snapshot)
    if after.status.would_stop and not before.status.would_stop:
        yield Notice("TrialWouldStop", f"dry run: {after.status.would_stop.message}", after)
    if after.phase is not before.phase and after.phase.is_final:
        lost = losses(after.curve, snapshot.job.spec.source)
        if lost:
            message = f"{lost.epochs} of {lost.epochs + len(after.curve)} epochs are unknown, the first is {lost.first}"
            yield Notice("EpochsMissing", message, after, warning=True)
    if after.curve.thinned and not before.curve.thinned:
        most = points_per_trial(snapshot.job.spec.most_trials)
        kept = (
            f"status.curve keeps {len(after.curve)} of {after.curve.count} epochs, the limit is {most} for each trial"
        )
        yield Notice(
            "CurveThinned", f"{kept}: the first, last, best and judged ones, and an even selection of the others", after
        )
    reading = snapshot.reading(before)
    conflicts = before.curve.conflicts(reading.curve) if reading else ()
    if conflicts:
        epoch, value = conflicts[0]
        yield Notice(
            "MeasurementChanged",
            f"epoch {epoch} was reported again as {value:.6g}; the first value counts, even if others follow",
            before,
            warning=True,
            count=len(conflicts),
        )


def _again(trial: Trial, count: int) -> str:
    return (
        f"attempt {trial.status.attempt} trains at least {count} known epochs again: it found no checkpoint in"
        " checkpointDir, or an older one; let the training write one after each epoch and at SIGTERM"
    )


def of_pods_not_kept(snapshot: Snapshot, trials: tuple[Trial, ...], leftover: Collection[Attempt]) -> Iterator[Notice]:
    """Yield Events for Pods that are deleted although the job wants to keep them: something in them does not end."""
    for trial in trials:
        for attempt in snapshot.attempts.get(trial.name, ()):
            if attempt in leftover and has_company(snapshot.job, trial, attempt):
                yield Notice("PodNotKept", _NOT_KEPT, trial, warning=True)


_NOT_KEPT = (
    "its Pod is deleted despite podCleanup Keep: the training has ended, but another container keeps running and holds"
    " the Pod's resources; make it an init container with restartPolicy Always, which Kubernetes ends after the"
    " training"
)


def _of_its_attempts(before: Trial, after: Trial) -> Iterator[Notice]:
    """Yield Events for an attempt that follows another one, and for what it trains again."""
    if after.status.resumptions != before.status.resumptions:
        yield Notice("TrialResumed", after.status.message or "", after)
    elif after.status.attempt != before.status.attempt:
        failed = after.status.failures != before.status.failures
        yield Notice("AttemptFailed" if failed else "Disrupted", after.status.message or "", after, warning=True)
    again = after.status.repeated_epochs - before.status.repeated_epochs
    if again:
        yield Notice("EpochsRepeated", _again(after, again), after, warning=True)


def _of_its_pod(before: Trial, after: Trial, snapshot: Snapshot) -> Iterator[Notice]:
    """Yield Events for what its Pod, its log and its scrapes show."""
    if (before.status.stop and not after.status.stop) or (before.status.pause and not after.status.pause):
        yield Notice("StopDropped", after.status.message or "", after)
    if after.status.reason == NOT_SCRAPED != before.status.reason:
        yield Notice("TrialNotScraped", after.status.message or "", after, warning=True)
    attempt = snapshot.attempt(before)
    trouble = log_trouble(attempt.history) if attempt else None
    if trouble and after.phase is TrialPhase.COMPLETED is not before.phase:
        yield Notice("LogPartlyUsed", trouble, after, warning=True)


ENDS = {
    TrialPhase.COMPLETED: ("TrialCompleted", False),
    TrialPhase.FAILED: ("TrialFailed", True),
}
"""The reason of the Event for each end that is the training's own, and whether it is a warning."""


def _sentence(trial: Trial) -> str:
    status = trial.status
    if trial.phase is TrialPhase.COMPLETED:
        measured = trial.measured
        best = f" of epoch {measured.epoch}" if measured and trial.best_for else ""
        return f"objective {trial.objective:.6g}{best} after {status.curve.count} epochs, {status.training_seconds} s"
    return status.message or status.reason or ""
