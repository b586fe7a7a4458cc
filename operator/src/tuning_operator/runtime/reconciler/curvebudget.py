"""Shares the writes of growing curves among jobs: people look at these, and no decision waits for them.

A job of a few trials shows each epoch at once. Thousands of trainings that report every few seconds would cost the API
server more than all else together, so their curves are written within a budget, those that lag most first.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tuning_operator.core.model.trial import Trial
    from tuning_operator.runtime.queue import JobKey

WRITES = 8.0
"""A second, for all jobs: sixteen running trials show what is new every two seconds, 3,000 every six minutes."""
AT_ONCE, AT_ONCE_IF_URGENT = 8, 2
"""Curves written before other work is looked for, and if it is there already: no free slot waits longer than this."""
LONGEST_PAUSE = 10.0
"""Seconds after which the remaining curves are written, at most: each new epoch has them written sooner."""
ACTIVE = 15.0
"""Seconds after which a job without curves to write loses its share."""


class CurveBudget:
    """A token bucket for each job; those that have something to write share the rate equally.

    Args:
        rate: Writes a second.
        clock: Monotonic seconds.
    """

    def __init__(self, rate: float = WRITES, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._jobs: dict[JobKey, tuple[float, float]] = {}
        """When a job asked last, and the tokens that it had left."""

    def chosen(
        self, job: JobKey, grown: Iterable[Trial], recorded: dict[str, int], *, is_urgent: bool = False
    ) -> list[Trial]:
        """Return the trials whose curves are written next, by how many epochs they lag.

        Args:
            job: Whose trials they are.
            grown: The trials with their curves as they are now.
            recorded: How many epochs of each are recorded, by its name.
            is_urgent: Whether other work is there that cannot wait.
        """
        lagging = sorted(grown, key=lambda trial: recorded[trial.name] - trial.curve.count)
        if not lagging:
            return []
        now = self._clock()
        self._jobs = {key: last for key, last in self._jobs.items() if now - last[0] <= ACTIVE or key == job}
        share = self._rate / len({*self._jobs, job})
        since, left = self._jobs.get(job, (now - 1.0, 0.0))
        tokens = min(max(AT_ONCE, share), left + (now - since) * share)
        taken = lagging[: min(int(tokens), AT_ONCE_IF_URGENT if is_urgent else AT_ONCE)]
        self._jobs[job] = now, tokens - len(taken)
        return taken

    def pause(self, job: JobKey) -> timedelta:
        """How long to wait until several more may be written: a pass for each would cost more than the writes."""
        share = self._rate / max(1, len(self._jobs))
        wanted = max(AT_ONCE, share / 2) - self._jobs.get(job, (0.0, 0.0))[1]
        return timedelta(seconds=min(LONGEST_PAUSE, max(0.0, wanted) / share))

    def forget(self, job: JobKey) -> None:
        """Drop a job that is gone."""
        self._jobs.pop(job, None)
