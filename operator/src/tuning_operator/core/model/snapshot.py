"""What the cluster looked like when a decision was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.conditions import ConditionType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.model.attempt import Attempt, Reading
    from tuning_operator.core.model.conditions import Condition
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.parent import Parent
    from tuning_operator.core.model.trial import Trial


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the cluster looked like, all of it read in one pass.

    Attributes:
        trials: All trials of the job, ascending by number.
        attempts: The attempts of each trial, by the trial's name; by its uid when the trial itself is gone.
        readings: Prometheus' answers by Pod name; a Pod without an entry is unknown, not silent.
        metrics_since: From when on Prometheus has answered every question; None while it does not, or not that we know.
        conditions: What the runtime knows from elsewhere (template, quota, metrics), by type.
        parents: The jobs that this one starts from, as far as they are known.
    """

    job: Job
    trials: tuple[Trial, ...]
    attempts: Mapping[str, tuple[Attempt, ...]]
    readings: Mapping[str, Reading]
    now: datetime
    metrics_since: datetime | None = None
    image_pull_grace: timedelta = timedelta(minutes=15)
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    parents: tuple[Parent, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type as just found out, else as recorded."""
        return self.conditions.get(kind) or self.job.conditions.get(kind)

    def is_condition(self, kind: str, status: str) -> bool:
        """Whether the condition is known and has that status."""
        condition = self.condition(kind)
        return condition is not None and condition.status == status

    @property
    def awaits_parents(self) -> bool:
        """Whether the job has not started yet because a parent is not as it should be."""
        return not self.trials and self.is_condition(ConditionType.PARENTS_READY, "False")

    def attempt(self, trial: Trial) -> Attempt | None:
        """The trial's current attempt; None when nothing of it exists."""
        for attempt in self.attempts.get(trial.name, ()):
            if attempt.number == trial.status.attempt:
                return attempt
        return None

    def reading(self, trial: Trial) -> Reading | None:
        """Prometheus' answer about that Pod; None when it is not known."""
        return self.readings.get(trial.reporter)
