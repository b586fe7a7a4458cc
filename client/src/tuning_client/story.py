"""What there is to show of a tuning job: read from its two custom resources, and what changed between two looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuning_client.describe import time_in
from tuning_client.text import number, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

FINAL_JOB = frozenset({"Completed", "Stopped", "Failed"})
FINAL_TRIAL = frozenset({"Completed", "EarlyStopped", "Stopped", "Failed"})
# Conditions of which "False" is bad news; of the others it is the ordinary case.
GOOD_CONDITIONS = frozenset({"TemplateValid", "MetricsAvailable", "Reconciled"})


@dataclass(frozen=True, slots=True)
class Trial:
    """One TuningTrial; `value` is its objective so far, at `epoch`: the newest or the best one, as its job says.

    Attributes:
        steps: the epochs of its curve.
        values: one value for each epoch.
        confirms: number of the trial that it trains again with another seed.
    """

    name: str
    number: int
    parameters: Mapping[str, str]
    phase: str = "Pending"
    epochs: int = 0
    epoch: float | None = None
    value: float | None = None
    training_seconds: int = 0
    started: datetime | None = None
    reason: str = ""
    message: str = ""
    steps: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    confirms: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.phase in FINAL_TRIAL

    def seconds(self, now: datetime) -> float:
        """Return seconds of training so far, also while it runs."""
        running = self.phase in {"Running", "Stopping"} and self.started is not None
        return self.training_seconds + ((now - self.started).total_seconds() if running and self.started else 0)


@dataclass(frozen=True, slots=True)
class Story:
    """A job and its trials as they were at one moment.

    Attributes:
        epochs: how many a trial is to train, if the job's static parameters say so.
        problems: message of each condition that is bad news, by type.
        confirmation: how the best settings do with other seeds.
    """

    name: str
    metric: str
    maximize: bool
    max_trials: int
    strategy: str = "Bayesian"
    epochs: int | None = None
    phase: str = "Pending"
    started: datetime | None = None
    completed: datetime | None = None
    message: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    best: str | None = None
    confirmation: str = ""
    total_seconds: int = 0
    trials: tuple[Trial, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.phase in FINAL_JOB

    @property
    def ended(self) -> int:
        """How many trials of the search have ended."""
        return sum(trial.is_final and trial.confirms is None for trial in self.trials)

    @property
    def best_trial(self) -> Trial | None:
        """The trial that the job's status names as the best."""
        return next((trial for trial in self.trials if trial.name == self.best), None)

    @property
    def stopped_early(self) -> tuple[Trial, ...]:
        """The trials that early stopping has ended."""
        return tuple(trial for trial in self.trials if trial.phase == "EarlyStopped")

    @property
    def epochs_not_trained(self) -> int:
        """Epochs that early stopping has spared; 0 where the length of a trial is not known."""
        return sum(max(0, (self.epochs or 0) - trial.epochs) for trial in self.stopped_early)

    def seconds(self, now: datetime) -> float:
        """Return seconds on the clock since the job's start."""
        return ((self.completed or now) - self.started).total_seconds() if self.started else 0.0

    def ranking(self) -> list[Trial]:
        """Return ended trials of the search that have an objective, best first, ties by age; without diverged ones."""
        ranked = [
            (trial.value if self.maximize else -trial.value, -trial.number, trial)
            for trial in self.trials
            if trial.confirms is None
            and trial.is_final
            and trial.phase != "Failed"
            and trial.value is not None
            and trial.value == trial.value
        ]
        return [trial for _, _, trial in sorted(ranked, key=lambda entry: entry[:2], reverse=True)]


