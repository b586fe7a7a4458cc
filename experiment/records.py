"""What docs/experiment.json keeps of each job that has ended: read from the two custom resources, and nothing else."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


class Kind(StrEnum):
    """Which of the experiments a job belongs to."""

    REFERENCE = "reference"
    CROSSOVER = "crossover"
    PAUSES = "pauses"


class Stopping(StrEnum):
    """The variants of a job."""

    OFF = "Off"
    AUTO = "Auto"
    PAUSE = "Pause"

    @property
    def rule(self) -> dict[str, Any]:
        """The job's `earlyStopping`."""
        return {"type": "Auto", "pause": True} if self is Stopping.PAUSE else {"type": str(self)}

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Stopping:
        """Which variant a job is, by its `earlyStopping`."""
        return cls.PAUSE if spec.get("pause") else cls(spec["type"])


VARIANTS = {
    Kind.REFERENCE: (Stopping.OFF, Stopping.AUTO),
    Kind.CROSSOVER: (Stopping.OFF, Stopping.AUTO),
    Kind.PAUSES: (Stopping.AUTO, Stopping.PAUSE),
}
"""The two variants that an experiment compares."""


class Record(BaseModel):
    """Cannot be changed; a value that is not a number, of a trial that diverged, is written as a text."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class StopDecision(Record):
    """Why a trial was stopped, as its status says."""

    epoch: int
    value: float
    threshold: float
    message: str


class TrialRecord(Record):
    """A trial; `curve` is pairs of epoch and value, `resumed` when its attempt after a pause was decided."""

    number: int
    parameters: dict[str, str]
    phase: str
    started: datetime | None
    finished: datetime | None
    training_seconds: int
    curve: tuple[tuple[int, float], ...]
    stop: StopDecision | None = None
    paused: bool = False
    resumed: datetime | None = None

    def trained(self, now: datetime) -> float:
        """Seconds of training until then; while it is paused it trains nothing."""
        if self.started is None or self.started >= now:
            return 0.0
        end, since = self.finished or now, (now - self.started).total_seconds()
        resumed = self.resumed or end
        before = min(since, self.training_seconds - (end - resumed).total_seconds())
        return before + max(0.0, (min(now, end) - resumed).total_seconds())


class JobRecord(Record):
    """A job.

    `cores` are those of the machine it ran on, `epoch_seconds` those of a replayed epoch, `scrape_seconds` those
    between two looks of Prometheus at a Pod.
    """

    name: str
    kind: Kind
    seed: int
    stopping: Stopping
    epoch_seconds: float | None
    scrape_seconds: int
    cores: int
    epochs: int
    workers: int
    started: datetime
    finished: datetime
    training_seconds: int
    best: int
    best_value: float
    trials: tuple[TrialRecord, ...]

    @property
    def clock_seconds(self) -> float:
        """From the job's start to its end."""
        return (self.finished - self.started).total_seconds()

    @property
    def stopped(self) -> tuple[TrialRecord, ...]:
        """The trials that early stopping has ended."""
        return tuple(trial for trial in self.trials if trial.phase == "EarlyStopped")

    @property
    def epochs_trained(self) -> int:
        """By all trials."""
        return sum(len(trial.curve) for trial in self.trials)

    @property
    def epochs_asked(self) -> int:
        """What the trials would have trained without an end before their time."""
        return self.epochs * len(self.trials)


_JOBS = TypeAdapter(tuple[JobRecord, ...])


def read_record(
    job: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    *,
    kind: Kind,
    epoch_seconds: float | None,
    scrape_seconds: int,
    cores: int,
) -> JobRecord:
    """Read a job that has completed, and its trials, as the API server gives them."""
    spec, status = job["spec"], job["status"]
    by_name = {trial["metadata"]["name"]: _read_trial(trial) for trial in trials}
    return JobRecord(
        name=job["metadata"]["name"],
        kind=kind,
        seed=spec["seed"],
        stopping=Stopping.of(spec["earlyStopping"]),
        epoch_seconds=epoch_seconds,
        scrape_seconds=scrape_seconds,
        cores=cores,
        epochs=spec["staticParameters"]["epochs"],
        workers=spec["limits"]["maxParallelTrials"],
        started=status["startTime"],
        finished=status["completionTime"],
        training_seconds=status["totalTrainingSeconds"],
        best=by_name[status["bestTrial"]["name"]].number,
        best_value=status["bestTrial"]["objective"],
        trials=tuple(sorted(by_name.values(), key=lambda trial: trial.number)),
    )


def _read_trial(body: Mapping[str, Any]) -> TrialRecord:
    status = body["status"]
    curve, stop = status.get("curve") or {}, status.get("stopDecision")
    return TrialRecord(
        number=body["spec"]["number"],
        parameters=body["spec"]["parameters"],
        phase=status["phase"],
        started=status.get("startTime"),
        finished=status.get("completionTime"),
        training_seconds=status.get("trainingSeconds", 0),
        curve=tuple(zip(curve.get("epochs") or (), curve.get("values") or (), strict=True)),
        paused="pauseDecision" in status,
        resumed=status["attemptTime"] if status.get("resumptions") else None,
        stop=StopDecision(**{name: stop[name] for name in StopDecision.model_fields}) if stop else None,
    )


def load(file: Path) -> tuple[JobRecord, ...]:
    """The records, none where there is no file."""
    return _JOBS.validate_json(file.read_bytes()) if file.exists() else ()


def save(file: Path, records: Iterable[JobRecord]) -> None:
    """Write the records, one trial a line, so that people can compare two versions."""
    jobs = []
    for record in sorted(records, key=lambda record: record.name):
        trials = ",\n  ".join(trial.model_dump_json() for trial in record.trials)
        jobs.append(f'{record.model_dump_json(exclude={"trials"})[:-1]}, "trials": [\n  {trials}]}}')
    new = file.with_suffix(".new")
    new.write_text("[\n" + ",\n".join(jobs) + "\n]\n")
    new.replace(file)
