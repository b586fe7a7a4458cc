"""SageMaker's HyperparameterTuner, for HyperparameterTuningJobs: builds the manifest, creates it, follows it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from tuning_client.analytics import HyperparameterTuningJobAnalytics
from tuning_client.describe import parameter_ranges
from tuning_client.elsewhere import ATTACH, FIT, TUNER, TUNER_METHODS, missing, refuse
from tuning_client.errors import TuningError
from tuning_client.estimator import Estimator
from tuning_client.job import TuningJob
from tuning_client.kinds import MAPPING, MAPPINGS, TEXT, Kind, check
from tuning_client.names import image_name, labels, unique_job_name
from tuning_client.parameters import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    HyperbandStrategyConfig,
    IntegerParameter,
    ParameterRange,
    Real,
    StrategyConfig,
    TuningJobCompletionCriteriaConfig,
    WarmStartConfig,
    WarmStartTypes,
    Whole,
    real,
    several,
    whole,
)
from tuning_client.render import from_output, plain_numbers, render_settings, render_space, with_estimator
from tuning_client.session import API_VERSION, JOB_KIND, Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "CategoricalParameter",
    "ContinuousParameter",
    "DiscreteParameter",
    "Estimator",
    "HyperbandStrategyConfig",
    "HyperparameterTuner",
    "IntegerParameter",
    "StrategyConfig",
    "TuningJobCompletionCriteriaConfig",
    "WarmStartConfig",
    "WarmStartTypes",
]
_KINDS: dict[str, Kind | type] = {
    **dict.fromkeys(("objective_metric_name", "strategy", "objective_type", "early_stopping_type"), TEXT),
    **dict.fromkeys(("base_tuning_job_name", "objective_value"), TEXT),
    **dict.fromkeys(("hyperparameter_ranges", "spec"), MAPPING),
    **dict.fromkeys(("metric_definitions", "initial_trials"), MAPPINGS),
    "warm_start_config": WarmStartConfig,
    "strategy_config": StrategyConfig,
    "completion_criteria_config": TuningJobCompletionCriteriaConfig,
}


class HyperparameterTuner:
    """Searches the hyperparameters with which a training reaches the best value of a metric.

    What the values may be is checked by the API server when the job is created; its refusals name field and remedy.
    Arguments are in SageMaker's order; those that mean nothing here are refused, saying what to write.

    Args:
        estimator: the training.
        objective_metric_name: the metric, as the training reports it after each epoch.
        hyperparameter_ranges: what is searched, by name. A name such as batch-size becomes batch_size, since the
            training finds the value in its environment.
        metric_definitions: how metrics are found in what the training prints, as
            `[{"Name": "loss", "Regex": "loss=([0-9.]+)"}]`: by regular expressions of RE2, whose first group is the
            value. Default: those of the estimator, and without any the training reports its metrics itself.
        strategy: how: Bayesian, Random, Grid or Hyperband.
        objective_type: Maximize or Minimize.
        max_jobs: how many trials are run; default: 1, and with strategy Grid all combinations.
        max_parallel_jobs: how many of them at the same time.
        max_runtime_in_seconds: the longest the whole job may take.
        tags: labels of the job: SageMaker's list of keys and values, or a mapping.
        base_tuning_job_name: what names of jobs begin with; default: the estimator's base_job_name, or its image.
        warm_start_config: the earlier jobs whose trials are learned from.
        strategy_config: the settings of Hyperband.
        completion_criteria_config: what ends the job before its limits.
        early_stopping_type: Off or Auto.
        estimator_name: not taken, as a job has one template.
        random_seed: makes the search repeatable.
        max_training_time_in_seconds: the longest that all trials together may train, on all nodes.
        max_gpu_hours: how many hours of GPUs they may use.
        initial_trials: settings to try first, by name, as `[{"learning_rate": 0.1}]`; what one leaves out is drawn.
        objective_value: which epoch's value counts: Last (default), as with SageMaker, or Best.
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
        metric_definitions: Sequence[Mapping[str, str]] | None = None,
        strategy: str = "Bayesian",
        objective_type: str = "Maximize",
        max_jobs: Whole | None = None,
        max_parallel_jobs: Whole = 1,
        max_runtime_in_seconds: Whole | None = None,
        tags: Sequence[Mapping[str, str]] | Mapping[str, str] | None = None,
        base_tuning_job_name: str | None = None,
        warm_start_config: WarmStartConfig | None = None,
        strategy_config: StrategyConfig | None = None,
        completion_criteria_config: TuningJobCompletionCriteriaConfig | None = None,
        early_stopping_type: str = "Off",
        estimator_name: str | None = None,
        random_seed: Whole | None = None,
        *,
        max_training_time_in_seconds: Whole | None = None,
        max_gpu_hours: Real | None = None,
        initial_trials: Sequence[Mapping[str, object]] | None = None,
        objective_value: str | None = None,
        spec: Mapping[str, Any] | None = None,
        session: Session | None = None,
        **other: Any,
    ) -> None:
        given = locals()
        refuse("HyperparameterTuner", {"estimator_name": estimator_name, **other}, TUNER)
        if not isinstance(estimator, Estimator):
            raise TypeError(
                f"estimator must be an Estimator, not {estimator!r}: Estimator.from_template takes Pod templates"
            )
        check("HyperparameterTuner", _KINDS, given, "objective_metric_name", "hyperparameter_ranges")
        criteria = completion_criteria_config or TuningJobCompletionCriteriaConfig()
        template = estimator.template()
        trials = 1 if max_jobs is None and strategy != "Grid" else max_jobs
        named = {
            "strategy": strategy,
            "hyperband": strategy_config and strategy_config.hyperband_strategy_config.render(),
            "seed": _whole(random_seed, "random_seed"),
            "objective": {
                "metric": objective_metric_name,
                "goal": objective_type,
                "value": objective_value,
                "target": criteria.target(),
            },
            **render_space(hyperparameter_ranges, estimator.hyperparameters()),
            "initialTrials": render_settings(initial_trials or ()) or None,
            "limits": {
                "maxTrials": _whole(trials, "max_jobs"),
                "maxParallelTrials": _whole(max_parallel_jobs, "max_parallel_jobs"),
                "maxDuration": _seconds(max_runtime_in_seconds),
                "maxTrainingTime": _seconds(max_training_time_in_seconds, "max_training_time_in_seconds"),
                "maxGPUHours": None if max_gpu_hours is None else real(max_gpu_hours, "max_gpu_hours"),
                **estimator.limits(),
            },
            "earlyStopping": {"type": early_stopping_type},
            "completion": criteria.render() or None,
            "warmStart": warm_start_config and warm_start_config.render(),
            **estimator.spec(),
            "metrics": from_output(metric_definitions or estimator.metric_definitions, objective_metric_name, template),
            "template": template,
        }
        self._spec = _merged(_merged({}, named), spec or {})
        self._labels = labels(tags)
        self._base_name = base_tuning_job_name or estimator.base_job_name or image_name(estimator.image_uri)
        self._session = session

    def __getattr__(self, name: str) -> Any:
        raise missing(self, name, TUNER_METHODS)

    @classmethod
    def attach(cls, tuning_job_name: str, session: Session | None = None, **other: Any) -> Self:
        """Take up a job that exists; `fit` then starts another one like it."""
        refuse("HyperparameterTuner.attach", other, ATTACH)
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
        """Return the HyperparameterTuningJob that `fit` creates."""
        metadata: dict[str, Any] = {"name": job_name or unique_job_name(self._base_name)}
        if self._labels:
            metadata["labels"] = dict(self._labels)
        return {"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": metadata, "spec": copy.deepcopy(self._spec)}

    def fit(
        self,
        inputs: object = None,
        job_name: str | None = None,
        include_cls_metadata: bool = False,
        estimator_kwargs: object = None,
        wait: bool = True,
        **other: Any,
    ) -> None:
        """Start a tuning job.

        Args:
            inputs: not taken, since no data is fetched: mount it by `volumes` of the estimator.
            job_name: its name, at most 40 lower-case letters, digits and hyphens; default: `base_tuning_job_name` with
                the time and a few random letters.
            include_cls_metadata: not taken: there is no class to find again.
            estimator_kwargs: not taken, as a job has one template.
            wait: whether to return only when the job has ended.
            other: not taken.

        Raises:
            TuningError: the API server refuses the job; in its words.
        """
        given = {"inputs": inputs, "estimator_kwargs": estimator_kwargs, "include_cls_metadata": include_cls_metadata}
        refuse("fit", {**given, **other}, FIT)
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
        """Return the job in the words of SageMaker's DescribeHyperParameterTuningJob."""
        return self._job.describe()

    def best_training_job(self) -> str:
        """Name of the trial with the best objective of those that have ended."""
        return self._job.best_training_job()

    def analytics(self) -> HyperparameterTuningJobAnalytics:
        """Return the job's trials as tables."""
        return HyperparameterTuningJobAnalytics(self._job.name, self.session)

    def hyperparameter_ranges(self) -> dict[str, list[dict[str, Any]]]:
        """Return what is searched, in SageMaker's form."""
        return parameter_ranges(self._spec["parameters"])

    def transfer_learning_tuner(
        self, additional_parents: Iterable[str] | str | None = None, estimator: Estimator | None = None
    ) -> Self:
        """Return a tuner of another task that learns from this one's latest job, and maybe others."""
        return self._warm_started(WarmStartTypes.TRANSFER_LEARNING, additional_parents, estimator)

    def identical_dataset_and_algorithm_tuner(self, additional_parents: Iterable[str] | str | None = None) -> Self:
        """Return a tuner of the same task that starts from this one's latest job, and maybe others."""
        return self._warm_started(WarmStartTypes.IDENTICAL_DATA_AND_ALGORITHM, additional_parents, None)

    def _warm_started(
        self, kind: WarmStartTypes, additional: Iterable[str] | str | None, estimator: Estimator | None
    ) -> Self:
        others = [] if additional is None else several(additional, "additional_parents")
        parents = WarmStartConfig(kind, [self._job.name, *map(str, others)])
        result = copy.copy(self)
        result.latest_tuning_job = None
        spec = {**copy.deepcopy(self._spec), "warmStart": parents.render()}
        result._spec = spec if estimator is None else with_estimator(spec, estimator)  # noqa: SLF001 - its own class
        return result

    @property
    def _job(self) -> TuningJob:
        if self.latest_tuning_job is None:
            raise TuningError("no job has been started: call fit(), or HyperparameterTuner.attach(name)")
        return self.latest_tuning_job


def _whole(value: Any, what: str) -> int | None:
    return None if value is None else whole(value, what)


def _seconds(value: Any, what: str = "max_runtime_in_seconds") -> str | None:
    return None if value is None else f"{whole(value, what)}s"


def _merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7386) applied: None removes, lists are replaced."""
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif hasattr(value, "keys"):
            result[key] = _merged(result.get(key) or {}, value)
        else:
            result[key] = plain_numbers(value)
    return result
