"""A job and its trials in the words of SageMaker's Describe and List answers, for code that reads those."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tuning_client.parameters import SCALES, bounds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    Body = Mapping[str, Any]

JOB_STATUS = {
    "Pending": "InProgress",
    "Running": "InProgress",
    "Suspended": "InProgress",
    "Confirming": "InProgress",
    "Stopping": "Stopping",
    "Stopped": "Stopped",
    "Completed": "Completed",
    "Failed": "Failed",
}
"""SageMaker's HyperParameterTuningJobStatus, by the phase of a job."""

TRIAL_STATUS = {
    "Pending": "InProgress",
    "Running": "InProgress",
    "Collecting": "InProgress",
    "Stopping": "InProgress",
    "Paused": "InProgress",
    "Completed": "Completed",
    "EarlyStopped": "Stopped",
    "Stopped": "Stopped",
    "Failed": "Failed",
}
"""SageMaker's TrainingJobStatus, by the phase of a trial."""

_FINAL = frozenset({"Completed", "Stopped", "Failed"})
_SCALING_TYPES = {ours: theirs for theirs, ours in SCALES.items()}


def is_final(job: Body) -> bool:
    """Whether a job has ended, with no edit pending that might resume it."""
    seen = (job.get("status") or {}).get("observedGeneration", 0) >= job["metadata"].get("generation", 0)
    return seen and JOB_STATUS[phase(job)] in _FINAL


def phase(body: Body) -> str:
    """Return the phase of a job or a trial; Pending until the operator has written one."""
    return str((body.get("status") or {}).get("phase") or "Pending")


def describe_job(job: Body, best: Body | None) -> dict[str, Any]:
    """Return a job as DescribeHyperParameterTuningJob answers; fields without a value are left out, as there.

    Args:
        job: the HyperparameterTuningJob.
        best: its best TuningTrial, once there is one.
    """
    spec, status = job["spec"], job.get("status") or {}
    counts, objectives = status.get("trialCounts") or {}, status.get("objectiveCounts") or {}
    container = spec["template"]["spec"]["containers"][0]
    return _without_none(
        {
            "HyperParameterTuningJobName": job["metadata"]["name"],
            "HyperParameterTuningJobConfig": _config(spec),
            "TrainingJobDefinition": {
                "StaticHyperParameters": dict(spec.get("staticParameters") or {}),
                "AlgorithmSpecification": {"TrainingImage": container["image"]},
            },
            "HyperParameterTuningJobStatus": JOB_STATUS[phase(job)],
            "CreationTime": time_in(job["metadata"].get("creationTimestamp")),
            "HyperParameterTuningEndTime": time_in(status.get("completionTime")),
            "TrainingJobStatusCounters": {
                "Completed": counts.get("completed", 0),
                "InProgress": sum(counts.get(kind, 0) for kind in ("pending", "running", "paused")),
                "RetryableError": 0,  # what can be retried is, and counts as in progress
                "NonRetryableError": counts.get("failed", 0),
                "Stopped": counts.get("earlyStopped", 0) + counts.get("stopped", 0),
            },
            "ObjectiveStatusCounters": {
                "Succeeded": objectives.get("succeeded", 0),
                "Pending": objectives.get("pending", 0),
                "Failed": objectives.get("failed", 0),
            },
            "BestTrainingJob": summarize_trial(best, job) if best else None,
            "OverallBestTrainingJob": _overall_best(job),
            "WarmStartConfig": _warm_start(spec),
            "FailureReason": status.get("message") if phase(job) == "Failed" else None,
            "ConsumedResources": _consumed(status),
        }
    )


def summarize_trial(trial: Body, job: Body) -> dict[str, Any]:
    """Return a trial as ListTrainingJobsForHyperParameterTuningJob answers, without fields that have no value."""
    status, objective = trial.get("status") or {}, job["spec"]["objective"]
    final = None
    if status.get("objectiveStatus") == "Succeeded":
        value = float(status["objective"])
        final = {"Type": objective["goal"], "MetricName": objective["metric"], "Value": value}
    return _without_none(
        {
            "TrainingJobName": trial["metadata"]["name"],
            "TuningJobName": job["metadata"]["name"],
            "CreationTime": time_in(trial["metadata"].get("creationTimestamp")),
            "TrainingStartTime": time_in(status.get("startTime")),
            "TrainingEndTime": time_in(status.get("completionTime")),
            "TrainingJobStatus": TRIAL_STATUS[phase(trial)],
            "TunedHyperParameters": dict(trial["spec"]["parameters"]),
            "FailureReason": status.get("message") if phase(trial) == "Failed" else None,
            "FinalHyperParameterTuningJobObjectiveMetric": final,
            "ObjectiveStatus": status.get("objectiveStatus", "Pending"),
        }
    )


