"""Sums up what a job has cost, with no more digits than are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial

_MOST_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class CostSoFar:
    """What the attempts that have ended have cost, as texts.

    Attributes:
        spent: At the price that the user has given; empty where there is none.
    """

    gpu_hours: str
    spent: str = ""
    currency: str = ""


def cost_so_far(job: Job, trials: Sequence[Trial]) -> CostSoFar | None:
    """Return what the trials have cost; None where the number of GPUs is not known, or there are none."""
    cost, nodes = job.spec.cost, job.spec.nodes
    if not cost.gpus_per_pod:
        return None
    hours_of_a_second = cost.gpus_per_pod * nodes / 3600
    hours = sum(trial.status.training_seconds for trial in trials) * hours_of_a_second
    # The times of Kubernetes are whole seconds, so that each attempt may be a second off.
    error = sum(trial.status.attempt for trial in trials) * hours_of_a_second
    if cost.price is None:
        return CostSoFar(_rounded(hours, error))
    return CostSoFar(_rounded(hours, error), _rounded(hours * cost.price, error * cost.price), cost.currency)


def _rounded(value: float, error: float) -> str:
    """Round to the last decimal that is larger than the error."""
    decimals = math.floor(-math.log10(error)) if error else _MOST_DECIMALS
    decimals = min(decimals, _MOST_DECIMALS)
    return f"{round(value, decimals):.{max(0, decimals)}f}"
