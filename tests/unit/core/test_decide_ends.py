"""How a job ends, waits for its last trials, and resumes."""

from __future__ import annotations

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
    with_status,
)
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.decision import Decision
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.job import Completion, CompletionReason, Job, JobPhase
from tuning_operator.core.model.spec import Criteria, PodCleanup, RunningTrials, SuspendPolicy
from tuning_operator.core.model.trial import Trial, TrialPhase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuning_operator.core.model.attempt import Attempt
from tests.unit.core.deciding import COMPLETE, numbers, reasons, running

# When nothing works


def test_while_the_template_is_in_doubt_no_trial_is_added_and_users_are_told_once() -> None:
    failed = [trial(number, TrialPhase.FAILED, reason="ExitCode2", message="broken") for number in range(1, 6)]
    pods = [ended_pod(number, code=2) for number in range(1, 6)]
    stalled = decide(snapshot(job(), [*failed, running(6)], [*pods, running_pod(6)]))
    assert (stalled.suggest, stalled.phase, stalled.completion) == (None, JobPhase.RUNNING, None)
    assert stalled.stalled
    assert reasons(stalled) == [(None, "Stalled")]
    expected = job(conditions=(ACCEPTED, Condition("Stalled", "True", "NoTrialSucceeded")))
    assert decide(snapshot(expected, [*failed, running(6)], [*pods, running_pod(6)])).notices == ()

    reports = decide(snapshot(expected, [*failed, running(6, 0.5)], [*pods, running_pod(6)]))
    assert reports.stalled is None
    assert reports.suggest
    assert reports.suggest.numbers == (7,)

    hopeless = decide(snapshot(expected, [*failed, trial(6, TrialPhase.FAILED)], pods))
    assert (hopeless.phase, hopeless.suggest, hopeless.stalled) == (JobPhase.FAILED, None, None)
    assert hopeless.completion
    assert hopeless.completion.reason is CompletionReason.NO_TRIAL_SUCCEEDED
    assert [(notice.reason, notice.warning) for notice in hopeless.notices] == [("NoTrialSucceeded", True)]


def test_the_last_failure_that_is_allowed_leaves_its_slot_empty() -> None:
    """Its own last measurements are still fetched: a slot is free before the trial has ended."""
    broken = [trial(1, TrialPhase.FAILED, reason="ExitCode2"), running(2)]
    found = decide(snapshot(job(max_failed=2), broken, [ended_pod(1, code=2), ended_pod(2, code=2)]))
    assert found.trials[1].phase is TrialPhase.COLLECTING
    assert (found.suggest, found.phase) == (None, JobPhase.STOPPING)
    assert found.completion
    assert found.completion.reason is CompletionReason.MAX_FAILED_TRIALS
    assert decide(snapshot(job(max_failed=3), broken, [ended_pod(1, code=2), ended_pod(2, code=2)])).suggest


def test_a_retry_is_no_new_trial() -> None:
    failed = [trial(number, TrialPhase.FAILED, reason="ExitCode2") for number in range(1, 6)]
    found = decide(snapshot(job(), [*failed, trial(6, attempt=2)]))
    assert found.stalled
    assert numbers(found.create_attempts) == [6]


def test_a_job_without_any_result_has_failed_whatever_ended_it() -> None:
    found = decide(snapshot(job(trials=2), [trial(1, TrialPhase.FAILED), trial(2, TrialPhase.FAILED)]))
    assert found.phase is JobPhase.FAILED
    assert found.completion == Completion(
        CompletionReason.MAX_TRIALS, "all 2 trials have ended; no trial has a finite objective"
    )
    assert [(notice.reason, notice.warning) for notice in found.notices] == [("MaxTrialsReached", True)]


def test_that_nothing_came_of_a_job_is_told_when_it_is_known() -> None:
    late = job(duration=timedelta(seconds=1000))
    found = decide(snapshot(late, [running(1)], [running_pod(1)]))
    assert [(n.reason, n.warning) for n in found.notices if n.trial is None] == [("MaxDurationReached", False)]
    ending = job(
        duration=timedelta(seconds=1000), phase=JobPhase.STOPPING, completion_reason=CompletionReason.MAX_DURATION
    )
    over = decide(snapshot(ending, [trial(1, TrialPhase.STOPPED)]))
    assert over.phase is JobPhase.FAILED
    assert [(n.reason, n.warning) for n in over.notices] == [("MaxDurationReached", True)]
    shown = decide(snapshot(ending, [ended(1, 0.5, phase=TrialPhase.STOPPED)]))
    assert (shown.phase, shown.notices) == (JobPhase.COMPLETED, ())


# The end of the job


def finish(a_job: Job, trials: Iterable[Trial], pods: Iterable[Attempt] = ()) -> Decision:
    return decide(snapshot(a_job, trials, pods))


