"""What a suggester learns from: trials that have ended, reduced to their parameters and their objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.space import Value


@dataclass(frozen=True, slots=True)
class Observation:
    """A finished trial, or one that is paused.

    Attributes:
        objective: None when the trial failed; NaN or an infinity when it diverged.
        informs: Whether its end says anything about its parameters. If not, they only count as tried.
    """

    parameters: Mapping[str, Value]
    objective: float | None
    informs: bool = True

    @classmethod
    def of(cls, trial: Trial) -> Observation:
        """Return the observation of a trial that has ended or is paused: of the latter its value so far.

        One that was stopped before its first result, for example because its job was, says nothing about its
        parameters.
        """
        if trial.phase is TrialPhase.PAUSED:
            so_far = trial.measured
            return cls(trial.parameters, so_far.value if so_far else None, informs=so_far is not None)
        stopped = trial.phase is TrialPhase.STOPPED and trial.objective is None
        return cls(trial.parameters, trial.objective, informs=not stopped)


@dataclass(frozen=True, slots=True)
class RelatedTrial:
    """A finished trial of a related job: something to learn from, but not to be taken for granted.

    Attributes:
        place: Where it lies in this job's space, as `Space.place` tells; it may lie outside of the ranges.
        objective: As that of an observation, on a scale that may be another.
    """

    place: tuple[float, ...]
    objective: float | None
