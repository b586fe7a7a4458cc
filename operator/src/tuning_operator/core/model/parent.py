"""What is known of a job that another one starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.model.observation import Observation, RelatedTrial


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a parent is not ready, and what to do about it.

    Attributes:
        cause: What is wrong, without a remedy.
        remedy: What lets a job start that has not started yet.
    """

    reason: str
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The best trial of a job, as shown in its status."""

    job: str
    name: str
    objective: float
    epoch: float
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent of a job, and what is known of it.

    Attributes:
        uid: Of the job whose trials these are; empty if none were ever read.
        ended: When that job ended.
        observations: Its trials that count like the child's own, those included that do not inform.
        related: Its trials of another task that inform the child.
        total: How many of its trials have ended.
        obstacle: Set while the parent is not ready; what is known of it is kept.
    """

    name: str
    uid: str = ""
    ended: datetime | None = None
    observations: tuple[Observation, ...] = ()
    related: tuple[RelatedTrial, ...] = ()
    total: int = 0
    best: BestTrial | None = None
    obstacle: Obstacle | None = None

    @property
    def learned(self) -> int:
        """How many of its trials count."""
        return sum(observation.informs for observation in self.observations) + len(self.related)