def test_a_reached_target_stops_what_runs() -> None:
    trials = [ended(1, 0.9), running(2, 0.1), trial(3), trial(4, TrialPhase.COLLECTING, attempt_uid="x")]
    found = finish(job(target=0.5, parallel=4), trials, [running_pod(2)])
    assert [item.phase for item in found.trials] == [
        TrialPhase.COMPLETED,
        TrialPhase.STOPPING,
        TrialPhase.STOPPED,
        TrialPhase.COLLECTING,
    ]
    assert found.trials[2].status.completion_time == NOW
    assert (found.phase, found.suggest, found.create_attempts) == (JobPhase.STOPPING, None, ())
    assert [item.name for item in found.delete_attempts] == ["job-0002-1"]
    assert reasons(found) == [
        ("job-0002", "TrialStopped"),
        ("job-0003", "TrialStopped"),
        (None, "TargetReached"),
    ]


def test_the_job_ends_when_its_last_trial_has() -> None:
    stopping = with_status(trial(2, TrialPhase.STOPPING, attempt_uid="pod-uid-2-1"), stop=None)
    found = finish(job(target=0.5), [ended(1, 0.9), stopping], [ended_pod(2, code=143)])
    assert (found.trials[1].phase, found.phase) == (TrialPhase.STOPPED, JobPhase.COMPLETED)


@pytest.mark.parametrize(
    ("a_job", "phase"), [(job(max_failed=1), JobPhase.FAILED), (job(trials=2), JobPhase.COMPLETED)]
)
def test_the_last_phase_tells_failure_from_success(a_job: Job, phase: JobPhase) -> None:
    found = finish(a_job, [ended(1, phase=TrialPhase.FAILED), ended(2, 0.1)])
    assert found.phase is phase
    assert found.notices[0].warning is (phase is JobPhase.FAILED)


def test_a_recorded_end_stands_whatever_is_edited_afterwards() -> None:
    ending = job(
        trials=20, phase=JobPhase.STOPPING, completion_reason=CompletionReason.TARGET, message="trial job-0001 …"
    )
    found = finish(ending, [ended(1, 0.9), running(2, 0.1)], [running_pod(2)])
    assert found.completion is not None
    assert (found.completion.reason, found.completion.message) == (CompletionReason.TARGET, "trial job-0001 …")
    assert (found.phase, found.suggest) == (JobPhase.STOPPING, None)
    assert reasons(found) == [("job-0002", "TrialStopped")]


FINISHING = Criteria(running_trials=RunningTrials.FINISH)


def test_what_runs_at_the_end_may_finish_and_nothing_begins() -> None:
    trials = [ended(1, 0.9), running(2, 0.1), trial(3), trial(4, attempt_uid="pod-uid-4-1")]
    a_job = job(target=0.5, parallel=4, completion=FINISHING)
    found = finish(a_job, trials, [running_pod(2), pod(4)])
    assert [item.phase for item in found.trials[1:]] == [TrialPhase.RUNNING, TrialPhase.STOPPED, TrialPhase.STOPPING]
    assert [item.name for item in found.delete_attempts] == ["job-0004-1"]
    assert (found.phase, found.suggest, found.create_attempts) == (JobPhase.STOPPING, None, ())
    ending = job(completion=FINISHING, phase=JobPhase.STOPPING, completion_reason=CompletionReason.TARGET)
    lost = finish(ending, [ended(1, 0.9), running(2, 0.1)])
    assert (lost.trials[1].phase, lost.phase, lost.create_attempts) == (TrialPhase.STOPPED, JobPhase.COMPLETED, ())
    done = finish(ending, [ended(1, 0.9), running(2)], [ended_pod(2, history=COMPLETE)])
    assert (done.trials[1].phase, done.phase) == (TrialPhase.COMPLETED, JobPhase.COMPLETED)


@pytest.mark.parametrize(
    "spec", [{"stop": True}, {"suspend": True, "suspend_policy": SuspendPolicy.STOP}], ids=["stopped", "suspended"]
)
def test_what_may_finish_can_still_be_stopped(spec: dict[str, Any]) -> None:
    a_job = job(completion=FINISHING, phase=JobPhase.STOPPING, completion_reason=CompletionReason.TARGET, **spec)
    found = finish(a_job, [ended(1, 0.9), running(2, 0.1)], [running_pod(2)])
    assert [item.name for item in found.delete_attempts] == ["job-0002-1"]


@pytest.mark.parametrize("recorded", [None, CompletionReason.TARGET])
def test_the_users_stop_ends_everything_whatever_was_decided(recorded: CompletionReason | None) -> None:
    phase = JobPhase.STOPPING if recorded else JobPhase.SUSPENDED
    a_job = job(stop=True, suspend=True, phase=phase, completion_reason=recorded)
    found = finish(a_job, [running(1, 0.1), trial(2), trial(3, attempt_uid="pod-uid-3-1")], [running_pod(1), pod(3)])
    assert [item.phase for item in found.trials] == [TrialPhase.STOPPING, TrialPhase.STOPPED, TrialPhase.STOPPING]
    assert [item.name for item in found.delete_attempts] == ["job-0001-1", "job-0003-1"]
    assert (found.phase, found.suggest, found.create_attempts) == (JobPhase.STOPPING, None, ())
    assert reasons(found)[-1] == (None, "StoppedByUser")
    ended_job = job(stop=True, phase=JobPhase.STOPPING, completion_reason=CompletionReason.STOPPED_BY_USER)
    last = finish(ended_job, found.trials, [ended_pod(1, code=143)])
    assert (last.phase, reasons(last)) == (JobPhase.STOPPED, [])