def read_story(job: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> Story:
    """Read the objects as the API server gives them."""
    spec, status = job["spec"], job.get("status") or {}
    epochs = (spec.get("staticParameters") or {}).get("epochs", "")
    read = (_read_trial(trial) for trial in trials)
    return Story(
        name=job["metadata"]["name"],
        metric=plain(spec["objective"]["metric"]),
        maximize=spec["objective"]["goal"] == "Maximize",
        max_trials=_max_trials(spec, status, len(trials)),
        strategy=spec.get("strategy", "Bayesian"),
        epochs=int(epochs) if epochs.isdigit() else None,
        phase=status.get("phase") or "Pending",
        started=time_in(status.get("startTime")),
        completed=time_in(status.get("completionTime")),
        message=plain(status.get("message", "")),
        problems={item["type"]: plain(item["message"]) for item in status.get("conditions") or () if _is_problem(item)},
        best=(status.get("bestTrial") or {}).get("name"),
        confirmation=plain((status.get("confirmation") or {}).get("message", "")),
        total_seconds=status.get("totalTrainingSeconds", 0),
        trials=tuple(sorted(read, key=lambda trial: trial.number)),
    )


def _max_trials(spec: Mapping[str, Any], status: Mapping[str, Any], known: int) -> int:
    """How many there may be; a grid of which nothing has been counted yet says only how many there are."""
    counted = status.get("progress", "").partition("/")[2]
    return int(counted or spec["limits"].get("maxTrials") or known)


def _read_trial(body: Mapping[str, Any]) -> Trial:
    status = body.get("status") or {}
    curve = status.get("curve") or {}
    epochs, values = curve.get("epochs") or (), curve.get("values") or ()
    return Trial(
        name=body["metadata"]["name"],
        number=body["spec"]["number"],
        parameters={name: plain(value) for name, value in body["spec"]["parameters"].items()},
        phase=status.get("phase") or "Pending",
        epochs=len(epochs),
        epoch=status.get("objectiveEpoch", epochs[-1] if epochs else None),
        value=float(status["objective"]) if "objective" in status else None,
        training_seconds=status.get("trainingSeconds", 0),
        started=time_in(status.get("startTime")),
        reason=plain(status.get("reason", "")),
        message=plain(status.get("message", "").partition("\n")[0]),
        steps=tuple(epochs),
        values=tuple(map(float, values)),
        confirms=body["spec"].get("confirms"),
    )


def _is_problem(condition: Mapping[str, Any]) -> bool:
    if condition["type"] in GOOD_CONDITIONS:
        return bool(condition["status"] != "True")
    return bool(condition["type"] in {"QuotaExceeded", "Failed"} and condition["status"] == "True")


def changes(before: Story | None, after: Story) -> Iterator[str]:
    """Say what happened between two looks, a line for each event."""
    if before is None or before.phase != after.phase:
        yield f"job {after.name} is {after.phase}{': ' + after.message if after.message else ''}"
    known_problems = before.problems if before else {}
    for kind, message in after.problems.items():
        if known_problems.get(kind) != message:
            yield f"{kind}: {message}"
    known = {trial.name: trial for trial in before.trials} if before else {}
    for trial in after.trials:
        yield from _trial_changes(known.get(trial.name), trial, after)
    best = after.best_trial
    if best and best.value is not None and (before is None or before.best != after.best):
        yield f"best so far: {best.name} with {number(best.value)}"
    if after.confirmation and (before is None or before.confirmation != after.confirmation):
        yield f"confirmation: {after.confirmation}"


def _trial_changes(before: Trial | None, after: Trial, story: Story) -> Iterator[str]:
    if before is None:
        again = f", trains trial {after.confirms} again" if after.confirms is not None else ""
        yield f"{after.name} created{again}: {parameters_text(after)}"
    if before and (before.phase, before.reason) == (after.phase, after.reason):
        return
    if after.phase == "Pending" and after.reason == "Resumed":
        yield f"{after.name} is resumed: {first_sentence(after.message)}"
    elif after.phase == "Pending" and after.reason:
        yield f"{after.name} waits: {after.reason}: {first_sentence(after.message)}"
    elif after.phase == "Paused":
        yield f"{after.name} is paused: {first_sentence(after.message)}"
    elif after.phase == "Running":
        yield f"{after.name} is training"
    elif after.is_final:
        done = f"{after.epochs}{f'/{story.epochs}' if story.epochs else ''} epochs, {after.training_seconds} s"
        value = f"{number(after.value)} after " if after.value is not None else ""
        why = f": {first_sentence(after.message) or after.reason}" if after.phase != "Completed" else ""
        yield f"{after.name} {STATES.get(after.phase, after.phase)}, {value}{done}{why}"


STATES = {
    "Pending": "pending",
    "Running": "training",
    "Collecting": "collecting",
    "Stopping": "stopping",
    "Paused": "paused",
    "Completed": "completed",
    "EarlyStopped": "stopped early",
    "Stopped": "stopped",
    "Failed": "failed",
}


def first_sentence(text: str) -> str:
    """Return the text up to the first full stop or line break: schedulers and tracebacks are long."""
    return text.partition("\n")[0].partition(". ")[0]


def parameter_text(value: str) -> str:
    """Return a hyperparameter's value: shortened when it is a number with a fraction, else as it is."""
    try:
        is_fraction = not value.lstrip("+-").isdigit() and float(value) == float(value)
    except ValueError:
        is_fraction = False
    return f"{float(value):.3g}" if is_fraction else value


def parameters_text(trial: Trial) -> str:
    """Return all hyperparameters of a trial in a line."""
    return ", ".join(f"{name}={parameter_text(value)}" for name, value in trial.parameters.items())
