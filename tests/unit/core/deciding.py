"""What tests of `decide` share: trials, and a decision read in short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.builders import (
    ago,
    curve,
    job,
    snapshot,
    trial,
)
from tuning_operator.core.decide import decide
from tuning_operator.core.model.attempt import Attempt, History
from tuning_operator.core.model.spec import SuspendPolicy
from tuning_operator.core.model.trial import Trial, TrialPhase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuning_operator.core.lifecycle.decision import Decision


COMPLETE = History(curve(0.1, 0.2), complete=True)


def running(number: int, *values: float, **status: Any) -> Trial:
    return trial(
        number,
        TrialPhase.RUNNING,
        attempt_uid=f"pod-uid-{number}-1",
        start_time=ago(90),
        curve=curve(*values),
        **status,
    )


def numbers(trials: Iterable[Trial]) -> list[int]:
    return [item.number for item in trials]


def reasons(decision: Decision) -> list[tuple[str | None, str]]:
    return [(notice.trial.name if notice.trial else None, notice.reason) for notice in decision.notices]


def suspended(trials: Iterable[Trial], pods: Iterable[Attempt]) -> Decision:
    return decide(snapshot(job(suspend=True, suspend_policy=SuspendPolicy.STOP, parallel=4), trials, pods))