def test_a_job_that_never_began_can_be_stopped() -> None:
    found = finish(job(stop=True, conditions=(), phase=JobPhase.PENDING, start_time=None), [])
    assert (found.phase, found.completion and found.completion.reason) == (
        JobPhase.STOPPED,
        CompletionReason.STOPPED_BY_USER,
    )


# Resuming after the end


@pytest.mark.parametrize(
    ("recorded", "suspend", "goes_on_as"),
    [
        (JobPhase.COMPLETED, False, JobPhase.RUNNING),
        (JobPhase.COMPLETED, True, JobPhase.SUSPENDED),
        (JobPhase.STOPPING, False, JobPhase.RUNNING),
    ],
)
def test_that_a_job_goes_on_is_recorded_before_anything_follows_from_it(
    recorded: JobPhase, suspend: bool, goes_on_as: JobPhase
) -> None:
    facts: dict[str, Any] = {"phase": recorded, "completion_reason": CompletionReason.MAX_TRIALS, "suspend": suspend}
    a_job = job(trials=3, observed_generation=1, generation=2, **facts)
    found = finish(a_job, [ended(1, 0.1), ended(2, 0.2)])
    assert found == Decision(goes_on_as, found.trials, notices=found.notices, wake_after=timedelta(0))
    assert reasons(found) == [(None, "Resumed")]
    assert "MaxTrialsReached" in found.notices[0].message


@pytest.mark.parametrize(
    ("phase", "metrics", "settles"),
    [
        (JobPhase.RUNNING, "False", False),
        (JobPhase.STOPPING, "True", False),
        (JobPhase.STOPPING, None, False),
        (JobPhase.STOPPING, "False", True),
    ],
)
def test_only_an_ending_job_settles_without_prometheus(phase: JobPhase, metrics: str | None, settles: bool) -> None:
    ending = job(phase=phase, completion_reason=CompletionReason.TARGET if phase is JobPhase.STOPPING else None)
    collecting = trial(1, TrialPhase.COLLECTING, attempt_uid="x", curve=curve(0.1))
    known = {"MetricsAvailable": Condition("MetricsAvailable", metrics, "x")} if metrics else {}
    found = decide(snapshot(ending, [collecting], [ended_pod(1)], conditions=known))
    assert (found.trials[0].phase is TrialPhase.COMPLETED) is settles


@pytest.mark.parametrize("phase", [JobPhase.RUNNING, JobPhase.COMPLETED])
@pytest.mark.parametrize(("seconds", "deleted"), [(9, False), (10, True)])
def test_what_runs_beside_a_training_has_time_to_end_where_its_pod_is_to_be_kept(
    phase: JobPhase, seconds: float, deleted: bool
) -> None:
    reason = CompletionReason.TARGET if phase is JobPhase.COMPLETED else None
    over = with_status(ended(1, 0.5), completion_time=ago(seconds))
    proxy = ended_pod(1, ended=False)
    found = decide(snapshot(job(phase=phase, completion_reason=reason, parallel=1), [over], [proxy]))
    assert found.delete_attempts == ((proxy,) if deleted else ())
    assert [each for each in reasons(found) if each[1] == "PodNotKept"] == ([("job-0001", "PodNotKept")] * deleted)
    if not deleted:
        assert found.wake_after == timedelta(seconds=1)


def test_what_runs_beside_a_training_ends_at_once_where_nobody_wants_the_pod() -> None:
    proxy = ended_pod(1, ended=False)
    for cleanup, over in [
        (PodCleanup.DELETE, with_status(ended(1, 0.5), completion_time=NOW)),
        (PodCleanup.KEEP, with_status(ended(1, 0.5, phase=TrialPhase.EARLY_STOPPED), completion_time=NOW)),
    ]:
        found = decide(snapshot(job(pod_cleanup=cleanup), [over], [proxy]))
        assert found.delete_attempts == (proxy,)
        assert "PodNotKept" not in str(reasons(found))


def test_that_a_trial_is_not_scraped_is_no_outage_to_settle_for() -> None:
    ending = job(phase=JobPhase.STOPPING, completion_reason=CompletionReason.TARGET)
    collecting = trial(1, TrialPhase.COLLECTING, attempt_uid="x", curve=curve(0.1))
    known = {"MetricsAvailable": Condition("MetricsAvailable", "False", "TrialNotScraped")}
    found = decide(snapshot(ending, [collecting], [ended_pod(1)], conditions=known))
    assert found.trials[0].phase is TrialPhase.COLLECTING
