from __future__ import annotations

from prometheus_client import REGISTRY

from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.runtime.metrics import TrialGauge


def shown(phase: TrialPhase) -> float | None:
    return REGISTRY.get_sample_value("tuning_operator_trials", {"phase": phase.value})


def test_trials_are_counted_over_all_jobs_and_leave_with_theirs() -> None:
    gauge = TrialGauge()
    gauge.update("a", {TrialPhase.RUNNING: 2, TrialPhase.FAILED: 1})
    gauge.update("b", {TrialPhase.RUNNING: 1})
    assert (shown(TrialPhase.RUNNING), shown(TrialPhase.FAILED), shown(TrialPhase.PENDING)) == (3, 1, 0)
    gauge.update("a", {TrialPhase.COMPLETED: 3})
    assert (shown(TrialPhase.RUNNING), shown(TrialPhase.COMPLETED)) == (1, 3)
    gauge.update("a", None)
    gauge.update("a", None)
    gauge.update("b", None)
    assert (shown(TrialPhase.RUNNING), shown(TrialPhase.COMPLETED)) == (0, 0)
