from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.builders import ago, ended, job, running_pod, snapshot, trial
from tuning_operator.core.decide import decide
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.report.summary import summarize
from tuning_operator.core.report.waiting import PATIENCE, waiting

UNSCHEDULABLE: dict[str, Any] = {
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu",
}


def shown(trials: list[Trial], *, since: float = 60, **more: Any) -> Condition | None:
    it = snapshot(job(start_time=ago(since)), trials, **more)
    return waiting(it, decide(it))


def test_a_job_whose_trials_all_wait_says_what_they_wait_for() -> None:
    found = shown([trial(1, **UNSCHEDULABLE), trial(2, **UNSCHEDULABLE)])
    assert found is not None
    assert (found.type, found.status, found.reason) == ("Waiting", "True", "Unschedulable")
    assert found.message.startswith(
        "no trial trains: 2 of 2 pending trials wait with reason Unschedulable, for example job-0001: 0/3"
    )


def test_the_most_frequent_reason_is_named() -> None:
    pulling: dict[str, Any] = {"reason": "ImagePullBackOff", "message": "manifest unknown"}
    found = shown([trial(1, **UNSCHEDULABLE), trial(2, **pulling), trial(3, **pulling)])
    assert found is not None
    assert (found.reason, "job-0002: manifest unknown" in found.message) == ("ImagePullBackOff", True)


def test_a_job_that_waits_for_suggestions_says_so() -> None:
    found = shown([ended(1, 0.5)])
    assert found is not None
    assert found.reason == "Suggestion"


@pytest.mark.parametrize(
    "trials",
    [
        [trial(1, TrialPhase.RUNNING), trial(2, **UNSCHEDULABLE)],
        [trial(1, TrialPhase.STOPPING), trial(2, **UNSCHEDULABLE)],
        [ended(number, 0.5) for number in range(1, 11)],
    ],
)
def test_nothing_is_said_while_a_trial_trains_or_none_is_wanted(trials: list[Trial]) -> None:
    assert shown(trials, pods=[running_pod(1)]) is None


def test_a_short_pause_is_no_news_and_a_long_one_is_looked_at_again() -> None:
    it = snapshot(job(start_time=ago(5)), [trial(1, **UNSCHEDULABLE)])
    decision = decide(it)
    assert waiting(it, decision) is None
    assert decision.wake_after == PATIENCE - timedelta(seconds=5)


def test_the_condition_goes_when_a_trial_trains() -> None:
    before = Condition("Waiting", "True", "Unschedulable")
    it = snapshot(job(start_time=ago(60), conditions=[before]), [trial(1)], [running_pod(1)])
    assert summarize(it, decide(it)).conditions["Waiting"].status == "False"