def time_in(text: str | None) -> datetime | None:
    """Return a time that the API server wrote."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _config(spec: Body) -> dict[str, Any]:
    objective, limits = spec["objective"], spec["limits"]
    return _without_none(
        {
            "Strategy": spec.get("strategy"),
            "StrategyConfig": _strategy_config(spec),
            "HyperParameterTuningJobObjective": {"Type": objective["goal"], "MetricName": objective["metric"]},
            "ResourceLimits": {
                **({"MaxNumberOfTrainingJobs": limits["maxTrials"]} if "maxTrials" in limits else {}),
                "MaxParallelTrainingJobs": limits.get("maxParallelTrials", 1),
            },
            "ParameterRanges": parameter_ranges(spec["parameters"]),
            "TrainingJobEarlyStoppingType": _early_stopping(spec),
            "TuningJobCompletionCriteria": _criteria(spec),
            "RandomSeed": spec.get("seed"),
        }
    )


def _overall_best(job: Body) -> dict[str, Any] | None:
    """The best of the job's trials and its parents'; a parent's has no times, since it may be gone."""
    best, objective = (job.get("status") or {}).get("overallBestTrial"), job["spec"]["objective"]
    if not best:
        return None
    value = float(best["objective"])
    return {
        "TrainingJobName": best["name"],
        "TuningJobName": best["job"],
        "TunedHyperParameters": dict(best["parameters"]),
        "FinalHyperParameterTuningJobObjectiveMetric": {
            "Type": objective["goal"],
            "MetricName": objective["metric"],
            "Value": value,
        },
        "ObjectiveStatus": "Succeeded",
    }


def _warm_start(spec: Body) -> dict[str, Any] | None:
    warm_start = spec.get("warmStart")
    if not warm_start:
        return None
    parents = [{"HyperParameterTuningJobName": name} for name in warm_start["parents"]]
    return {"WarmStartType": warm_start["type"], "ParentHyperParameterTuningJobs": parents}


def _criteria(spec: Body) -> dict[str, Any] | None:
    target, completion = spec["objective"].get("target"), spec.get("completion") or {}
    trials = completion.get("maxTrialsWithoutImprovement")
    criteria = {
        "TargetObjectiveMetricValue": None if target is None else float(target),
        "BestObjectiveNotImproving": trials and {"MaxNumberOfTrainingJobsNotImproving": trials},
        "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"} if "onConvergence" in completion else None,
    }
    return _without_none(criteria) or None


def _strategy_config(spec: Body) -> dict[str, Any] | None:
    rungs = spec.get("hyperband")
    if not rungs:
        return None
    bounds = {"MinResource": rungs["minResource"], "MaxResource": rungs["maxResource"]}
    return {"HyperbandStrategyConfig": bounds}


def _early_stopping(spec: Body) -> str:
    kind = (spec.get("earlyStopping") or {}).get("type", "Off")
    return "Off" if kind == "Off" else "Auto"


def parameter_ranges(parameters: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the search space; bounds are texts, as with SageMaker."""
    ranges: dict[str, list[dict[str, Any]]] = {
        "IntegerParameterRanges": [],
        "ContinuousParameterRanges": [],
        "CategoricalParameterRanges": [],
    }
    for parameter in parameters:
        name = parameter["name"]
        if "categorical" in parameter:
            values = list(parameter["categorical"]["values"])
            ranges["CategoricalParameterRanges"].append({"Name": name, "Values": values})
            continue
        kind, bounds = "integer" if "integer" in parameter else "continuous", bounds_of(parameter)
        ranges[f"{kind.capitalize()}ParameterRanges"].append(
            {
                "Name": name,
                "MinValue": str(bounds["min"]),
                "MaxValue": str(bounds["max"]),
                "ScalingType": _SCALING_TYPES[bounds.get("scale", "Auto")],
            }
        )
    return ranges


def _consumed(status: Body) -> dict[str, int] | None:
    start, end = time_in(status.get("startTime")), time_in(status.get("completionTime"))
    if start is None:
        return None
    return {"RuntimeInSeconds": int(((end or datetime.now(UTC)) - start).total_seconds())}


def _without_none(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}
