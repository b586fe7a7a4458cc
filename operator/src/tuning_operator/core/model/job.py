"""A job: what its user asked for and what is recorded about it so far."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.model.conditions import Condition
    from tuning_operator.core.model.spec import JobSpec


class JobPhase(StrEnum):
    """Where a job is in its life; the last three are final, until an edit resumes the job."""

    PENDING = "Pending"  # its Pod template has not been accepted yet
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    STOPPING = "Stopping"  # its end is decided; the remaining trials are ending
    CONFIRMING = "Confirming"  # its search has ended; the best settings train again with other seeds
    COMPLETED = "Completed"
    STOPPED = "Stopped"
    FAILED = "Failed"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in {JobPhase.COMPLETED, JobPhase.STOPPED, JobPhase.FAILED}


class CompletionReason(StrEnum):
    """Why a job ended."""

    MAX_TRIALS = "MaxTrialsReached"
    TARGET = "TargetReached"
    MAX_DURATION = "MaxDurationReached"
    MAX_TRAINING_TIME = "MaxTrainingTimeReached"
    MAX_GPU_HOURS = "MaxGPUHoursReached"
    MAX_FAILED_TRIALS = "MaxFailedTrialsReached"
    NO_TRIAL_SUCCEEDED = "NoTrialSucceeded"
    SPACE_EXHAUSTED = "SpaceExhausted"
    NO_IMPROVEMENT = "NoImprovement"
    CONVERGED = "Converged"
    STOPPED_BY_USER = "StoppedByUser"
    INVALID_TEMPLATE = "InvalidTemplate"

    @property
    def is_failure(self) -> bool:
        """Whether a job that ends for this reason has failed."""
        return self.phase is JobPhase.FAILED

    @property
    def phase(self) -> JobPhase:
        """The final phase of a job that ends for this reason and has a best trial."""
        if self is CompletionReason.STOPPED_BY_USER:
            return JobPhase.STOPPED
        failures = {
            CompletionReason.MAX_FAILED_TRIALS,
            CompletionReason.NO_TRIAL_SUCCEEDED,
            CompletionReason.INVALID_TEMPLATE,
        }
        return JobPhase.FAILED if self in failures else JobPhase.COMPLETED

    @property
    def is_for_good(self) -> bool:
        """Whether no edit resumes the job."""
        return self in {CompletionReason.STOPPED_BY_USER, CompletionReason.INVALID_TEMPLATE}


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of a job: a reason for machines and a sentence for people."""

    reason: CompletionReason
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """A HyperparameterTuningJob: its specification and the recorded facts that decisions depend on.

    Attributes:
        observed_generation: The generation of the specification that the recorded facts are about.
        idle: How long the job had ended before it was resumed; its duration is counted without.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    spec: JobSpec
    phase: JobPhase = JobPhase.PENDING
    observed_generation: int = 0
    start_time: datetime | None = None
    idle: timedelta = timedelta()
    completion_time: datetime | None = None
    completion_reason: CompletionReason | None = None
    message: str = ""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    deleting: bool = False

    @property
    def is_edited(self) -> bool:
        """Whether the specification has changed since the recorded facts were."""
        return self.generation != self.observed_generation

    @property
    def expiry(self) -> datetime | None:
        """When the job is due for deletion; None if it is kept or has not ended."""
        ended, ttl_after_finished = self.completion_time, self.spec.ttl_after_finished
        return ended + ttl_after_finished if ended and ttl_after_finished is not None else None

    @property
    def seed(self) -> int:
        """The seed in use: the specification's, else one that the job's uid determines; 0 to 2**31 - 1."""
        return self.spec.seed if self.spec.seed is not None else stable_hash(self.uid)


def stable_hash(*parts: object) -> int:
    """Hash to 0..2**31 - 1, the same in every process and version of Python."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4]) & 0x7FFFFFFF
