"""The specification of a HyperparameterTuningJob: from the API server's JSON to what the core decides with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tuning_operator.api.fields import InvalidJobError, Model, duration
from tuning_operator.api.gpus import gpus_of
from tuning_operator.api.parameters import ParameterModel
from tuning_operator.api.rules import EarlyStoppingModel, HyperbandModel
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.sources import Gauges, LogFile, MetricDefinition, Selector
from tuning_operator.core.model.spec import (
    Confirm,
    Cost,
    Criteria,
    JobSpec,
    Limits,
    Objective,
    ObjectiveValue,
    PodCleanup,
    RunningTrials,
    Strategy,
    SuspendPolicy,
)
from tuning_operator.core.space import Space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tuning_operator.core.space import Value


SEED = "TUNING_SEED"
"""The variable with a training's seed."""


class _Objective(Model):
    metric: str
    goal: Goal
    value: ObjectiveValue = ObjectiveValue.LAST
    target: float | None = None

    def to_core(self) -> Objective:
        return Objective(self.metric, self.goal, self.target, self.value)


class _Limits(Model):
    max_trials: int | None = None
    max_parallel_trials: int = 1
    max_failed_trials: int | None = None
    max_duration: str | None = None
    max_training_time: str | None = None
    max_gpu_hours: float | None = Field(default=None, alias="maxGPUHours")
    max_trial_duration: str | None = None

    def to_core(self, max_trials: int) -> Limits:
        return Limits(
            max_trials,
            self.max_parallel_trials,
            self.max_failed_trials,
            duration(self.max_duration, "limits.maxDuration"),
            duration(self.max_training_time, "limits.maxTrainingTime"),
            self.max_gpu_hours,
            duration(self.max_trial_duration, "limits.maxTrialDuration"),
        )


class _Cost(Model):
    gpus_per_pod: float | None = Field(default=None, alias="gpusPerPod")
    price_per_gpu_hour: float | None = Field(default=None, alias="pricePerGPUHour")
    currency: str | None = None

    def to_core(self, template: Mapping[str, Any], limits: _Limits) -> Cost:
        gpus = gpus_of(template) if self.gpus_per_pod is None else self.gpus_per_pod
        asks = {"limits.maxGPUHours": limits.max_gpu_hours, "cost.pricePerGPUHour": self.price_per_gpu_hour}
        field = next((name for name, value in asks.items() if value is not None), None)
        if field and not gpus:
            why = "claims devices, whose number is not in it" if gpus is None else "requests no GPU"
            remedy = "request one, such as nvidia.com/gpu, " if gpus == 0 else ""
            remedy += "set spec.cost.gpusPerPod" + (" or use limits.maxTrainingTime" if "limits" in field else "")
            raise InvalidJobError(f"spec.{field} needs the number of GPUs, and spec.template {why}: {remedy}")
        return Cost(gpus or 0.0, self.price_per_gpu_hour, self.currency or "")


class _Confirm(Model):
    top: int = 3
    seeds: int = 3

    def to_core(self, template: Mapping[str, Any]) -> Confirm:
        return Confirm(self.top, self.seeds, names_seed=_is_mentioned(SEED, template))


def _is_mentioned(name: str, part: object) -> bool:
    """Whether a text in some part of a template has a name in it."""
    if isinstance(part, dict):
        return any(_is_mentioned(name, each) for each in part.values())
    if isinstance(part, list):
        return any(_is_mentioned(name, each) for each in part)
    return isinstance(part, str) and name in part


class _Selector(Model):
    name: str
    labels: dict[str, str] = Field(default_factory=dict)

    def to_core(self) -> Selector:
        return Selector(self.name, tuple(sorted(self.labels.items())))


class _Gauges(Model):
    value: _Selector
    epoch: _Selector


class _MetricDefinition(Model):
    name: str
    regex: str


class _LogFile(Model):
    path: str
    format: Literal["JSONLines", "Regex"] = "JSONLines"
    metric_definitions: tuple[_MetricDefinition, ...] = ()


class _TensorBoard(Model):
    path: str
    tag: str | None = None


