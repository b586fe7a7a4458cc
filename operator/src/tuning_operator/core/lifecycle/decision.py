"""What follows from a snapshot: what to record, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from tuning_operator.core.lifecycle.confirm import Confirmation
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Completion, JobPhase
    from tuning_operator.core.model.notice import Notice
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.suggest import Suggestion, SuggestRequest


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a snapshot.

    Attributes:
        trials: All trials with their next status.
        changed: Those whose status must be written.
        grown: Those whose curve alone has grown: to be shown soon, and nothing waits for it.
        create_attempts: Trials whose current attempt gets its Pod now.
        delete_attempts: Pods to delete, each only if it still has this uid.
        suggest: What to ask the suggester for; None when no trial is added.
        repeat: Trials to commit that repeat another one with another seed.
        confirmation: What is known of the best settings' repetitions, once the search has ended.
        stalled: Why no trial is added until a running one has reported an epoch.
        delete_job: Whether the ended job's time to live is over: delete it with all that it owns.
        wake_after: When to look again even if nothing happens.
    """

    phase: JobPhase
    trials: tuple[Trial, ...]
    changed: tuple[Trial, ...] = ()
    grown: tuple[Trial, ...] = ()
    create_attempts: tuple[Trial, ...] = ()
    delete_attempts: tuple[Attempt, ...] = ()
    suggest: SuggestRequest | None = None
    repeat: tuple[Suggestion, ...] = ()
    confirmation: Confirmation | None = None
    delete_job: bool = False
    completion: Completion | None = None
    stalled: str | None = None
    notices: tuple[Notice, ...] = ()
    wake_after: timedelta | None = None
