"""HyperparameterTuningJob: from the API server's JSON to core values, and from a job's summary to its status."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from tuning_operator.api.values import parse_duration, render_number, render_time, time_in
from tuning_operator.core.curves import Goal
from tuning_operator.core.job import (
    CompletionReason,
    Condition,
    Criteria,
    Job,
    JobPhase,
    JobSpec,
    Limits,
    Objective,
    PodCleanup,
    RunningTrials,
    SuspendPolicy,
)
from tuning_operator.core.sources import Gauges, LogFile, MetricDefinition, Selector
from tuning_operator.core.space import Categorical, Continuous, Integer, Parameter, Scale, Space
from tuning_operator.core.stopping import EarlyStopping, EarlyStoppingType, Hyperband, MedianKnobs, Statistic
from tuning_operator.core.suggest import Strategy
from tuning_operator.core.trials import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.savings import Savings
    from tuning_operator.core.summary import JobStatus
    from tuning_operator.core.trials import Trial


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


class InvalidJobError(ValueError):
    """A job that passed the API server but is not understood here; the message names the field."""


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class _ContinuousRange(_Model):
    min: float
    max: float
    scale: Scale = Scale.AUTO


class _IntegerRange(_Model):
    min: int
    max: int
    scale: Scale = Scale.AUTO
    step: int = 1


class _CategoricalRange(_Model):
    values: tuple[str, ...]


class _Parameter(_Model):
    name: str
    continuous: _ContinuousRange | None = None
    integer: _IntegerRange | None = None
    categorical: _CategoricalRange | None = None

    def to_core(self) -> Parameter:
        if self.continuous:
            return Continuous(self.name, self.continuous.min, self.continuous.max, self.continuous.scale)
        if self.integer:
            return Integer(self.name, self.integer.min, self.integer.max, self.integer.scale, self.integer.step)
        if self.categorical:
            return Categorical(self.name, self.categorical.values)
        raise InvalidJobError(f"spec.parameters[{self.name}] has no range: set continuous, integer or categorical")


class _Objective(_Model):
    metric: str
    goal: Goal
    target: float | None = None


class _Limits(_Model):
    max_trials: int | None = None
    max_parallel_trials: int = 1
    max_failed_trials: int | None = None
    max_duration: str | None = None


class _Median(_Model):
    statistic: Statistic = Statistic.BEST
    quantile: float = 0.5
    min_completed_trials: int = 3
    min_epochs: int = 2
    min_progress: float = 0.2


class _EarlyStopping(_Model):
    type: EarlyStoppingType = EarlyStoppingType.OFF
    median: _Median = _Median()
    dry_run: bool = False

    def to_core(self) -> EarlyStopping:
        return EarlyStopping(self.type, MedianKnobs(**self.median.model_dump()), self.dry_run)


class _Hyperband(_Model):
    min_resource: int
    max_resource: int
    reduction_factor: int = 3
    proposals: Strategy = Strategy.RANDOM

    def to_core(self) -> Hyperband:
        return Hyperband(self.min_resource, self.max_resource, self.reduction_factor)


class _Selector(_Model):
    name: str
    labels: dict[str, str] = Field(default_factory=dict)

    def to_core(self) -> Selector:
        return Selector(self.name, tuple(sorted(self.labels.items())))


class _Gauges(_Model):
    value: _Selector
    epoch: _Selector


class _MetricDefinition(_Model):
    name: str
    regex: str


class _LogFile(_Model):
    path: str
    format: Literal["JSONLines", "Regex"] = "JSONLines"
    metric_definitions: tuple[_MetricDefinition, ...] = ()


class _Source(_Model):
    type: Literal["History", "Gauge", "File"] = "History"
    gauge: _Gauges | None = None
    file: _LogFile | None = None

    def to_core(self) -> Gauges | LogFile | None:
        if self.type == "Gauge" and self.gauge:
            return Gauges(self.gauge.value.to_core(), self.gauge.epoch.to_core())
        if self.type == "File" and self.file:
            definitions = (MetricDefinition(item.name, item.regex) for item in self.file.metric_definitions)
            return LogFile(self.file.path, tuple(definitions))
        if self.type != "History":
            raise InvalidJobError(f"spec.metrics.source.{self.type.lower()} is missing")
        return None


class _Metrics(_Model):
    start_deadline: str | None = None
    source: _Source = _Source()


class _Retry(_Model):
    max_attempts: int = 1


class _Convergence(_Model):
    tolerance: float = 0.01


class _Completion(_Model):
    max_trials_without_improvement: int | None = None
    improvement_threshold: float = 0.01
    on_convergence: _Convergence | None = None
    running_trials: RunningTrials = RunningTrials.STOP

    def to_core(self) -> Criteria:
        return Criteria(
            self.max_trials_without_improvement,
            self.improvement_threshold,
            self.on_convergence.tolerance if self.on_convergence else None,
            self.running_trials,
        )


class _Spec(_Model):
    strategy: Strategy | Literal["Hyperband"] = Strategy.BAYESIAN
    hyperband: _Hyperband | None = None
    seed: int | None = None
    objective: _Objective
    parameters: tuple[_Parameter, ...]
    static_parameters: dict[str, str] = Field(default_factory=dict)
    limits: _Limits
    early_stopping: _EarlyStopping = _EarlyStopping()
    metrics: _Metrics = _Metrics()
    retry: _Retry = _Retry()
    suspend: bool = False
    suspend_policy: SuspendPolicy = SuspendPolicy.DRAIN
    stop: bool = False
    completion: _Completion = _Completion()
    ttl_seconds_after_finished: int | None = None
    pod_cleanup: PodCleanup = PodCleanup.KEEP
    template: dict[str, Any]

    def to_core(self) -> JobSpec:
        limits = self.limits
        space = Space(tuple(parameter.to_core() for parameter in self.parameters))
        max_trials = limits.max_trials or space.size
        if max_trials is None:
            raise InvalidJobError("spec.limits.maxTrials is missing: only a Grid knows its own number of trials")
        return JobSpec(
            strategy=self._proposals(),
            objective=Objective(self.objective.metric, self.objective.goal, self.objective.target),
            space=space,
            limits=Limits(
                max_trials,
                limits.max_parallel_trials,
                limits.max_failed_trials,
                _duration(limits.max_duration, "limits.maxDuration"),
            ),
            early_stopping=self.early_stopping.to_core(),
            max_attempts=self.retry.max_attempts,
            start_deadline=_duration(self.metrics.start_deadline, "metrics.startDeadline"),
            source=self.metrics.source.to_core(),
            static_parameters=self.static_parameters,
            seed=self.seed,
            suspend=self.suspend,
            hyperband=self.hyperband.to_core() if self.hyperband else None,
            suspend_policy=self.suspend_policy,
            stop=self.stop,
            completion=self.completion.to_core(),
            time_to_live=_seconds(self.ttl_seconds_after_finished),
            pod_cleanup=self.pod_cleanup,
        )

    def _proposals(self) -> Strategy:
        if self.strategy != "Hyperband":
            return self.strategy
        if self.hyperband is None:
            raise InvalidJobError("spec.hyperband is missing: strategy Hyperband needs minResource and maxResource")
        return self.hyperband.proposals


def parse_job(body: Mapping[str, Any]) -> TuningJob:
    """Parse a HyperparameterTuningJob.

    Raises:
        InvalidJobError: The object is not understood; the message names the field.
    """
    metadata, status = body["metadata"], body.get("status") or {}
    try:
        parsed = _Spec.model_validate(body["spec"])
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


def is_settled(body: Mapping[str, Any]) -> bool:
    """Whether a job has ended and has not been edited since: there is nothing to do about it but at its events."""
    status = body.get("status") or {}
    return status.get("phase") in _FINAL and status.get("observedGeneration") == body["metadata"].get("generation")


_FINAL = frozenset(phase for phase in JobPhase if phase.is_final)


def render_status(summary: JobStatus, recorded: Mapping[str, Any], trial_texts: Mapping[str, str]) -> dict[str, Any]:
    """Render a job's status.

    Args:
        summary: The job, summed up.
        recorded: The status as it was read: conditions that did not change keep their times.
        trial_texts: The best trial's parameters as texts.
    """
    status: dict[str, Any] = {
        "observedGeneration": summary.observed_generation,
        "seed": summary.seed,
        "phase": summary.phase,
        "progress": f"{summary.ended}/{summary.max_trials}",
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
        status |= {"completionReason": summary.completion_reason, "message": summary.message[:1024]}
    if summary.best and summary.best.curve.latest:
        latest = summary.best.curve.latest
        status["bestTrial"] = {
            "name": summary.best.name,
            "objective": render_number(latest.value),
            "epoch": latest.epoch,
            "parameters": dict(trial_texts),
        }
    if summary.early_stopping:
        status["earlyStopping"] = _early_stopping(summary.early_stopping)
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
    told: dict[str, Any] = {"trial": newest.number, "source": newest.source, "message": newest.source_message}
    if math.isfinite(newest.expected_gain):
        told["expectedGain"] = f"{newest.expected_gain:.3g}"
    return told


def _render_conditions(summary: JobStatus, recorded: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Render conditions; `lastTransitionTime` moves only when the status of a condition does."""
    before = {item["type"]: item for item in recorded.get("conditions") or ()}
    now = render_time(summary.now)
    rendered = []
    for kind, condition in sorted(summary.conditions.items()):
        known = before.get(kind)
        same = known is not None and known["status"] == condition.status
        rendered.append(
            {
                "type": kind,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message[:1024],
                "observedGeneration": summary.observed_generation,
                "lastTransitionTime": known["lastTransitionTime"] if known and same else now,
            }
        )
    return rendered


def _condition(item: Mapping[str, Any]) -> Condition:
    return Condition(item["type"], item["status"], item["reason"], item.get("message", ""))


def _duration(text: str | None, field: str) -> timedelta | None:
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise InvalidJobError(f"spec.{field}: {error}") from None


def _seconds(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _completion_reason(status: Mapping[str, Any]) -> CompletionReason | None:
    text = status.get("completionReason")
    return CompletionReason(text) if text else None
