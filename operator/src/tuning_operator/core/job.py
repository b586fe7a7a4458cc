"""What a user asked for (the specification of a job) and what is recorded about it so far."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.curves import Goal
    from tuning_operator.core.sources import Gauges, LogFile
    from tuning_operator.core.space import Space
    from tuning_operator.core.stopping import EarlyStopping, Hyperband
    from tuning_operator.core.suggest import Strategy


class JobPhase(StrEnum):
    """Where a job is in its life; the last three are final, until an edit lets the job go on."""

    PENDING = "Pending"  # its Pod template has not been accepted yet
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    STOPPING = "Stopping"  # its end is decided; the remaining trials are ending
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
        """Whether no edit lets the job go on."""
        return self in {CompletionReason.STOPPED_BY_USER, CompletionReason.INVALID_TEMPLATE}


class SuspendPolicy(StrEnum):
    """What a suspension means for the trials that run."""

    DRAIN = "Drain"  # they run to their end
    STOP = "Stop"


class RunningTrials(StrEnum):
    """What becomes of the trials that run when their job ends."""

    FINISH = "Finish"
    STOP = "Stop"


class PodCleanup(StrEnum):
    """What becomes of Pods that have ended."""

    KEEP = "Keep"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Criteria:
    """When a job ends because no more is to be gained, and what becomes of the trials that run at its end.

    Attributes:
        max_without_improvement: As many trials in a row may end without an improvement.
        threshold: The least improvement that counts, as a share of the best objective before.
        tolerance: The least expected gain that is worth a trial, as a share of the observed range.
    """

    max_without_improvement: int | None = None
    threshold: float = 0.01
    tolerance: float | None = None
    running_trials: RunningTrials = RunningTrials.STOP


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric to optimise; `target`, when given, ends the job once a trial reaches it."""

    metric: str
    goal: Goal
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a job may spend."""

    max_trials: int
    max_parallel_trials: int = 1
    max_failed_trials: int | None = None
    max_duration: timedelta | None = None


@dataclass(frozen=True, slots=True)
class JobSpec:
    """The specification as the user wrote it, with the API server's defaults filled in.

    Attributes:
        strategy: How parameters are proposed; with Hyperband what its settings say.
        hyperband: Set when Hyperband stops trials; there is no early stopping then.
        max_attempts: How often a trial may fail until it has failed for good.
        start_deadline: A training that runs for so long and has reported nothing has failed.
        source: Where measurements are read from; None for the metrics contract.
        parents: Names of the jobs whose trials are learned from as well.
        transfer: Whether these are about another task, so that their trials do not count like the job's own.
        nodes: How many Pods run an attempt together; the only one, or those of a batch Job.
    """

    strategy: Strategy
    objective: Objective
    space: Space
    limits: Limits
    early_stopping: EarlyStopping
    max_attempts: int = 1
    start_deadline: timedelta | None = None
    source: Gauges | LogFile | None = None
    static_parameters: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    suspend: bool = False
    hyperband: Hyperband | None = None
    suspend_policy: SuspendPolicy = SuspendPolicy.DRAIN
    stop: bool = False
    completion: Criteria = field(default_factory=Criteria)
    time_to_live: timedelta | None = None
    pod_cleanup: PodCleanup = PodCleanup.KEEP
    parents: tuple[str, ...] = ()
    transfer: bool = False
    nodes: int = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """A `metav1.Condition`; when it last changed is kept by whoever writes it.

    Attributes:
        since: From when on it is known to have held without a break; None when that is not known.
    """

    type: str
    status: str  # "True", "False" or "Unknown"
    reason: str
    message: str = ""
    since: datetime | None = field(default=None, compare=False)


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
        """When the job is to be deleted; None when it is kept, or has not ended."""
        ended, time_to_live = self.completion_time, self.spec.time_to_live
        return ended + time_to_live if ended and time_to_live is not None else None

    @property
    def seed(self) -> int:
        """The seed in use: the specification's, else one that the job's uid determines; 0 to 2**31 - 1."""
        return self.spec.seed if self.spec.seed is not None else stable_hash(self.uid)


def stable_hash(*parts: object) -> int:
    """Hash to 0..2**31 - 1, the same in every process and version of Python."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4]) & 0x7FFFFFFF
