"""`tune`: a Python function as the trial. Its source goes into a ConfigMap that the job owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_client.elsewhere import TUNE, refuse
from tuning_client.estimator import Estimator
from tuning_client.function import script, static_texts
from tuning_client.function_pod import (
    COMMAND,
    ENVIRONMENT,
    FILE,
    RESTRICTED,
    WITHOUT_ROOT,
    add_function,
    add_installed,
    add_package,
)
from tuning_client.job import TuningJob
from tuning_client.names import unique_job_name
from tuning_client.parameters import ParameterRange, TuningJobCompletionCriteriaConfig
from tuning_client.session import API_VERSION, JOB_KIND, Session
from tuning_client.tuner import HyperparameterTuner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tuning_client.parameters import Real, Whole


def tune(
    function: Callable[..., object],
    parameters: Mapping[str, ParameterRange | object],
    objective: str,
    *,
    image: str,
    goal: str = "Maximize",
    target: Real | None = None,
    max_trials: Whole = 10,
    max_parallel_trials: Whole = 1,
    early_stopping: str = "Off",
    strategy: str = "Bayesian",
    seed: Whole | None = None,
    package_image: str | None = None,
    packages: Sequence[str] = (),
    index_url: str | None = None,
    resources: Mapping[str, Any] | None = None,
    environment: Mapping[str, object] | None = None,
    volumes: Mapping[str, Mapping[str, Any]] | None = None,
    container: Mapping[str, Any] | None = None,
    pod: Mapping[str, Any] | None = None,
    name: str | None = None,
    spec: Mapping[str, Any] | None = None,
    session: Session | None = None,
    wait: bool = True,
    **other: Any,
) -> TuningJob:
    """Search the arguments with which a function reaches the best value of a metric.

    Each trial runs the function in a Pod. It reports after each epoch by `report(epoch, {metric: value})`, which is
    there without an import, or by a framework that has an adapter; a function that reports nothing may return its
    value, or a mapping of metrics. It needs all that it uses within itself: imports as well.

    Args:
        function: takes the hyperparameters by their names, or one mapping of all of them.
        parameters: what is searched, by name, as ranges; other values are the same for all trials.
        objective: the metric, as the function reports it.
        image: where the function runs: the trainer's, or any with Python 3.11 or later.
        goal: Maximize or Minimize.
        target: the job completes once a trial ends with this value or better.
        max_trials: how many trials are run.
        max_parallel_trials: how many of them at the same time.
        early_stopping: Off, Auto or Median: whether trials that are behind are stopped.
        strategy: Bayesian, Random, Grid or Hyperband.
        seed: makes the search repeatable.
        package_image: the sidecar's, from which the package tuning_trainer is brought into an image without it.
        packages: what is installed before the function runs, by pip, as in `["scikit-learn==1.7.2"]`.
        index_url: where pip finds them; default: as the image says.
        resources: as in a container's `resources`, for example `{"limits": {"nvidia.com/gpu": 1}}`.
        environment: further environment variables.
        volumes: volume sources by the path to mount them at.
        container: further fields of the container.
        pod: further fields of the Pod.
        name: the job's; default: the function's with the time and a few random letters.
        spec: further fields of the job's spec, for example `{"limits": {"maxFailedTrials": 3}}`.
        session: where; default: the current context and its namespace.
        wait: whether to return only when the job has ended.
        other: not taken; for names of Katib's and Kubeflow's the error says what to write.

    Returns:
        The job, whose `best()` has the best value and its parameters.

    Raises:
        FunctionError: the function cannot run elsewhere.
        TuningError: the API server refuses the job; in its words.
        JobFailedError: the job has failed, with `wait`.
    """
    refuse("tune", other, TUNE)
    ranges = {key: value for key, value in parameters.items() if isinstance(value, ParameterRange)}
    text = script(function, parameters)
    name = name or unique_job_name(function.__name__)
    template = Estimator(
        image,
        command=COMMAND,
        resources=resources,
        environment={**ENVIRONMENT, **(environment or {})},
        volumes=volumes,
        container={"securityContext": RESTRICTED, **(container or {})},
        pod={"securityContext": WITHOUT_ROOT, **(pod or {})},
    ).template()
    add_installed(template["spec"], packages, index_url)
    add_package(template["spec"], package_image)
    add_function(template["spec"], _config_map_name(name))
    tuner = HyperparameterTuner(
        Estimator.from_template(template, hyperparameters=static_texts(parameters)),
        objective,
        ranges,
        strategy=strategy,
        objective_type=goal,
        max_jobs=max_trials,
        max_parallel_jobs=max_parallel_trials,
        early_stopping_type=early_stopping,
        random_seed=seed,
        completion_criteria_config=TuningJobCompletionCriteriaConfig(target_objective_metric_value=target),
        spec=spec,
        session=session,
    )
    job = _create(tuner.session, tuner.manifest(name), text)
    if wait:
        job.wait()
    return job


def _create(session: Session, manifest: dict[str, Any], text: str) -> TuningJob:
    """Create the job suspended, then what it owns, then let it start: a step that fails leaves nothing behind."""
    suspend = manifest["spec"].get("suspend", False)
    created = session.create_job({**manifest, "spec": {**manifest["spec"], "suspend": True}})
    name, uid = created["metadata"]["name"], created["metadata"]["uid"]
    try:
        session.create_config_map(_config_map(name, uid, text))
        if not suspend:
            session.patch_job(name, {"spec": {"suspend": False}})
    except BaseException as error:
        try:
            session.delete_job(name, uid)
        except Exception as left:  # noqa: BLE001 - the first error is the one that counts
            error.add_note(f"the job {name} is still there, suspended, and could not be deleted: {left}")
        raise
    return TuningJob(name, session)


def _config_map(job: str, uid: str, text: str) -> dict[str, Any]:
    owner = {"apiVersion": API_VERSION, "kind": JOB_KIND, "name": job, "uid": uid}
    return {
        "metadata": {"name": _config_map_name(job), "ownerReferences": [owner]},
        "data": {FILE: text},
        "immutable": True,
    }


def _config_map_name(job: str) -> str:
    return f"{job}-function"
