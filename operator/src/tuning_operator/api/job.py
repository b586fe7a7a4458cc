"""HyperparameterTuningJob: from the API server's JSON to core values, and from a job's summary to its status."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tuning_operator.api import names
from tuning_operator.api.best import render_best
from tuning_operator.api.fields import InvalidJobError
from tuning_operator.api.jobspec import Spec
from tuning_operator.api.values import parse_duration, render_time, time_in
from tuning_operator.core.model.conditions import MAX_MESSAGE, Condition, ConditionType
from tuning_operator.core.model.job import CompletionReason, Job, JobPhase
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.report.summary import JobStatus
    from tuning_operator.core.stopping.savings import Savings


@dataclass(frozen=True, slots=True)
class TuningJob:
    """A job with the parts of its object that the core does not need.

    Attributes:
        template: `spec.template` as the user wrote it.
        status: The recorded status as it is, to write only what differs.
    """

    job: Job
    template: Mapping[str, Any]
    status: Mapping[str, Any]
    resource_version: str


def parse_job(body: Mapping[str, Any]) -> TuningJob:
    """Parse a HyperparameterTuningJob.

    Raises:
        InvalidJobError: The object is not understood; the message names the field.
    """
    metadata, status = body["metadata"], body.get("status") or {}
    try:
        parsed = Spec.model_validate(body["spec"])
        spec = parsed.to_core()
        job = Job(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 1),
            spec=spec,
            phase=JobPhase(status.get("phase") or JobPhase.PENDING),
            observed_generation=status.get("observedGeneration", 0),
            idle=timedelta(seconds=status.get("idleSeconds", 0)),
            start_time=time_in(status, "startTime"),
            completion_time=time_in(status, "completionTime"),
            completion_reason=_completion_reason(status),
            message=status.get("message", ""),
            conditions={item["type"]: _condition(item) for item in status.get("conditions") or ()},
            deleting="deletionTimestamp" in metadata,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in ("spec", *first["loc"]))
        raise InvalidJobError(f"{where}: {first['msg']}") from error
    except KeyError as error:
        raise InvalidJobError(f"the field {error} is missing") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidJobError(f"{error}") from error
    return TuningJob(job, parsed.template, status, metadata.get("resourceVersion", ""))


def is_managed_elsewhere(body: Mapping[str, Any]) -> bool:
    """Whether another controller manages a job: this operator reads it as a parent at most, and writes nothing."""
    return bool(body["spec"].get("managedBy", names.CONTROLLER) != names.CONTROLLER)


def is_settled(body: Mapping[str, Any]) -> bool:
    """Whether a job has ended and has not been edited since: there is nothing to do about it but at its events."""
    return _recorded_phase(body) in _FINAL


def is_at_rest(body: Mapping[str, Any]) -> bool:
    """Whether an ended job needs nothing more: no deletion, and no condition that reports it as well again.

    A Pod that it left behind announces itself by an event.
    """
    conditions = (body.get("status") or {}).get("conditions") or ()
    failed = any(item["type"] == ConditionType.RECONCILED and item["status"] == "False" for item in conditions)
    return is_settled(body) and not failed and body["spec"].get("ttlSecondsAfterFinished") is None


def is_idle(body: Mapping[str, Any], now: datetime) -> bool:
    """Whether a job is suspended and nothing of it waits or runs: what wakes it is an edit, or the end of its time."""
    status, limits = body.get("status") or {}, body["spec"].get("limits") or {}
    if not body["spec"].get("suspend") or body["spec"].get("stop") or _recorded_phase(body) is not JobPhase.SUSPENDED:
        return False
    counts = status.get("trialCounts") or {}
    if counts.get("pending") or counts.get("running") or "deletionTimestamp" in body["metadata"]:
        return False
    begun, longest = time_in(status, "startTime"), limits.get("maxDuration")
    if begun is None or longest is None:
        return longest is None
    try:
        return now < begun + timedelta(seconds=status.get("idleSeconds", 0)) + parse_duration(longest)
    except (ValueError, OverflowError):
        return False  # whether that is understood is for a pass to say


def _recorded_phase(body: Mapping[str, Any]) -> JobPhase | None:
    """The phase of a job, as recorded after its last edit."""
    status = body.get("status") or {}
    if status.get("observedGeneration") != body["metadata"].get("generation"):
        return None
    return JobPhase(status["phase"]) if status.get("phase") in _PHASES else None


_PHASES = frozenset(phase.value for phase in JobPhase)
_FINAL = frozenset(phase for phase in JobPhase if phase.is_final)


def render_status(
    summary: JobStatus, recorded: Mapping[str, Any], trial_texts: Mapping[str, str], model_folder: str | None = None
) -> dict[str, Any]:
    """Render a job's status.

    Args:
        summary: The job, summed up.
        recorded: The status as it was read: conditions that did not change keep their times.
        trial_texts: The best trial's parameters as texts.
        model_folder: Where the best trial was let to leave its models, if that is known.
    """
    status: dict[str, Any] = {
        "observedGeneration": summary.observed_generation,
        "seed": summary.seed,
        "phase": summary.phase,
        "progress": f"{summary.tried}/{max(summary.max_trials, summary.searched)}",
        "trialCounts": _trial_counts(summary),
        "objectiveCounts": {
            "succeeded": summary.ended - summary.without_objective,
            "pending": sum(summary.phases.values()) - summary.ended,
            "failed": summary.without_objective,
        },
        "totalTrainingSeconds": summary.total_training_seconds,
        "conditions": _render_conditions(summary, recorded),
    }
    if summary.start_time:
        status["startTime"] = render_time(summary.start_time)
    if summary.completion_time:
        status["completionTime"] = render_time(summary.completion_time)
    if summary.idle:
        status["idleSeconds"] = round(summary.idle.total_seconds())
    if summary.completion_reason:
        status |= {"completionReason": summary.completion_reason, "message": summary.message[:MAX_MESSAGE]}
    status |= render_best(summary, trial_texts, model_folder)
    if summary.early_stopping:
        status["earlyStopping"] = _early_stopping(summary.early_stopping)
    if summary.cost:
        texts = {"gpuHours": summary.cost.gpu_hours, "spent": summary.cost.spent, "currency": summary.cost.currency}
        status["cost"] = {name: text for name, text in texts.items() if text}
    if summary.newest:
        status["suggestion"] = _suggestion(summary.newest)
    return status


def _trial_counts(summary: JobStatus) -> dict[str, int]:
    count = summary.phases
    return {
        "pending": count.get(TrialPhase.PENDING, 0),
        "running": sum(
            count.get(phase, 0) for phase in (TrialPhase.RUNNING, TrialPhase.COLLECTING, TrialPhase.STOPPING)
        ),
        "paused": count.get(TrialPhase.PAUSED, 0),
        "completed": count.get(TrialPhase.COMPLETED, 0),
        "earlyStopped": count.get(TrialPhase.EARLY_STOPPED, 0),
        "stopped": count.get(TrialPhase.STOPPED, 0),
        "failed": count.get(TrialPhase.FAILED, 0),
    }


def _early_stopping(savings: Savings) -> dict[str, Any]:
    stopped, dry_run = savings.stopped, savings.dry_run
    rendered: dict[str, Any] = {
        "stopped": stopped.trials,
        "epochsSaved": stopped.epochs,
        "secondsSaved": stopped.seconds,
    }
    if savings.resumptions:
        rendered |= {"resumptions": savings.resumptions, "repeatedEpochs": savings.repeated_epochs}
    if dry_run:
        rendered |= {
            "wouldStop": dry_run.saving.trials,
            "wouldSaveEpochs": dry_run.saving.epochs,
            "wouldSaveSeconds": dry_run.saving.seconds,
            "message": dry_run.message,
        }
        if dry_run.would_miss_best is not None:
            rendered["wouldMissBest"] = dry_run.would_miss_best
    return rendered


def _suggestion(newest: Trial) -> dict[str, Any]:
    suggestion: dict[str, Any] = {
        "trial": newest.number,
        "source": newest.suggestion_source,
        "message": newest.suggestion_message,
    }
    if math.isfinite(newest.expected_gain):
        suggestion["expectedGain"] = f"{newest.expected_gain:.3g}"
    return suggestion


def _render_conditions(summary: JobStatus, recorded: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Render conditions; `lastTransitionTime` moves only when the status of a condition does."""
    before = {item["type"]: item for item in recorded.get("conditions") or ()}
    return [
        _render_condition(condition, before.get(kind), summary.observed_generation, summary.now)
        for kind, condition in sorted(summary.conditions.items())
    ]


def with_condition(
    status: Mapping[str, Any], condition: Condition, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Return the conditions of a job's recorded status, with this one in the place of its predecessor."""
    others = [item for item in status.get("conditions") or () if item["type"] != condition.type]
    known = next((item for item in status.get("conditions") or () if item["type"] == condition.type), None)
    return [*others, _render_condition(condition, known, generation, now)]


def _render_condition(
    condition: Condition, known: Mapping[str, Any] | None, generation: int, now: datetime
) -> dict[str, Any]:
    same = known is not None and known["status"] == condition.status
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message[:MAX_MESSAGE],
        "observedGeneration": generation,
        "lastTransitionTime": known["lastTransitionTime"] if known and same else render_time(now),
    }


def _condition(item: Mapping[str, Any]) -> Condition:
    return Condition(item["type"], item["status"], item["reason"], item.get("message", ""))


def _completion_reason(status: Mapping[str, Any]) -> CompletionReason | None:
    text = status.get("completionReason")
    return CompletionReason(text) if text else None
