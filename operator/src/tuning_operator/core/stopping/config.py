"""What a user can ask of early stopping: the rule and the knobs of the documented one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EarlyStoppingType(StrEnum):
    """Which rule judges running trials."""

    OFF = "Off"
    AUTO = "Auto"
    MEDIAN = "Median"


class Statistic(StrEnum):
    """Which value of a running trial is compared with the completed ones."""

    BEST = "Best"
    CURRENT = "Current"


@dataclass(frozen=True, slots=True)
class MedianKnobs:
    """Every choice that the documented median rule leaves open.

    SageMaker's text taken literally: statistic CURRENT, one completed trial, one epoch, no minimum progress.

    Attributes:
        statistic: The trial's best value so far, or its current one.
        quantile: Of the completed trials' running averages, counted from the worst: higher is stricter.
        min_completed_trials: Nothing is stopped before so many completed trials reached the same epoch.
        min_epochs: A trial is not judged before it has finished so many epochs.
        min_progress: Nor before this share of the median length of the completed trials.
    """

    statistic: Statistic = Statistic.BEST
    quantile: float = 0.5
    min_completed_trials: int = 3
    min_epochs: int = 2
    min_progress: float = 0.2

    def __post_init__(self) -> None:
        """Refuse values outside of the ranges that the CRD documents."""
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile must be above 0 and below 1, not {self.quantile}")
        if self.min_completed_trials < 1:
            raise ValueError(f"min_completed_trials must be at least 1, not {self.min_completed_trials}")
        if self.min_epochs < 1:
            raise ValueError(f"min_epochs must be at least 1, not {self.min_epochs}")
        if not 0 <= self.min_progress <= 1:
            raise ValueError(f"min_progress must be from 0 to 1, not {self.min_progress}")


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """A job's early stopping.

    Attributes:
        median: Counts only with type `Median`.
        dry_run: Decisions are recorded, and nothing is stopped.
    """

    type: EarlyStoppingType = EarlyStoppingType.OFF
    median: MedianKnobs = MedianKnobs()
    dry_run: bool = False
