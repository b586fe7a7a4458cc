"""A job as an experiment of MLflow's, with a run for each trial.

It goes into `mlflow.db` of a folder, where `mlflow ui` finds it, or by a tracking URI into any store of MLflow's: a
server, a database, or a file store, which MLflow keeps for those who have one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning_client.describe import phase, time_in
from tuning_client.errors import TuningError
from tuning_client.exports.trials import ended, measurements
from tuning_client.names import repeated_trial

try:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException
except ImportError as error:
    raise ImportError("exporting to MLflow needs mlflow: pip install 'tuning-client[mlflow]'") from error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_METRICS = 1_000
"""MLflow takes no more at once."""
_STATES = {"Completed": "FINISHED", "EarlyStopped": "KILLED", "Stopped": "KILLED", "Failed": "FAILED"}


def export(job: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], target: str) -> int:
    """Write the trials that have ended; returns how many those are.

    Args:
        job: the HyperparameterTuningJob.
        trials: its TuningTrials.
        target: a folder, or a tracking URI such as `file:///data/mlruns` or `http://mlflow.example.com:5000`.

    Raises:
        TuningError: there already is an experiment of this name, or MLflow cannot write there.
    """
    name, found = job["metadata"]["name"], ended(trials)
    try:
        client, artifacts = _opened(target)
        if client.get_experiment_by_name(name):
            raise TuningError(f"{target} already has an experiment {name}: choose another place")
        experiment = client.create_experiment(name, artifact_location=artifacts)
        for trial in found:
            _add(client, experiment, job, trial, job["spec"]["objective"]["metric"])
    except MlflowException as error:
        raise TuningError(f"{target}: MLflow refuses: {error}") from error
    return len(found)


def _opened(target: str) -> tuple[MlflowClient, str | None]:
    """The store, and where its artifacts go, unless it knows that itself."""
    if target.startswith("file:"):
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 asks whether one is meant
    if target.startswith("file:") or "://" in target:
        return MlflowClient(tracking_uri=target), None
    folder = Path(target).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}"), (folder / "mlartifacts").as_uri()


def _add(client: MlflowClient, experiment: str, job: Mapping[str, Any], trial: Mapping[str, Any], metric: str) -> None:
    status = trial["status"]
    start, end = _milliseconds(status.get("startTime")), _milliseconds(status.get("completionTime"))
    decision = status.get("stopDecision") or {}
    tags = {
        "tuning.phase": phase(trial),
        "tuning.reason": status.get("reason"),
        "tuning.message": decision.get("message") or status.get("message"),
        "tuning.objective": status.get("objective"),
        "tuning.confirms": repeated_trial(trial, job),
        "tuning.objectiveEpoch": str(status["objectiveEpoch"]) if "objectiveEpoch" in status else None,
    }
    run = client.create_run(
        experiment,
        start_time=start or end,
        run_name=trial["metadata"]["name"],
        tags={key: value for key, value in tags.items() if value},
    ).info.run_id
    everything = {**(job["spec"].get("staticParameters") or {}), **trial["spec"]["parameters"]}
    client.log_batch(run, params=[Param(key, value) for key, value in everything.items()])
    curve = [Metric(metric, value, end or 0, step) for step, value in measurements(trial)]
    for start_at in range(0, len(curve), _MOST_METRICS):
        client.log_batch(run, metrics=curve[start_at : start_at + _MOST_METRICS])
    client.set_terminated(run, _STATES[phase(trial)], end)


def _milliseconds(text: str | None) -> int | None:
    time = time_in(text)
    return round(time.timestamp() * 1000) if time else None
