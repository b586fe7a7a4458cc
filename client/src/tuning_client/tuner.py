"""SageMaker's HyperparameterTuner, for HyperparameterTuningJobs: builds the manifest, creates it, follows it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from tuning_client.analytics import HyperparameterTuningJobAnalytics
from tuning_client.errors import TuningError
from tuning_client.estimator import Estimator
from tuning_client.job import TuningJob
from tuning_client.names import image_name, unique_job_name
from tuning_client.parameters import (
    CategoricalParameter,
    ContinuousParameter,
    HyperbandStrategyConfig,
    IntegerParameter,
    ParameterRange,
    StrategyConfig,
    TuningJobCompletionCriteriaConfig,
    WarmStartConfig,
    WarmStartTypes,
)
from tuning_client.session import API_VERSION, JOB_KIND, Session

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CategoricalParameter",
    "ContinuousParameter",
    "Estimator",
    "HyperbandStrategyConfig",
    "HyperparameterTuner",
    "IntegerParameter",
    "StrategyConfig",
    "TuningJobCompletionCriteriaConfig",
    "WarmStartConfig",
    "WarmStartTypes",
]


class HyperparameterTuner:
    """Searches the hyperparameters with which a training reaches the best value of a metric.

    What the values may be is checked by the API server when the job is created; its refusals name field and remedy.

    Args:
        estimator: the training.
        objective_metric_name: the metric, as the training reports it after each epoch.
        hyperparameter_ranges: what is searched, by name.
        strategy: how: Bayesian, Random, Grid or Hyperband.
        strategy_config: the settings of Hyperband.
        objective_type: Maximize or Minimize.
        max_jobs: how many trials are run; default: 1, and with strategy Grid all combinations.
        max_parallel_jobs: how many of them at the same time.
        max_runtime_in_seconds: the longest the whole job may take.
        completion_criteria_config: what ends the job before its limits.
        early_stopping_type: Off or Auto.
        warm_start_config: the earlier jobs whose trials are learned from.
        random_seed: makes the search repeatable.
        base_tuning_job_name: what names of jobs begin with; default: the image's name.
        tags: labels of the job.
        spec: fields of the job's spec for which SageMaker has no name, merged in last, for example
            `{"limits": {"maxFailedTrials": 3}}`.
        session: where; default: the current context and its namespace.

    Attributes:
        latest_tuning_job: the job that `fit` has started last, or that `attach` was given.
    """

    latest_tuning_job: TuningJob | None = None

    def __init__(
        self,
        estimator: Estimator,
        objective_metric_name: str,
        hyperparameter_ranges: Mapping[str, ParameterRange],
        *,
        strategy: str = "Bayesian",
        strategy_config: StrategyConfig | None = None,
        objective_type: str = "Maximize",
        max_jobs: int | None = None,
        max_parallel_jobs: int = 1,
        max_runtime_in_seconds: int | None = None,
        completion_criteria_config: TuningJobCompletionCriteriaConfig | None = None,
        early_stopping_type: str = "Off",
        warm_start_config: WarmStartConfig | None = None,
        random_seed: int | None = None,
        base_tuning_job_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        spec: Mapping[str, Any] | None = None,
        session: Session | None = None,
    ) -> None:
        if not isinstance(estimator, Estimator):
            raise TypeError(
                f"estimator must be an Estimator, not {estimator!r}: Estimator.from_template takes Pod templates"
            )
        criteria = completion_criteria_config or TuningJobCompletionCriteriaConfig()
        static = {name: text for name, text in estimator.hyperparameters().items() if name not in hyperparameter_ranges}
        named = {
            "strategy": strategy,
            "hyperband": strategy_config and strategy_config.hyperband_strategy_config.render(),
            "seed": random_seed,
            "objective": {
                "metric": objective_metric_name,
                "goal": objective_type,
                "target": criteria.target_objective_metric_value,
            },
            "parameters": [_parameter(name, range_) for name, range_ in hyperparameter_ranges.items()],
            "staticParameters": static or None,
            "limits": {
                "maxTrials": max_jobs or (None if strategy == "Grid" else 1),
                "maxParallelTrials": max_parallel_jobs,
                "maxDuration": None if max_runtime_in_seconds is None else f"{max_runtime_in_seconds}s",
            },
            "earlyStopping": {"type": early_stopping_type},
            "completion": criteria.render() or None,
            "warmStart": warm_start_config and warm_start_config.render(),
            "template": estimator.template(),
        }
        self._spec = _merged(_merged({}, named), spec or {})
        self._labels = dict(tags or {})
        self._base_name = base_tuning_job_name or image_name(estimator.image_uri)
        self._session = session

    @classmethod
    def attach(cls, tuning_job_name: str, session: Session | None = None) -> Self:
        """Take up a job that exists; `fit` then starts another one like it."""
        session = session or Session()
        job = session.job(tuning_job_name)
        spec = job["spec"]
        tuner = cls(
            Estimator.from_template(spec["template"]),
            spec["objective"]["metric"],
            {},
            base_tuning_job_name=tuning_job_name,
            tags=job["metadata"].get("labels"),
            session=session,
        )
        # As it is, without the defaults of the arguments above: a Grid without maxTrials runs all combinations. Whether
        # that job was stopped or suspended says nothing about the next one.
        tuner._spec = {name: value for name, value in spec.items() if name not in {"stop", "suspend"}}
        tuner.latest_tuning_job = TuningJob(tuning_job_name, session)
        return tuner

    @property
    def session(self) -> Session:
        """The access to the cluster; made when it is first needed."""
        self._session = self._session or Session()
        return self._session

    def manifest(self, job_name: str | None = None) -> dict[str, Any]:
        """The HyperparameterTuningJob that `fit` creates."""
        metadata: dict[str, Any] = {"name": job_name or unique_job_name(self._base_name)}
        if self._labels:
            metadata["labels"] = dict(self._labels)
        return {"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": metadata, "spec": copy.deepcopy(self._spec)}

    def fit(self, *, job_name: str | None = None, wait: bool = True) -> None:
        """Start a tuning job.

        Args:
            job_name: its name, at most 40 lower-case letters, digits and hyphens; default: `base_tuning_job_name` with
                the time and a few random letters.
            wait: whether to return only when the job has ended.

        Raises:
            TuningError: the API server refuses the job; in its words.
        """
        created = self.session.create_job(self.manifest(job_name))
        self.latest_tuning_job = TuningJob(created["metadata"]["name"], self.session)
        if wait:
            self.wait()

    def wait(self, *, progress: bool = True) -> None:
        """Return once the job has ended, with a progress bar in the meantime; raise JobFailedError if it failed."""
        self._job.wait(progress=progress)

    def stop_tuning_job(self) -> None:
        """End the job for good: trials that run are stopped, and all records are kept."""
        self._job.stop()

    def describe(self) -> dict[str, Any]:
        """The job in the words of SageMaker's DescribeHyperParameterTuningJob."""
        return self._job.describe()

    def best_training_job(self) -> str:
        """Name of the trial with the best objective of those that have ended."""
        return self._job.best_training_job()

    def analytics(self) -> HyperparameterTuningJobAnalytics:
        """The job's trials as tables."""
        return HyperparameterTuningJobAnalytics(self._job.name, self.session)

    @property
    def _job(self) -> TuningJob:
        if self.latest_tuning_job is None:
            raise TuningError("no job has been started: call fit(), or HyperparameterTuner.attach(name)")
        return self.latest_tuning_job


def _parameter(name: str, range_: ParameterRange) -> dict[str, Any]:
    if not isinstance(range_, ParameterRange):
        raise TypeError(
            f"hyperparameter_ranges[{name!r}] must be a ContinuousParameter, an IntegerParameter or a "
            f"CategoricalParameter, not {range_!r}"
        )
    try:
        return {"name": name, **range_.render()}
    except ValueError as error:
        raise ValueError(f"hyperparameter_ranges[{name!r}]: {error}") from None


def _merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7386) applied: None removes, lists are replaced."""
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif hasattr(value, "keys"):
            result[key] = _merged(result.get(key) or {}, value)
        else:
            result[key] = value
    return result
