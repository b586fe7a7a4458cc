from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import (
    ACCEPTED,
    NOW,
    ago,
    curve,
    ended,
    ended_pod,
    job,
    pod,
    running_pod,
    snapshot,
    trial,
)
from tuning_operator.core.decide import decide
from tuning_operator.core.model.attempt import History, Reading, Scraping
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.job import CompletionReason, JobPhase
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.report.summary import JobStatus, summarize

if TYPE_CHECKING:
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.snapshot import Snapshot
    from tuning_operator.core.model.trial import Trial


def summary(found: Snapshot) -> JobStatus:
    return summarize(found, decide(found))


def test_a_job_is_summed_up_after_the_decision() -> None:
    trials = [
        ended(1, 0.2),
        ended(2, 0.3, phase=TrialPhase.EARLY_STOPPED),
        ended(3, phase=TrialPhase.FAILED),
        trial(4, TrialPhase.RUNNING, attempt_uid="pod-uid-4-1", training_seconds=20),
        trial(5),
    ]
    ending = ended_pod(4, history=History(curve(0.9), complete=True))
    found = summary(snapshot(job(parallel=2), trials, [ending, running_pod(5)]))
    assert dict(found.phases) == {
        TrialPhase.COMPLETED: 2,
        TrialPhase.EARLY_STOPPED: 1,
        TrialPhase.FAILED: 1,
        TrialPhase.RUNNING: 1,
    }
    assert (found.ended, found.without_objective, found.max_trials) == (4, 1, 10)
    assert (found.best and found.best.number, found.newest and found.newest.number) == (4, 5)
    assert found.total_training_seconds == 100
    assert (found.phase, found.seed, found.observed_generation) == (JobPhase.RUNNING, 7, 1)
    assert (found.completion_reason, found.message, found.completion_time) == (None, "", None)


def test_an_empty_job() -> None:
    found = summary(snapshot(job()))
    assert (found.best, found.newest, found.ended, found.total_training_seconds) == (None, None, 0, 0)


@pytest.mark.parametrize("recorded", [None, ago(1000)])
def test_a_job_starts_when_its_template_is_accepted(recorded: object) -> None:
    waiting = job(conditions=(), start_time=recorded, phase=JobPhase.PENDING)
    assert summary(snapshot(waiting)).start_time == recorded
    accepted = summary(snapshot(waiting, conditions={"TemplateValid": ACCEPTED}))
    assert accepted.start_time == (recorded or NOW)
    assert accepted.phase is JobPhase.RUNNING


def test_the_end_of_a_job_is_recorded_with_its_time_reason_and_condition() -> None:
    found = summary(snapshot(job(trials=1), [ended(1, 0.5)]))
    assert (found.phase, found.completion_time) == (JobPhase.COMPLETED, NOW)
    assert (found.completion_reason, found.message) == (CompletionReason.MAX_TRIALS, "all 1 trials have ended")
    assert found.conditions["Complete"] == Condition("Complete", "True", "MaxTrialsReached", "all 1 trials have ended")
    assert "Failed" not in found.conditions


def test_a_failure_has_a_condition_of_its_own() -> None:
    found = summary(snapshot(job(max_failed=1), [ended(1, phase=TrialPhase.FAILED)]))
    assert found.conditions["Failed"].reason == "MaxFailedTrialsReached"
    assert "Complete" not in found.conditions


def test_a_job_that_still_stops_its_trials_has_a_reason_but_no_end() -> None:
    trials = [ended(1, 0.9), trial(2, TrialPhase.RUNNING, attempt_uid="pod-uid-2-1")]
    found = summary(snapshot(job(target=0.5), trials, [running_pod(2)]))
    assert (found.phase, found.completion_reason) == (JobPhase.STOPPING, CompletionReason.TARGET)
    assert found.completion_time is None
    assert set(found.conditions) == {"TemplateValid"}


def test_conditions_that_were_just_found_out_replace_recorded_ones() -> None:
    old = Condition("MetricsAvailable", "False", "PrometheusError", "no answer")
    new = Condition("MetricsAvailable", "True", "PrometheusAnswers")
    found = summary(snapshot(job(conditions=(ACCEPTED, old)), conditions={"MetricsAvailable": new}))
    assert (found.conditions["TemplateValid"], found.conditions["MetricsAvailable"]) == (ACCEPTED, new)


ANSWERS = Condition("MetricsAvailable", "True", "PrometheusAnswers")
SILENT = Condition("MetricsAvailable", "False", "PrometheusError", "no answer")


@pytest.mark.parametrize(
    ("found", "scraping", "reason"),
    [
        (ANSWERS, Scraping.NO_TARGET, "TrialNotScraped"),
        (None, Scraping.NO_TARGET, "TrialNotScraped"),  # right after a restart, as recorded
        (ANSWERS, Scraping.FAILS, "PrometheusAnswers"),  # so it is before the first epoch
        (ANSWERS, Scraping.WORKS, "PrometheusAnswers"),
        (SILENT, Scraping.NO_TARGET, "PrometheusError"),
    ],
)
def test_a_job_says_that_prometheus_does_not_scrape_its_trials(
    found: Condition | None, scraping: Scraping, reason: str
) -> None:
    recorded = Condition("MetricsAvailable", "False", "TrialNotScraped", "before")
    trials = [trial(n, TrialPhase.RUNNING, attempt_uid=f"pod-uid-{n}-1", start_time=ago(90)) for n in range(1, 8)]
    readings = {f"job-{n:04d}-1": Reading(Curve(), scraping=scraping) for n in range(1, 8)}
    seen = snapshot(
        job(conditions=(ACCEPTED, recorded), parallel=7),
        trials,
        [running_pod(n) for n in range(1, 8)],
        readings,
        conditions={"MetricsAvailable": found} if found else {},
    )
    condition = summary(seen).conditions["MetricsAvailable"]
    assert (condition.status, condition.reason) == ("True" if reason == "PrometheusAnswers" else "False", reason)
    if reason == "TrialNotScraped":
        assert condition.message.startswith("job-0001, job-0002, job-0003, job-0004, job-0005 and others: ")
        assert "PodMonitor" in condition.message