class _Source(Model):
    type: Literal["History", "Gauge", "File", "TensorBoard"] = "History"
    gauge: _Gauges | None = None
    file: _LogFile | None = None
    tensor_board: _TensorBoard | None = None

    def to_core(self, objective: str) -> Gauges | LogFile | None:
        if self.type == "Gauge" and self.gauge:
            return Gauges(self.gauge.value.to_core(), self.gauge.epoch.to_core())
        if self.type == "File" and self.file:
            definitions = (MetricDefinition(item.name, item.regex) for item in self.file.metric_definitions)
            return LogFile(self.file.path, tuple(definitions))
        if self.type == "TensorBoard" and self.tensor_board:
            return LogFile(self.tensor_board.path, tag=self.tensor_board.tag or objective)
        if self.type != "History":
            raise InvalidJobError(f"spec.metrics.source.{self.type[:1].lower()}{self.type[1:]} is missing")
        return None


class _Metrics(Model):
    start_deadline: str | None = None
    source: _Source = _Source()


class _Retry(Model):
    max_attempts: int = 1


class _Convergence(Model):
    tolerance: float = 0.01


class _Completion(Model):
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


class _WarmStart(Model):
    type: Literal["IdenticalDataAndAlgorithm", "TransferLearning"]
    parents: tuple[str, ...]


class _InitialTrial(Model):
    parameters: dict[str, str]


class Spec(Model):
    """`spec` with the API server's defaults."""

    strategy: Strategy | Literal["Hyperband"] = Strategy.BAYESIAN
    hyperband: HyperbandModel | None = None
    seed: int | None = None
    objective: _Objective
    parameters: tuple[ParameterModel, ...]
    static_parameters: dict[str, str] = Field(default_factory=dict)
    initial_trials: tuple[_InitialTrial, ...] = ()
    limits: _Limits
    early_stopping: EarlyStoppingModel = EarlyStoppingModel()
    metrics: _Metrics = _Metrics()
    retry: _Retry = _Retry()
    suspend: bool = False
    suspend_policy: SuspendPolicy = SuspendPolicy.DRAIN
    stop: bool = False
    completion: _Completion = _Completion()
    ttl_seconds_after_finished: int | None = None
    pod_cleanup: PodCleanup = PodCleanup.KEEP
    warm_start: _WarmStart | None = None
    nodes: int = 1
    cost: _Cost = _Cost()
    confirm: _Confirm | None = None
    checkpoint_dir: str | None = None
    template: dict[str, Any]

    def to_core(self) -> JobSpec:
        """Return it as the core knows it; raises InvalidJobError, which names the field."""
        limits, ttl = self.limits, self.ttl_seconds_after_finished
        space = Space(tuple(parameter.to_core() for parameter in self.parameters))
        max_trials = limits.max_trials or space.size
        if max_trials is None:
            raise InvalidJobError("spec.limits.maxTrials is missing: only a Grid knows its own number of trials")
        return JobSpec(
            strategy=self._proposals(),
            objective=self.objective.to_core(),
            space=space,
            limits=limits.to_core(max_trials),
            early_stopping=self.early_stopping.to_core(),
            max_attempts=self.retry.max_attempts,
            start_deadline=duration(self.metrics.start_deadline, "metrics.startDeadline"),
            source=self.metrics.source.to_core(self.objective.metric),
            static_parameters=self.static_parameters,
            seed=self.seed,
            suspend=self.suspend,
            hyperband=self.hyperband.to_core() if self.hyperband else None,
            suspend_policy=self.suspend_policy,
            stop=self.stop,
            completion=self.completion.to_core(),
            ttl_after_finished=None if ttl is None else timedelta(seconds=ttl),
            pod_cleanup=self.pod_cleanup,
            parents=self.warm_start.parents if self.warm_start else (),
            transfer=self.warm_start is not None and self.warm_start.type == "TransferLearning",
            nodes=self.nodes,
            initial_trials=tuple(self._initial(space)),
            cost=self.cost.to_core(self.template, limits),
            confirm=self.confirm.to_core(self.template) if self.confirm else None,
            checkpoint_dir=self.checkpoint_dir,
        )

    def _initial(self, space: Space) -> Iterator[dict[str, Value]]:
        for place, trial in enumerate(self.initial_trials):
            try:
                yield space.parse_some(trial.parameters)
            except ValueError as error:
                raise InvalidJobError(f"spec.initialTrials[{place}].parameters: {error}") from None

    def _proposals(self) -> Strategy:
        if self.strategy != "Hyperband":
            return self.strategy
        if self.hyperband is None:
            raise InvalidJobError("spec.hyperband is missing: strategy Hyperband needs minResource and maxResource")
        return self.hyperband.proposals
