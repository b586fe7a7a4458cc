"""What a user can set for early stopping: the rule, and the settings of the documented one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

_GOLDEN = (math.sqrt(5) - 1) / 2


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
        min_completed_trials: No trial is stopped until this many completed trials have reached the same epoch.
        min_epochs: A trial is not judged until it has finished this many epochs.
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
        pause: Pause trials instead of stopping them while new ones are left to start.
    """

    type: EarlyStoppingType = EarlyStoppingType.OFF
    median: MedianKnobs = MedianKnobs()
    dry_run: bool = False
    pause: bool = False


@dataclass(frozen=True)
class Hyperband:
    """The resources, in epochs, between which Hyperband chooses.

    Attributes:
        min_resource: The first bracket's first rung.
        max_resource: The most that a trial trains; one that trains longer is stopped.
        reduction_factor: One in this many continues from a rung; also the factor between rungs.
    """

    min_resource: int
    max_resource: int
    reduction_factor: int = 3

    def __post_init__(self) -> None:
        """Refuse what has no rungs."""
        if not 1 <= self.min_resource < self.max_resource:
            raise ValueError("min_resource must be at least 1, and max_resource greater than it")
        if self.reduction_factor < 2:  # noqa: PLR2004 - one of one would be no choice
            raise ValueError(f"reduction_factor must be at least 2, not {self.reduction_factor}")

    @cached_property
    def rungs(self) -> tuple[int, ...]:
        """The epochs at which trials are compared, ascending, all below the most a trial spends."""
        rungs = [self.min_resource]
        while rungs[-1] * self.reduction_factor < self.max_resource:
            rungs.append(rungs[-1] * self.reduction_factor)
        return tuple(rungs)

    def bracket(self, number: int) -> int:
        """The bracket of a trial: how many of the first rungs it passes freely, 0 to all of them.

        By number alone, and evenly at any time: the multiples of the golden ratio leave no gaps (Knuth, TAOCP 3, 6.4).
        """
        place = (number - 1) * _GOLDEN % 1 * sum(self._shares)
        for bracket, share in enumerate(self._shares):
            if place < share:
                return bracket
            place -= share
        return len(self._shares) - 1

    @cached_property
    def _shares(self) -> tuple[float, ...]:
        """How many trials each bracket gets, relatively: about equal budgets."""
        most = len(self.rungs)
        return tuple(self.reduction_factor**left / (left + 1) for left in range(most, -1, -1))
