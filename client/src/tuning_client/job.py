"""A tuning job in the cluster: look at it, wait for its end, stop it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from tuning_client.describe import describe_job, is_final, phase
from tuning_client.errors import JobFailedError, TuningError, UnavailableError
from tuning_client.exports.trials import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tuning_client.session import Session


@dataclass(frozen=True)
class BestTrial:
    """A trial that has ended with the best objective.

    Attributes:
        trial: its name.
        objective: the value.
        epoch: the epoch that has it.
        parameters: what was searched: numbers, and categories as texts.
        model_folder: where the training was let to leave its models, as it sees that itself; None where that is not
            known.
        mean: the mean of the objectives with other seeds, once the job has confirmed it; see `spec.confirm`.
        standard_deviation: that of these objectives.
    """

    trial: str
    objective: float
    epoch: float
    parameters: dict[str, Any]
    model_folder: str | None = None
    mean: float | None = None
    standard_deviation: float | None = None


class TuningJob:
    """A handle on a job; it need not exist yet."""

    def __init__(self, name: str, session: Session) -> None:
        self.name = name
        self.session = session

    def __repr__(self) -> str:
        return f"TuningJob({self.name!r}, {self.session!r})"

    @property
    def job_name(self) -> str:
        """The job's name, as SageMaker's SDK calls it."""
        return self.name

    def resource(self) -> dict[str, Any]:
        """Return the HyperparameterTuningJob as the API server has it."""
        return self.session.job(self.name)

    def describe(self) -> dict[str, Any]:
        """Return the job in the words of SageMaker's DescribeHyperParameterTuningJob."""
        job = self.resource()
        best = _best_trial(job)
        return describe_job(job, self.session.trial(best) if best else None)

    def best_training_job(self) -> str:
        """Name of the trial with the best objective of those that have ended.

        Raises:
            TuningError: none has ended with an objective.
        """
        return str(self._best(self.resource())["name"])

    def best(self) -> BestTrial:
        """Return the best of the trials that have ended.

        Raises:
            TuningError: none has ended with an objective.
        """
        job = self.resource()
        best = self._best(job)
        known = best.get("confirmation") or {}
        ranges = {parameter["name"]: parameter for parameter in job["spec"]["parameters"]}
        return BestTrial(
            best["name"],
            float(best["objective"]),
            best["epoch"],
            {name: typed(ranges.get(name, {}), text) for name, text in best["parameters"].items()},
            best.get("modelFolder"),
            *(float(known[field]) if field in known else None for field in ("mean", "standardDeviation")),
        )

    def _best(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        best: Mapping[str, Any] | None = (job.get("status") or {}).get("bestTrial")
        if best is None:
            raise TuningError(f"no trial of {self.name} has ended with an objective: wait for one, or see describe()")
        return best

    def stop(self) -> None:
        """End the job for good: trials that run are stopped, and all records are kept."""
        self.session.patch_job(self.name, {"spec": {"stop": True}})

    def wait(self, *, progress: bool = True, poll_seconds: float = 2, patience_seconds: float = 120) -> None:
        """Return once the job has ended. Interrupting this does not stop the job.

        Args:
            progress: whether to show a bar.
            poll_seconds: time between two looks.
            patience_seconds: for how long the API server may be away.

        Raises:
            JobFailedError: the job has ended as Failed.
        """
        job: Mapping[str, Any] = {}
        with tqdm(desc=self.name, unit="trial", file=sys.stdout, disable=not progress, dynamic_ncols=True) as bar:
            for job in self._looks(poll_seconds, patience_seconds):
                _show(bar, job)
        if phase(job) == "Failed":
            status = job["status"]
            raise JobFailedError(f"{self.name} failed: {status.get('completionReason')}: {status.get('message')}")

    def _looks(self, poll_seconds: float, patience_seconds: float) -> Iterator[dict[str, Any]]:
        """The job, again and again, until it has ended."""
        answered = time.monotonic()
        while True:
            try:
                job = self.resource()
            except UnavailableError:
                if time.monotonic() - answered > patience_seconds:
                    raise
            else:
                answered = time.monotonic()
                yield job
                if is_final(job):
                    return
            time.sleep(poll_seconds)


def _best_trial(job: Mapping[str, Any]) -> str | None:
    return ((job.get("status") or {}).get("bestTrial") or {}).get("name")


def _show(bar: tqdm[Any], job: Mapping[str, Any]) -> None:
    status = job.get("status") or {}
    counts = status.get("trialCounts") or {}
    _, _, total = status.get("progress", "").partition("/")
    bar.total = int(total) if total else job["spec"]["limits"].get("maxTrials")
    bar.n = sum(counts.get(kind, 0) for kind in ("completed", "earlyStopped", "stopped", "failed"))
    shown = {"status": phase(job), "running": counts.get("running", 0), "stopped": counts.get("earlyStopped", 0)}
    if counts.get("failed"):
        shown["failed"] = counts["failed"]
    if "objective" in (status.get("bestTrial") or {}):
        shown["best"] = f"{float(status['bestTrial']['objective']):.4g}"
    bar.set_postfix(shown)
