"""What a user asks for: the specification of a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.early_stopping import EarlyStopping, Hyperband
    from tuning_operator.core.model.sources import Gauges, LogFile
    from tuning_operator.core.space import Space, Value


class Strategy(StrEnum):
    """How suggestions are made."""

    BAYESIAN = "Bayesian"
    RANDOM = "Random"
    GRID = "Grid"


class SuspendPolicy(StrEnum):
    """What a suspension does to the running trials."""

    DRAIN = "Drain"  # they run to their end
    STOP = "Stop"


class RunningTrials(StrEnum):
    """What happens to the running trials when their job ends."""

    FINISH = "Finish"
    STOP = "Stop"


class PodCleanup(StrEnum):
    """What happens to Pods that have ended."""

    KEEP = "Keep"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Criteria:
    """When a job ends because further trials are not worth it, and what happens to the running ones.

    Attributes:
        max_trials_without_improvement: Trials in a row that may end without an improvement.
        improvement_threshold: The least improvement that counts, as a share of the best objective before.
        tolerance: The least expected gain that is worth a trial, as a share of the observed range.
    """

    max_trials_without_improvement: int | None = None
    improvement_threshold: float = 0.01
    tolerance: float | None = None
    running_trials: RunningTrials = RunningTrials.STOP


class ObjectiveValue(StrEnum):
    """Which epoch's value is a trial's objective."""

    LAST = "Last"
    BEST = "Best"


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric to optimise; `target`, when given, ends the job once a trial reaches it."""

    metric: str
    goal: Goal
    target: float | None = None
    value: ObjectiveValue = ObjectiveValue.LAST

    @property
    def best_for(self) -> Goal | None:
        """The goal whose best epoch counts; None where the last one does."""
        return self.goal if self.value is ObjectiveValue.BEST else None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a job may spend."""

    max_trials: int
    max_parallel_trials: int = 1
    max_failed_trials: int | None = None
    max_duration: timedelta | None = None
    max_training_time: timedelta | None = None
    max_gpu_hours: float | None = None
    max_trial_duration: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What training takes and costs.

    Attributes:
        gpus_per_pod: 0 where there are none, or their number is not known.
        price: Of an hour of a GPU, in a currency of the user's choice.
    """

    gpus_per_pod: float = 0.0
    price: float | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Confirm:
    """How a winner is confirmed.

    Attributes:
        top: Number of settings that are trained again.
        seeds: Number of other seeds that each of them is trained with.
        names_seed: Whether the Pod template refers to the variable with the seed.
    """

    top: int
    seeds: int
    names_seed: bool = True


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
        checkpoint_dir: Where in its container a training keeps what it can be resumed from.
        nodes: How many Pods run an attempt together; the only one, or those of a batch Job.
        initial_trials: Settings to try first, maybe of some parameters only.
        confirm: How the best settings are trained again before one of them wins; None when they are not.
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
    ttl_after_finished: timedelta | None = None
    pod_cleanup: PodCleanup = PodCleanup.KEEP
    parents: tuple[str, ...] = ()
    transfer: bool = False
    checkpoint_dir: str | None = None
    nodes: int = 1
    initial_trials: tuple[Mapping[str, Value], ...] = ()
    cost: Cost = field(default_factory=Cost)
    confirm: Confirm | None = None

    @property
    def most_trials(self) -> int:
        """How many trials there may be, those that confirm others included."""
        return self.limits.max_trials + (self.confirm.top * self.confirm.seeds if self.confirm else 0)
