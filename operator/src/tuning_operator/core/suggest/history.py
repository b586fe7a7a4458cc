"""What a model learns from: a job's trials and those of related ones, as rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.suggest.outcomes import utilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuning_operator.core.suggest.request import SuggestRequest

MODEL_TRIALS = 400
"""No more trials than this are predicted from: the best, and a sample of the others."""

_RELATED_TRIALS = 150
"""Trials of related jobs that the model learns from, shared among these jobs."""


@dataclass(frozen=True)
class History:
    """What a job and related ones have tried, in an order that does not depend on that of its arrival.

    Attributes:
        rows: Finished trials that inform, encoded, the job's own first, shape (trials, parameters + relatives). The
            last columns are switches: that of its job is 1 for a related job's trial, all are 0 for an own one.
        objectives: Their utilities, standardised for each job by itself, higher is better, shape (trials,).
        own: How many of them are the job's own.
        pending: Unfinished trials, encoded, shape (pending, parameters).
        tried: All own finished trials, also those that do not inform or are too many for a model, shape (tried,
            parameters).
    """

    rows: NDArray[np.float64]
    objectives: NDArray[np.float64]
    own: int
    pending: NDArray[np.float64]
    tried: NDArray[np.float64]

    @classmethod
    def of(cls, request: SuggestRequest) -> History:
        """Encode a request's history."""
        space = request.space
        trials = sorted(
            ((space.key(seen.parameters), seen) for seen in request.informing()),
            key=lambda pair: (pair[0], pair[1].objective is None, repr(pair[1].objective)),
        )
        rows = space.encode([seen.parameters for _, seen in trials])
        objectives = utilities(request.goal, [seen.objective for _, seen in trials])
        chosen = telling(objectives, MODEL_TRIALS)
        related = [_related(request, place) for place in range(len(request.relatives))]
        return cls(
            rows=np.vstack([switched(rows[chosen], len(related)), *(those for those, _ in related)]),
            objectives=np.concatenate([objectives[chosen], *(worth for _, worth in related)]),
            own=len(chosen),
            pending=space.encode(sorted(request.pending, key=space.key)),
            tried=space.encode([seen.parameters for seen in request.observations]),
        )


def switched(rows: NDArray[np.float64], relatives: int, on: int | None = None) -> NDArray[np.float64]:
    """Return rows with a switch for each related job, one of which may be on."""
    switches = np.zeros((len(rows), relatives))
    if on is not None:
        switches[:, on] = 1.0
    return np.hstack([rows, switches])


def _related(request: SuggestRequest, place: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rows and utilities of a related job's most telling trials."""
    trials = sorted(request.relatives[place], key=lambda trial: (trial.place, repr(trial.objective)))
    worth = utilities(request.goal, [trial.objective for trial in trials])
    chosen = telling(worth, _RELATED_TRIALS // len(request.relatives))
    rows = np.array([trial.place for trial in trials])[chosen]
    return switched(rows, len(request.relatives), on=place), worth[chosen]


def telling(objectives: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the places of at most `most` trials: the best third, and an even sample of the others."""
    if len(objectives) <= most:
        return np.arange(len(objectives))
    order = np.argsort(-objectives, kind="stable")
    best, rest = np.split(order, [most // 3])
    sample = np.linspace(0, len(rest) - 1, most - len(best)).round().astype(np.int64)
    return np.sort(np.concatenate([best, rest[sample]]))