def test_quota_is_exceeded_until_no_pod_waits_for_it() -> None:
    quota = Condition("QuotaExceeded", "True", "ExceededQuota", "exceeded quota")
    recorded = job(conditions=(ACCEPTED, quota))
    waits = summary(snapshot(recorded, [trial(1)]))
    assert waits.conditions["QuotaExceeded"] == quota
    created = summary(snapshot(recorded, [trial(1)], [pod(1)]))
    assert created.conditions["QuotaExceeded"].status == "False"
    assert summary(snapshot(recorded, conditions={"QuotaExceeded": quota})).conditions["QuotaExceeded"] == quota


def test_that_no_trial_is_added_shows_until_one_reports_or_the_job_ends() -> None:
    failed = [trial(number, TrialPhase.FAILED) for number in range(1, 6)]
    stalled = summary(snapshot(job(), [*failed, trial(6)])).conditions["Stalled"]
    assert (stalled.status, stalled.reason) == ("True", "NoTrialSucceeded")
    assert stalled.message.startswith("5 trials failed and none has reported an epoch: ")
    stalled_job = job(conditions=(ACCEPTED, stalled))
    over = summary(snapshot(stalled_job, failed))
    assert (over.phase, over.conditions["Stalled"].status) == (JobPhase.FAILED, "False")
    assert over.conditions["Failed"].reason == "NoTrialSucceeded"
    reports = summary(snapshot(stalled_job, [*failed, ended(6, 0.1)]))
    assert (reports.phase, reports.conditions["Stalled"].status) == (JobPhase.RUNNING, "False")
    assert "Stalled" not in summary(snapshot(job(), failed[1:])).conditions


def test_suspension_shows_and_its_end_too() -> None:
    suspended = summary(snapshot(job(suspend=True)))
    assert (suspended.phase, suspended.conditions["Suspended"].status) == (JobPhase.SUSPENDED, "True")
    resumed = summary(snapshot(job(conditions=(ACCEPTED, suspended.conditions["Suspended"]))))
    assert (resumed.phase, resumed.conditions["Suspended"].status) == (JobPhase.RUNNING, "False")
    assert "Suspended" not in summary(snapshot(job())).conditions


def test_a_stop_by_the_user_has_a_condition_of_its_own() -> None:
    found = summary(snapshot(job(stop=True), [ended(1, 0.5)]))
    assert (found.phase, found.conditions["Stopped"].reason) == (JobPhase.STOPPED, "StoppedByUser")
    assert "Complete" not in found.conditions


@pytest.mark.parametrize(
    ("ending", "trials", "own"),
    [
        (job(trials=1), [ended(1, 0.5)], "Complete"),
        (job(max_failed=1), [ended(1, phase=TrialPhase.FAILED)], "Failed"),
        (job(stop=True), [ended(1, 0.5)], "Stopped"),
    ],
)
def test_finished_is_true_in_every_end_with_its_reason_and_false_again_when_the_job_goes_on(
    ending: Job, trials: list[Trial], own: str
) -> None:
    found = summary(snapshot(ending, trials)).conditions
    assert found["Finished"] == replace(found[own], type="Finished")
    assert found["Finished"].status == "True"
    resumed = summary(snapshot(job(trials=9, conditions=found.values()), trials)).conditions
    assert {resumed[kind].status for kind in (own, "Finished")} == {"False"}
    assert "Finished" not in summary(snapshot(job(trials=9), trials)).conditions


def test_nothing_of_an_end_is_left_when_the_job_goes_on_but_a_condition_and_the_time_it_took() -> None:
    trials = [ended(1, 0.5)]
    first = summary(snapshot(job(trials=1), trials))
    over: dict[str, Any] = {
        "phase": first.phase,
        "completion_reason": first.completion_reason,
        "completion_time": ago(600),
        "message": first.message,
        "conditions": first.conditions.values(),
        "idle": timedelta(seconds=5),
    }
    found = summary(snapshot(job(trials=2, observed_generation=1, generation=2, **over), trials))
    assert (found.phase, found.completion_reason, found.completion_time) == (JobPhase.RUNNING, None, None)
    assert (found.message, found.idle) == ("", timedelta(seconds=605))
    assert found.conditions["Complete"].status == "False"
    assert found.conditions["Complete"].reason == "Resumed"
    again = summary(snapshot(job(trials=2, conditions=found.conditions.values()), [*trials, ended(2, 0.6)]))
    assert (again.conditions["Complete"].status, again.conditions["Complete"].reason) == ("True", "MaxTrialsReached")
