"""The specification of a HyperparameterTuningJob: from the API server's JSON to what the core decides with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from tuning_operator.api.gpus import gpus_of
from tuning_operator.api.values import parse_duration
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.early_stopping import (
    EarlyStopping,
    EarlyStoppingType,
    Hyperband,
    MedianKnobs,
    Statistic,
)
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
from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Parameter, Scale, Space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tuning_operator.core.space import Value


SEED = "TUNING_SEED"
"""The variable with a training's seed."""


class InvalidJobError(ValueError):
    """A job that passed the API server but is not understood here; the message names the field."""


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class _ContinuousRange(_Model):
    min: float
    max: float
    scale: Scale = Scale.AUTO
    step: float | None = None


class _IntegerRange(_Model):
    min: int
    max: int
    scale: Scale = Scale.AUTO
    step: int = 1


class _DiscreteRange(_Model):
    values: tuple[int | float, ...]
    scale: Scale = Scale.AUTO

    def numbers(self) -> tuple[float, ...]:
        """Return whole numbers as such, where all of them are."""
        whole = all(float(value).is_integer() for value in self.values)
        return tuple(int(value) if whole else float(value) for value in self.values)


class _CategoricalRange(_Model):
    values: tuple[str, ...]


class _Parameter(_Model):
    name: str
    continuous: _ContinuousRange | None = None
    integer: _IntegerRange | None = None
    discrete: _DiscreteRange | None = None
    categorical: _CategoricalRange | None = None

    def to_core(self) -> Parameter:
        if self.continuous and self.continuous.step is not None:
            return Discrete.stepped(self.name, self.continuous.min, self.continuous.max, self.continuous.step)
        if self.continuous:
            return Continuous(self.name, self.continuous.min, self.continuous.max, self.continuous.scale)
        if self.integer:
            return Integer(self.name, self.integer.min, self.integer.max, self.integer.scale, self.integer.step)
        if self.discrete:
            return Discrete(self.name, self.discrete.numbers(), self.discrete.scale)
        if self.categorical:
            return Categorical(self.name, self.categorical.values)
        kinds = "continuous, integer, discrete or categorical"
        raise InvalidJobError(f"spec.parameters[{self.name}] has no range: set {kinds}")


class _Objective(_Model):
    metric: str
    goal: Goal
    value: ObjectiveValue = ObjectiveValue.LAST
    target: float | None = None

    def to_core(self) -> Objective:
        return Objective(self.metric, self.goal, self.target, self.value)


class _Limits(_Model):
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
            _duration(self.max_duration, "limits.maxDuration"),
            _duration(self.max_training_time, "limits.maxTrainingTime"),
            self.max_gpu_hours,
            _duration(self.max_trial_duration, "limits.maxTrialDuration"),
        )


class _Cost(_Model):
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


class _Confirm(_Model):
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
    pause: bool = False

    def to_core(self) -> EarlyStopping:
        return EarlyStopping(self.type, MedianKnobs(**self.median.model_dump()), self.dry_run, self.pause)


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


class _TensorBoard(_Model):
    path: str
    tag: str | None = None


class _Source(_Model):
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


class _WarmStart(_Model):
    type: Literal["IdenticalDataAndAlgorithm", "TransferLearning"]
    parents: tuple[str, ...]


class _InitialTrial(_Model):
    parameters: dict[str, str]


class Spec(_Model):
    """`spec` with the API server's defaults."""

    strategy: Strategy | Literal["Hyperband"] = Strategy.BAYESIAN
    hyperband: _Hyperband | None = None
    seed: int | None = None
    objective: _Objective
    parameters: tuple[_Parameter, ...]
    static_parameters: dict[str, str] = Field(default_factory=dict)
    initial_trials: tuple[_InitialTrial, ...] = ()
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
    warm_start: _WarmStart | None = None
    nodes: int = 1
    cost: _Cost = _Cost()
    confirm: _Confirm | None = None
    checkpoint_dir: str | None = None
    template: dict[str, Any]

    def to_core(self) -> JobSpec:
        """Return it as the core knows it; raises InvalidJobError, which names the field."""
        limits = self.limits
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
            start_deadline=_duration(self.metrics.start_deadline, "metrics.startDeadline"),
            source=self.metrics.source.to_core(self.objective.metric),
            static_parameters=self.static_parameters,
            seed=self.seed,
            suspend=self.suspend,
            hyperband=self.hyperband.to_core() if self.hyperband else None,
            suspend_policy=self.suspend_policy,
            stop=self.stop,
            completion=self.completion.to_core(),
            ttl_after_finished=_seconds(self.ttl_seconds_after_finished),
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


def parse_rule(rule: Mapping[str, Any]) -> EarlyStopping | Hyperband:
    """Parse a rule as in `spec.earlyStopping`, or `spec.hyperband` with the type Hyperband.

    Raises:
        InvalidJobError: It is not understood; unlike with an object that the API server has checked, that is a field
            of another name, too.
    """
    given = dict(rule)
    hyperband = given.get("type") == "Hyperband"
    if hyperband:
        del given["type"]
    model = _Hyperband if hyperband else _EarlyStopping
    _refuse_unknown(model, given, "")
    if not hyperband:
        _refuse_unknown(_Median, given.get("median") or {}, "median.")
    try:
        return model.model_validate(given).to_core()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidJobError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise InvalidJobError(str(error)) from error


def _refuse_unknown(model: type[_Model], given: Mapping[str, Any], where: str) -> None:
    known = [to_camel(name) for name in model.model_fields]
    for name in given:
        if name not in known:
            raise InvalidJobError(f"{where}{name}: is not a field of the rule; its fields are {', '.join(known)}")


def _duration(text: str | None, field: str) -> timedelta | None:
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise InvalidJobError(f"spec.{field}: {error}") from None


def _seconds(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
