"""What is known of a trial: its committed parameters and the facts of its status."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tuning_operator.core.model.curves import Curve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tuning_operator.core.model.curves import Goal, Measurement
    from tuning_operator.core.space import Value


class TrialPhase(StrEnum):
    """Where a trial is in its life. The last four are final: nothing touches such a trial again."""

    PENDING = "Pending"  # committed; its Pod may not exist yet, or does not run yet
    RUNNING = "Running"  # the training container runs
    COLLECTING = "Collecting"  # the training ended; its last measurements are being fetched
    STOPPING = "Stopping"  # a decision to stop or to pause it is recorded; its Pod is being deleted
    PAUSED = "Paused"  # it has no Pod, and may be resumed from its checkpoint
    COMPLETED = "Completed"
    EARLY_STOPPED = "EarlyStopped"
    STOPPED = "Stopped"
    FAILED = "Failed"

    @property
    def is_final(self) -> bool:
        """Whether the trial has ended."""
        return self in _FINAL


_FINAL = frozenset({TrialPhase.COMPLETED, TrialPhase.EARLY_STOPPED, TrialPhase.STOPPED, TrialPhase.FAILED})


TIME_LIMIT = "MaxTrialDurationReached"
"""Reason of a trial that was stopped at its deadline, and is completed with what it has reached."""


@dataclass(frozen=True, slots=True)
class StopDecision:
    """Why a trial was stopped, with the numbers that decided it.

    Attributes:
        reason: CamelCase word for machines, for example `BelowMedian`.
        message: One sentence for people, with the numbers in it.
        epoch: The epoch that was judged; None when the trial was stopped for another's sake.
        value: The trial's value that was compared.
        threshold: What it was compared with.
    """

    reason: str
    message: str
    epoch: float | None = None
    value: float | None = None
    threshold: float | None = None

    @property
    def early(self) -> bool:
        """Whether an early stopping rule judged the trial; False when it was stopped for another's sake."""
        return self.epoch is not None

    @property
    def completes(self) -> bool:
        """Whether the trial's time was up: the decision completes it."""
        return self.reason == TIME_LIMIT


@dataclass(frozen=True, slots=True)
class TrialStatus:
    """The recorded facts of a trial; every field is what `status` of the TuningTrial says.

    Attributes:
        attempt: Number of the current Pod, from 1.
        attempt_time: When a later attempt was decided; None for the first.
        start_time: When the current attempt's training container started.
        attempt_uid: Uid of the current attempt's Pod (with several nodes: of its batch Job), once it is known: one that
            is missing although its uid is known has been lost, one without a known uid has not been created yet. It
            is recorded with whatever changes next; until then the process that created the attempt remembers it.
        reporter: Name of the Pod that reports, in an attempt of several nodes, once it has been seen.
        disruptions: Attempts that ended through no fault of the training.
        failures: Attempts in which the training failed; `spec.retry` bounds them.
        metrics: The last measurement of each metric that the training left at its end, the objective's among them.
        training_seconds: Run time of the training container, summed over the attempts that ended.
        would_stop: The first decision of a dry run about it.
        pause: Why it was paused last.
        resumptions: How often it was resumed after a pause.
        resume_epoch: The last epoch that was known when it was resumed, until its training has reported again.
        repeated_epochs: Epochs that were trained again after a resumption, as far as that was seen.
    """

    phase: TrialPhase = TrialPhase.PENDING
    attempt: int = 1
    attempt_time: datetime | None = None
    attempt_uid: str | None = None
    reporter: str | None = None
    disruptions: int = 0
    failures: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    training_seconds: int = 0
    curve: Curve = field(default_factory=Curve)
    metrics: Mapping[str, Measurement] = field(default_factory=dict)
    stop: StopDecision | None = None
    would_stop: StopDecision | None = None
    pause: StopDecision | None = None
    resumptions: int = 0
    resume_epoch: float | None = None
    repeated_epochs: int = 0
    reason: str | None = None
    message: str | None = None

    def having(self, **facts: Any) -> TrialStatus:
        """Return the status with these facts; itself if it has them, since of most trials a pass learns nothing."""
        if all(getattr(self, name) == fact for name, fact in facts.items()):
            return self
        return replace(self, **facts)

    def says_the_same_as(self, other: TrialStatus) -> bool:
        """Whether the two differ in nothing but their curves."""
        return bool(_FACTS(self) == _FACTS(other))

    def seconds(self, now: datetime) -> float:
        """Return for how long it has trained in all its attempts, the present one included."""
        running = self.phase in {TrialPhase.RUNNING, TrialPhase.STOPPING} and self.start_time is not None
        current = (now - self.start_time).total_seconds() if running and self.start_time else 0.0
        return self.training_seconds + max(0.0, current)

    @property
    def setbacks(self) -> int:
        """How many attempts ended otherwise than by a pause and were followed by another."""
        return self.attempt - 1 - self.resumptions

    @property
    def is_pausing(self) -> bool:
        """Whether the trial becomes paused, not stopped, once its Pod has ended."""
        return self.phase is TrialPhase.STOPPING and self.stop is None

    def is_tried_again(self, max_attempts: int) -> bool:
        """Whether another attempt follows when the present one fails."""
        return self.failures + 1 < max_attempts


