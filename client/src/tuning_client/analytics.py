"""A job's trials as tables: SageMaker's columns, and the curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_client.describe import describe_job, summarize_trial
from tuning_client.elsewhere import ANALYTICS, refuse
from tuning_client.names import repeated_trial
from tuning_client.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

SUMMARY_COLUMNS = (
    "TrainingJobName",
    "TrainingJobStatus",
    "FinalObjectiveValue",
    "TrainingStartTime",
    "TrainingEndTime",
    "TrainingElapsedTimeSeconds",
)
CONFIRMS = "ConfirmsTrainingJob"
CURVE_COLUMNS = ("TrainingJobName", "TrainingJobStatus", "Epoch", "ObjectiveValue")


class HyperparameterTuningJobAnalytics:
    """The trials of a tuning job. What was read once is kept, as with SageMaker, until a refresh is asked for.

    Args:
        hyperparameter_tuning_job_name: the job's name.
        session: where; default: the current context and its namespace.
    """

    def __init__(self, hyperparameter_tuning_job_name: str, session: Session | None = None, **other: Any) -> None:
        refuse("HyperparameterTuningJobAnalytics", other, ANALYTICS)
        self.name = hyperparameter_tuning_job_name
        self._session = session or Session()
        self._read: tuple[dict[str, Any], list[dict[str, Any]]] | None = None

    def __repr__(self) -> str:
        return f"HyperparameterTuningJobAnalytics({self.name!r}, {self._session!r})"

    def clear_cache(self) -> None:
        """Forget what was read."""
        self._read = None

    def resource(self) -> dict[str, Any]:
        """Return the HyperparameterTuningJob."""
        return self._fetch()[0]

    def dataframe(self, force_refresh: bool = False) -> pd.DataFrame:
        """Return a table with a row per trial: a column for each hyperparameter, then SageMaker's.

        `FinalObjectiveValue` is the metric's value at the trial's last epoch; NaN while it runs, after a failure, and
        where it is one. `TrainingJobStatus` is InProgress, Completed, Stopped (early, or with the job) or Failed.
        `TrainingElapsedTimeSeconds` is the time of training, all attempts of the trial together, once it has ended.
        Times are of UTC. A job with `spec.confirm` has a column more, `ConfirmsTrainingJob`: the trial that one trains
        again with another seed, or none.
        """
        import pandas as pd  # noqa: PLC0415 - takes a second, which most commands are spared

        job, trials = self._fetch(force_refresh)
        parameters = job["spec"]["parameters"]
        own = [*SUMMARY_COLUMNS, *((CONFIRMS,) if any("confirms" in trial["spec"] for trial in trials) else ())]
        frame = pd.DataFrame(
            [_row(trial, job) for trial in trials], columns=[*(item["name"] for item in parameters), *own]
        )
        types = {item["name"]: _dtype(item) for item in parameters}
        numbers = {"FinalObjectiveValue": "float64", "TrainingElapsedTimeSeconds": "float64"}
        times = dict.fromkeys(("TrainingStartTime", "TrainingEndTime"), "datetime64[ns, UTC]")
        return frame.astype({**types, **numbers, **times})

    def export_csv(self, filename: str) -> None:
        """Write the table of trials to a file."""
        self.dataframe().to_csv(filename)

    def curves(self, force_refresh: bool = False) -> pd.DataFrame:
        """Return a table with a row per epoch of each trial: its number and the metric's value."""
        import pandas as pd  # noqa: PLC0415 - takes a second

        job, trials = self._fetch(force_refresh)
        rows = [
            (row["TrainingJobName"], row["TrainingJobStatus"], epoch, float(value))
            for trial in trials
            for row in (summarize_trial(trial, job),)
            for epoch, value in _measurements(trial)
        ]
        frame = pd.DataFrame(rows, columns=list(CURVE_COLUMNS))
        whole = all(float(epoch).is_integer() for epoch in frame["Epoch"])
        return frame.astype({"Epoch": "int64" if whole else "float64", "ObjectiveValue": "float64"})

    def training_job_summaries(self, force_refresh: bool = False) -> list[dict[str, Any]]:
        """Return the trials in the words of SageMaker's ListTrainingJobsForHyperParameterTuningJob."""
        job, trials = self._fetch(force_refresh)
        return [summarize_trial(trial, job) for trial in trials]

    def description(self, force_refresh: bool = False) -> dict[str, Any]:
        """Return the job in the words of SageMaker's DescribeHyperParameterTuningJob."""
        job, trials = self._fetch(force_refresh)
        best = ((job.get("status") or {}).get("bestTrial") or {}).get("name")
        return describe_job(job, next((trial for trial in trials if trial["metadata"]["name"] == best), None))

    @property
    def tuning_ranges(self) -> dict[str, dict[str, Any]]:
        """The ranges by the hyperparameters' names, in SageMaker's form."""
        ranges = self.description()["HyperParameterTuningJobConfig"]["ParameterRanges"]
        return {item["Name"]: item for kind in ranges.values() for item in kind}

    def _fetch(self, force_refresh: bool = False) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        if force_refresh or self._read is None:
            job = self._session.job(self.name)
            self._read = job, self._session.trials(job)
        return self._read


def _row(trial: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    summary = summarize_trial(trial, job)
    ended = "TrainingEndTime" in summary
    return {
        **summary["TunedHyperParameters"],
        **{column: summary.get(column) for column in SUMMARY_COLUMNS},
        "FinalObjectiveValue": summary.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
        "TrainingElapsedTimeSeconds": (trial.get("status") or {}).get("trainingSeconds") if ended else None,
        CONFIRMS: repeated_trial(trial, job),
    }


def _dtype(parameter: Mapping[str, Any]) -> str:
    kinds = {"categorical": "object", "integer": "int64"}
    return next((kind for name, kind in kinds.items() if name in parameter), "float64")


def _measurements(trial: Mapping[str, Any]) -> zip[tuple[float, str]]:
    curve = (trial.get("status") or {}).get("curve") or {}
    return zip(curve.get("epochs") or (), curve.get("values") or (), strict=True)
