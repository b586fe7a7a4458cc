"""What was observed about a trial: all that its next status follows from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from tuning_operator.core.model.attempt import Attempt, Reading
    from tuning_operator.core.model.sources import Gauges, LogFile


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """Everything that was observed about a trial.

    Attributes:
        attempt: The current attempt's Pod; None when there is none.
        reading: Prometheus' answer about that Pod; None when it is not known.
        max_attempts: How many times the training may fail until its trial has.
        start_deadline: How long a training may run without having reported anything; None for no limit.
        max_duration: How long the trial may train, in all its attempts; None for no limit.
        metrics_since: From when on Prometheus has answered; None while it does not.
        settle: Take the measurements that are known as final (the job ends and Prometheus does not answer).
        longest: The last epoch of the longest training that was completed; None where none was.
        source: Where measurements are read from; None for the metrics contract.
    """

    attempt: Attempt | None
    reading: Reading | None
    now: datetime
    image_pull_grace: timedelta
    max_attempts: int = 1
    start_deadline: timedelta | None = None
    max_duration: timedelta | None = None
    metrics_since: datetime | None = None
    settle: bool = False
    longest: float | None = None
    source: Gauges | LogFile | None = None