_FACTS = attrgetter(*(known.name for known in fields(TrialStatus) if known.name != "curve"))


@dataclass(frozen=True, slots=True)
class Trial:
    """A TuningTrial: an immutable assignment of parameters and its status.

    Attributes:
        suggestion_source: Where the parameters came from, for example `Model`.
        suggestion_message: What the suggester said about them.
        expected_gain: By how much the model expected them to raise the best objective, as a share of the observed
            range; infinite when no model was asked.
        best_for: The goal whose best epoch is its objective; None where the last epoch is.
        confirms: Number of the trial that it trains again with another seed; None for a trial of the search.
        deleting: Whether the TuningTrial's deletion has been asked for.
    """

    name: str
    number: int
    parameters: Mapping[str, Value]
    seed: int
    suggestion_source: str = ""
    suggestion_message: str = ""
    expected_gain: float = math.inf
    best_for: Goal | None = None
    confirms: int | None = None
    uid: str = ""
    resource_version: str = ""
    deleting: bool = False
    status: TrialStatus = field(default_factory=TrialStatus)

    @property
    def attempt_name(self) -> str:
        """The name of the current attempt's Pod, or of its batch Job."""
        return f"{self.name}-{self.status.attempt}"

    @property
    def reporter(self) -> str:
        """The name of the current attempt's Pod that reports."""
        return self.status.reporter or self.attempt_name

    @property
    def is_repetition(self) -> bool:
        """Whether it trains the setting of another trial again, and is no part of the search."""
        return self.confirms is not None

    @property
    def phase(self) -> TrialPhase:
        """The recorded phase."""
        return self.status.phase

    @property
    def curve(self) -> Curve:
        """The recorded curve."""
        return self.status.curve

    @property
    def training_failed(self) -> bool:
        """Whether its training has failed and its last measurements are being fetched."""
        return self.phase is TrialPhase.COLLECTING and self.status.reason is not None

    @property
    def measured(self) -> Measurement | None:
        """What its objective would be if it ended now: its best or its latest measurement, as its job says."""
        return self.curve.latest if self.best_for is None else self.curve.best(self.best_for)

    @property
    def objective(self) -> float | None:
        """The value of a trial that ended with one; None while it runs, or when it failed."""
        if not self.phase.is_final or self.phase is TrialPhase.FAILED:
            return None
        measured = self.measured
        return measured.value if measured else None


def searched(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Return the trials of the search, without those that repeat one with another seed."""
    return tuple(trial for trial in trials if not trial.is_repetition)
