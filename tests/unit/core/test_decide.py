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
    with_status,
)
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.decision import Decision
from tuning_operator.core.model.attempt import Attempt, History, Log, Reading, Scraping, Waiting
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType
from tuning_operator.core.model.job import Completion, CompletionReason, Job, JobPhase
from tuning_operator.core.model.spec import Criteria, Limits, PodCleanup, RunningTrials, SuspendPolicy
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase
from tuning_operator.core.space import Integer, Space
from tuning_operator.core.suggest import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

MEDIAN = EarlyStopping(EarlyStoppingType.MEDIAN)
COMPLETE = History(curve(0.1, 0.2), complete=True)
MESSAGE = "spec.containers[0].image: Required value"


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


def wanted(decision: Decision) -> tuple[int, ...]:
    return decision.suggest.numbers if decision.suggest else ()


def reasons(decision: Decision) -> list[tuple[str | None, str]]:
    return [(notice.trial.name if notice.trial else None, notice.reason) for notice in decision.notices]


# Slots and suggestions


@pytest.mark.parametrize(
    ("pods", "parallel", "asked"),
    [
        ([], 2, (3, 4)),
        ([running_pod(1)], 2, (3,)),
        ([running_pod(1), running_pod(2)], 2, ()),
        ([running_pod(1), running_pod(2)], 1, ()),
        ([running_pod(1), running_pod(2)], 3, (3,)),
        ([running_pod(1, deletion_requested=ago(5))], 2, (3,)),  # a Pod that is being deleted holds its GPU
        ([ended_pod(1, ended=False)], 2, (3,)),  # as does one with a sidecar that keeps running
        ([ended_pod(1)], 2, (3, 4)),
    ],
)
def test_slots_are_free_when_no_pod_holds_them(pods: list[Attempt], parallel: int, asked: tuple[int, ...]) -> None:
    found = decide(snapshot(job(parallel=parallel), [ended(1, 0.1), ended(2, 0.1)], pods))
    assert wanted(found) == asked


@pytest.mark.parametrize(
    ("limit", "known", "asked"),
    [(10, 0, (1, 2)), (10, 9, (10,)), (10, 10, ()), (5, 7, ()), (1, 0, (1,))],
)
def test_no_more_trials_than_the_limit(limit: int, known: int, asked: tuple[int, ...]) -> None:
    trials = [ended(number, 0.1) for number in range(1, known + 1)]
    assert wanted(decide(snapshot(job(trials=limit), trials))) == asked


def test_a_small_space_bounds_the_trials() -> None:
    space = Space((Integer("layers", 1, 3),))
    trials = [replace(ended(number, 0.1), parameters={"layers": number}) for number in (1, 2)]
    assert wanted(decide(snapshot(job(space=space), trials))) == (3,)


def test_numbers_go_on_after_the_highest_even_if_a_trial_was_deleted() -> None:
    assert wanted(decide(snapshot(job(), [ended(1, 0.1), ended(4, 0.1)]))) == (5, 6)


def test_the_suggester_is_told_what_ended_and_what_is_pending() -> None:
    trials = [ended(1, 0.3), ended(2, phase=TrialPhase.FAILED), running(3, 0.5), ended(4, 0.1, float("nan"))]
    request = decide(snapshot(job(parallel=4), trials, [running_pod(3)])).suggest
    assert request is not None
    observed = {item.parameters["lr"]: item.objective for item in request.observations}
    assert (observed[0.0001], observed[0.0002]) == (0.3, None)
    assert observed[0.0004] != observed[0.0004]
    assert [dict(item) for item in request.pending] == [{"lr": 0.0003}]
    assert request.seed == 7
    assert len(suggest(request)) == 3


def test_the_seed_of_a_job_without_one_follows_from_its_uid() -> None:
    first, again = decide(snapshot(job(seed=None))).suggest, decide(snapshot(job(seed=None))).suggest
    assert first is not None
    assert first == again
    recreated = decide(snapshot(replace(job(seed=None), uid="another-uid"))).suggest
    assert recreated is not None
    assert recreated.seed != first.seed
    assert 0 <= first.seed < 2**31


# Creating Pods


def test_the_intent_comes_first_and_its_pod_in_the_order_of_the_intents() -> None:
    found = decide(snapshot(job(parallel=2), [trial(1), trial(2), trial(3)]))
    assert numbers(found.create_attempts) == [1, 2]
    assert found.suggest is None


def test_committed_trials_without_a_pod_take_slots_before_new_ones() -> None:
    found = decide(snapshot(job(parallel=3), [running(1), trial(2)], [running_pod(1)]))
    assert numbers(found.create_attempts) == [2]
    assert wanted(found) == (3,)


@pytest.mark.parametrize(
    "item",
    [
        trial(1, deleting=True),
        trial(1, attempt_uid="pod-uid-1-1"),  # its Pod was there: lost, not missing
        trial(1, TrialPhase.COLLECTING),
        ended(1, 0.1),
    ],
)
def test_nothing_but_a_committed_trial_gets_a_pod(item: Trial) -> None:
    found = decide(snapshot(job(parallel=1), [item]))
    assert [made for made in found.create_attempts if made.status.attempt == 1] == []


def test_a_pod_that_exists_is_not_created_again() -> None:
    found = decide(snapshot(job(), [trial(1)], [pod(1)]))
    assert found.create_attempts == ()
    assert found.changed[0].status.attempt_uid == "pod-uid-1-1"


def test_a_lowered_limit_stops_nothing_and_starts_nothing() -> None:
    trials = [running(1, 0.1), running(2, 0.1), trial(3)]
    found = decide(snapshot(job(parallel=1), trials, [running_pod(1), running_pod(2)]))
    assert (found.create_attempts, found.delete_attempts, found.suggest) == ((), (), None)
    assert found.phase is JobPhase.RUNNING


def test_a_suspended_job_lets_trials_run_and_starts_none() -> None:
    found = decide(snapshot(job(suspend=True), [running(1, 0.1), trial(2)], [running_pod(1)]))
    assert (found.create_attempts, found.delete_attempts, found.suggest) == ((), (), None)
    assert found.phase is JobPhase.SUSPENDED
    assert [item.phase for item in found.trials] == [TrialPhase.RUNNING, TrialPhase.PENDING]


def test_a_suspended_job_still_completes() -> None:
    found = decide(snapshot(job(suspend=True, trials=1), [running(1)], [ended_pod(1, history=COMPLETE)]))
    assert found.phase is JobPhase.COMPLETED


def suspended(trials: Iterable[Trial], pods: Iterable[Attempt]) -> Decision:
    return decide(snapshot(job(suspend=True, suspend_policy=SuspendPolicy.STOP, parallel=4), trials, pods))


def test_a_suspension_that_stops_keeps_what_was_trained_and_what_was_not_begun() -> None:
    trials = [
        running(1, 0.1),
        trial(2, attempt_uid="pod-uid-2-1"),
        trial(3),
        trial(4, TrialPhase.COLLECTING, attempt_uid="x"),
    ]
    found = suspended(trials, [running_pod(1), pod(2), ended_pod(4)])
    assert found.phase is JobPhase.SUSPENDED
    assert [item.phase for item in found.trials] == [
        TrialPhase.STOPPING,
        TrialPhase.PENDING,
        TrialPhase.PENDING,
        TrialPhase.COLLECTING,
    ]
    assert [item.status.attempt for item in found.trials] == [1, 2, 1, 1]
    assert [item.status.reason for item in found.changed] == ["JobSuspended", "JobSuspended"]
    assert [item.name for item in found.delete_attempts] == ["job-0001-1", "job-0002-1"]
    assert (found.create_attempts, found.suggest) == ((), None)
    assert reasons(found) == [("job-0001", "TrialStopped"), ("job-0002", "Disrupted")]
    stopped = suspended(found.trials, [ended_pod(1, code=143), ended_pod(4)])
    assert (stopped.trials[0].phase, stopped.trials[0].objective) == (TrialPhase.STOPPED, 0.1)
    resumed = decide(snapshot(job(parallel=4), stopped.trials, [ended_pod(4)]))
    assert [item.attempt_name for item in resumed.create_attempts] == ["job-0002-2", "job-0003-1"]
    assert wanted(resumed) == (5, 6)


# Retries


def test_the_first_retry_follows_in_the_same_pass() -> None:
    found = decide(snapshot(job(parallel=1), [running(1, 0.1)]))
    assert numbers(found.create_attempts) == [1]
    assert found.create_attempts[0].attempt_name == "job-0001-2"
    assert found.changed == found.create_attempts
    assert reasons(found) == [("job-0001", "Disrupted")]


def test_a_retry_waits_for_the_slot_that_its_own_dying_pod_holds() -> None:
    dying = running_pod(1, deletion_requested=ago(5))
    between = trial(1, attempt=2, attempt_time=ago(5), disruptions=1)
    assert decide(snapshot(job(parallel=1), [between], [dying])).create_attempts == ()
    assert numbers(decide(snapshot(job(parallel=2), [between], [dying])).create_attempts) == [1]


@pytest.mark.parametrize(
    ("since", "due", "wake"),
    [(0, False, 15), (5, False, 10), (16, False, 4), (19, False, 1), (20, True, None), (100, True, None)],
)
def test_later_retries_wait_and_keep_their_slot(since: float, due: bool, wake: float | None) -> None:
    waiting = trial(1, attempt=4, attempt_time=ago(since), disruptions=3)
    found = decide(snapshot(job(parallel=1), [waiting]))
    assert numbers(found.create_attempts) == ([1] if due else [])
    assert found.suggest is None
    assert found.wake_after == (timedelta(seconds=wake) if wake is not None else None)


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


# Deleting Pods


@pytest.mark.parametrize(
    ("item", "found", "deleted"),
    [
        (ended(1, 0.1), ended_pod(1), False),
        (ended(1, 0.1), ended_pod(1, ended=False), True),  # a lingering sidecar
        (ended(1, 0.1), ended_pod(1, ended=False, deletion_requested=ago(1)), False),
        (ended(1, 0.1, phase=TrialPhase.EARLY_STOPPED), running_pod(1), True),
        (trial(1, TrialPhase.FAILED), pod(1), True),
        (trial(1, attempt=2), running_pod(1, 1), True),  # of an attempt that was replaced
        (trial(1, attempt=2, attempt_uid="pod-uid-1-2"), pod(1, 2), False),
        (running(1, 0.1), running_pod(1), False),
        (trial(1, TrialPhase.COLLECTING), ended_pod(1, ended=False), False),
    ],
)
def test_pods_that_hold_resources_for_nothing_are_deleted(item: Trial, found: Attempt, deleted: bool) -> None:
    assert decide(snapshot(job(), [item], [found])).delete_attempts == ((found,) if deleted else ())


def test_a_finished_job_only_cleans_up() -> None:
    done = job(phase=JobPhase.COMPLETED, completion_reason=CompletionReason.MAX_TRIALS, target=0.01)
    trials = [ended(1, 0.1), running(2, 0.1)]
    lingering = ended_pod(1, ended=False)
    found = decide(snapshot(done, trials, [lingering, running_pod(2)], {"job-0002-1": Reading(curve(0.1, 0.2))}))
    assert found == Decision(JobPhase.COMPLETED, tuple(trials), delete_attempts=(lingering,), notices=found.notices)
    assert reasons(found) == [("job-0001", "PodNotKept")]


@pytest.mark.parametrize("phase", [JobPhase.RUNNING, JobPhase.COMPLETED])
def test_pods_that_have_ended_are_deleted_if_the_job_asks_for_it(phase: JobPhase) -> None:
    trials = [ended(1, 0.1), trial(2, TrialPhase.FAILED), trial(3, attempt=2), trial(4, TrialPhase.COLLECTING)]
    pods = [ended_pod(1), ended_pod(2, code=1), ended_pod(3, 1, code=137), ended_pod(4)]
    reason = CompletionReason.MAX_TRIALS if phase.is_final else None
    for cleanup, deleted in [(PodCleanup.KEEP, []), (PodCleanup.DELETE, [1, 2, 3])]:
        a_job = job(pod_cleanup=cleanup, phase=phase, completion_reason=reason)
        found = decide(snapshot(a_job, trials, pods))
        assert [item.name for item in found.delete_attempts] == [f"job-{number:04d}-1" for number in deleted]
    just_ended = decide(snapshot(job(pod_cleanup=PodCleanup.DELETE), [running(1)], [ended_pod(1, history=COMPLETE)]))
    assert numbers(just_ended.changed) == [1]
    assert [item.name for item in just_ended.delete_attempts] == ["job-0001-1"]


@pytest.mark.parametrize(
    ("seconds", "deleted", "wake"), [(None, False, None), (99, True, None), (100, True, None), (160, False, 60)]
)
def test_an_ended_job_is_deleted_when_its_time_is_over(seconds: int | None, deleted: bool, wake: int | None) -> None:
    ttl_after_finished = None if seconds is None else timedelta(seconds=seconds)
    over: dict[str, Any] = {"completion_reason": CompletionReason.MAX_TRIALS, "completion_time": ago(100)}
    done = job(phase=JobPhase.COMPLETED, ttl_after_finished=ttl_after_finished, trials=1, **over)
    found = decide(snapshot(done, [ended(1, 0.1)]))
    assert found.delete_job is deleted
    if not deleted:
        assert found.wake_after == (None if wake is None else timedelta(seconds=wake))
    resumed = replace(done, generation=2, spec=replace(done.spec, limits=Limits(2)))
    assert not decide(snapshot(resumed, [ended(1, 0.1)])).delete_job
    assert not decide(snapshot(replace(done, phase=JobPhase.RUNNING, completion_time=None))).delete_job


# Early stopping

COMPLETED = [ended(number, *[0.5] * 10) for number in (1, 2, 3)]


def test_an_early_stop_is_recorded_before_its_pod_is_deleted() -> None:
    trials = [*COMPLETED, running(4, 0.1, 0.1)]
    found = decide(snapshot(job(early_stopping=MEDIAN), trials, [running_pod(4)]))
    (stopped,) = found.changed
    assert stopped.phase is TrialPhase.STOPPING
    assert stopped.status.stop is not None
    assert (stopped.status.reason, stopped.status.stop.epoch) == ("BelowMedian", 2)
    assert [item.name for item in found.delete_attempts] == ["job-0004-1"]
    assert reasons(found) == [("job-0004", "TrialEarlyStopped")]
    again = decide(snapshot(job(early_stopping=MEDIAN), [*COMPLETED, stopped], [running_pod(4)]))
    assert (again.changed, again.notices) == ((), ())
    assert [item.name for item in again.delete_attempts] == ["job-0004-1"]


def test_a_stop_waits_for_the_epochs_that_prove_it() -> None:
    trials = [*COMPLETED, running(4)]
    for reading, stops in [
        (None, False),
        (Reading(Curve()), False),
        (Reading(Curve.of([(2, 0.1), (3, 0.1)])), False),  # behind a gap
        (Reading(curve(0.1, 0.1)), True),
    ]:
        readings = {"job-0004-1": reading} if reading else {}
        found = decide(snapshot(job(early_stopping=MEDIAN), trials, [running_pod(4)], readings))
        assert (found.trials[3].phase is TrialPhase.STOPPING) is stops


def test_a_trial_that_is_about_to_end_by_itself_is_not_stopped() -> None:
    longest = len(COMPLETED[0].curve)
    for epochs, stops in [(longest - 1, True), (longest, False), (longest + 1, False)]:
        trials = [*COMPLETED, running(4, *[0.1] * epochs)]
        found = decide(snapshot(job(early_stopping=MEDIAN), trials, [running_pod(4)]))
        assert (found.trials[3].phase is TrialPhase.STOPPING) is stops


def test_a_training_that_has_ended_is_not_stopped_any_more() -> None:
    found = decide(
        snapshot(
            job(early_stopping=MEDIAN),
            [*COMPLETED, running(4)],
            [ended_pod(4, history=History(curve(0.1, 0.1, 0.1), complete=True))],
        )
    )
    assert found.trials[3].phase is TrialPhase.COMPLETED


# The template


@pytest.mark.parametrize("condition", [None, Condition("TemplateValid", "Unknown", "Unavailable", "no answer")])
def test_nothing_happens_before_the_template_is_accepted(condition: Condition | None) -> None:
    waiting = job(conditions=(), phase=JobPhase.PENDING, start_time=None)
    found = decide(snapshot(waiting, conditions={"TemplateValid": condition} if condition else {}))
    assert found == Decision(JobPhase.PENDING, (), wake_after=timedelta(seconds=30))


def test_a_refused_template_ends_the_job_with_the_servers_words() -> None:
    refused = Condition("TemplateValid", "False", "Refused", MESSAGE)
    found = decide(snapshot(job(conditions=()), conditions={"TemplateValid": refused}))
    assert found.phase is JobPhase.FAILED
    assert found.completion is not None
    assert found.completion.reason is CompletionReason.INVALID_TEMPLATE
    assert MESSAGE in found.completion.message
    assert reasons(found) == [(None, "InvalidTemplate")]
    assert found.notices[0].warning


def test_what_was_just_found_out_counts_more_than_what_is_recorded() -> None:
    refused = Condition("TemplateValid", "False", "Refused", MESSAGE)
    assert wanted(decide(snapshot(job(conditions=(refused,)), conditions={"TemplateValid": ACCEPTED}))) == (1, 2)


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


def test_a_trial_that_was_stopped_after_its_last_epoch_is_completed_and_users_hear_of_it() -> None:
    stop = StopDecision("BelowMedian", "0.1 is below 0.2", epoch=1, value=0.1, threshold=0.2)
    stopping = trial(2, TrialPhase.STOPPING, attempt_uid="pod-uid-2-1", stop=stop, start_time=ago(90))
    waited = ended_pod(2, deletion_requested=ago(20), history=History(curve(0.1, 0.2), complete=True))
    found = decide(snapshot(job(), [ended(1, 0.3, 0.4), stopping], [waited]))
    assert (found.trials[1].phase, found.trials[1].status.stop) == (TrialPhase.COMPLETED, None)
    assert reasons(found) == [("job-0002", "TrialCompleted"), ("job-0002", "StopDropped")]
    longer = decide(snapshot(job(), [ended(1, 0.3, 0.4, 0.5), stopping], [waited]))
    assert longer.trials[1].phase is TrialPhase.EARLY_STOPPED


def test_users_hear_once_that_a_trial_is_not_scraped_and_that_a_log_was_not_all_used() -> None:
    unseen = {"job-0001-1": Reading(Curve(), scraping=Scraping.NO_TARGET)}
    first = decide(snapshot(job(parallel=1), [running(1)], [running_pod(1)], unseen))
    assert reasons(first) == [("job-0001", "TrialNotScraped")]
    assert decide(snapshot(job(parallel=1), first.trials, [running_pod(1)], unseen)).notices == ()
    log = Log(9, 7, 2, "2 lines of 9 could not be used", "acc=high")
    done = ended_pod(1, history=History(curve(0.1), complete=True, log=log))
    after = decide(snapshot(job(parallel=1, trials=2), [running(1)], [done]))
    assert ("job-0001", "LogPartlyUsed") in reasons(after)
    assert "acc=high" in next(notice.message for notice in after.notices if notice.reason == "LogPartlyUsed")


# What is written, what is reported, and when to look again


@pytest.mark.parametrize(
    ("known", "new", "written"),
    [(0, 0, False), (0, 1, True), (49, 1, True), (99, 1, True), (200, 3, False), (200, 4, True)],
)
def test_a_growing_curve_is_written_in_steps_of_two_percent(known: int, new: int, written: bool) -> None:
    values = [0.1] * (known + new)
    before = running(1, *values[:known])
    found = decide(snapshot(job(), [before], [running_pod(1)], {"job-0001-1": Reading(curve(*values))}))
    assert (bool(found.grown), found.changed) == (written, ())
    assert found.trials[0].curve == curve(*values)


def test_the_end_writes_every_epoch() -> None:
    history = History(curve(*[0.1] * 201), complete=True)
    found = decide(snapshot(job(), [running(1, *[0.1] * 200)], [ended_pod(1, history=history)]))
    assert len(found.changed[0].curve) == 201


def test_an_unchanged_cluster_changes_nothing() -> None:
    trials = [ended(1, 0.1, float("nan")), running(2, 0.1, float("nan"))]
    pods = [ended_pod(1), running_pod(2)]
    found = decide(snapshot(job(parallel=1), trials, pods, {"job-0002-1": Reading(curve(0.1, float("nan")))}))
    assert found == Decision(JobPhase.RUNNING, tuple(trials))


@pytest.mark.parametrize(
    ("before", "found", "expected"),
    [
        (trial(1), running_pod(1), None),  # its Pod has the kubelet's own Event
        (running(1), ended_pod(1, history=COMPLETE), ("TrialCompleted", False)),
        (running(1), ended_pod(1, code=1, history=COMPLETE), ("TrialFailed", True)),
        (running(1), ended_pod(1, code=137, disruption="PreemptionByScheduler"), ("Disrupted", True)),
        (running(2), ended_pod(2, code=1, history=COMPLETE), ("AttemptFailed", True)),
        (running(1), ended_pod(1), None),  # collecting is no news
        (trial(1), pod(1), None),
    ],
)
def test_each_change_is_told_once(before: Trial, found: Attempt, expected: tuple[str, bool] | None) -> None:
    a_job = job(parallel=1, attempts=2 if before.number == 2 else 1)
    first = decide(snapshot(a_job, [before], [found]))
    assert [(notice.reason, notice.warning) for notice in first.notices] == ([expected] if expected else [])
    assert all(notice.message for notice in first.notices)
    again = decide(snapshot(a_job, first.trials, [found]))
    assert again.notices == ()


def test_a_completed_trial_is_told_with_its_numbers() -> None:
    (notice,) = decide(snapshot(job(), [running(1)], [ended_pod(1, history=COMPLETE)])).notices
    assert notice.message == "objective 0.2 after 2 epochs, 80 s"


def test_a_measurement_that_changed_is_told() -> None:
    readings = {"job-0001-1": Reading(curve(0.1, 0.9))}
    found = decide(snapshot(job(), [running(1, 0.1, 0.2)], [running_pod(1)], readings))
    assert reasons(found) == [("job-0001", "MeasurementChanged")]
    assert "epoch 2" in found.notices[0].message
    assert found.trials[0].curve == curve(0.1, 0.2)


def test_look_again_at_the_next_moment_that_changes_anything() -> None:
    image = Waiting("ImagePullBackOff", "", is_image_problem=True)
    a_job = job(duration=timedelta(seconds=1500), parallel=3)
    waiting = trial(1, attempt_uid="pod-uid-1-1")
    assert decide(snapshot(a_job, [waiting], [pod(1)])).wake_after == timedelta(seconds=500)
    rested = replace(a_job, idle=timedelta(seconds=50))
    assert decide(snapshot(rested, [waiting], [pod(1)])).wake_after == timedelta(seconds=550)
    pulling = [pod(1, waiting=image, created=ago(800))]
    assert decide(snapshot(a_job, [waiting], pulling)).wake_after == timedelta(seconds=100)
    queued = [replace(pulling[0], created=ago(9000), due=ago(800))]
    assert decide(snapshot(a_job, [waiting], queued)).wake_after == timedelta(seconds=100)
    retrying = trial(2, attempt=3, attempt_time=ago(4), disruptions=2)
    assert decide(snapshot(a_job, [waiting, retrying], pulling)).wake_after == timedelta(seconds=6)
    silent = job(duration=timedelta(seconds=1500), start_deadline=timedelta(seconds=120))
    since = ago(200)
    found = [running_pod(1, started=ago(90))]
    assert decide(snapshot(silent, [waiting], found, metrics_since=since)).wake_after == timedelta(seconds=35)
    overdue = [running_pod(1, created=ago(130), started=ago(125))]  # by an answer that was asked for before
    assert decide(snapshot(silent, [waiting], overdue, metrics_since=since)).wake_after == timedelta(seconds=5)
    assert decide(snapshot(silent, [waiting], found)).wake_after == timedelta(seconds=500)


def test_the_moment_that_was_waited_for_is_the_moment_of_the_change() -> None:
    """A wake-up call that comes at the very moment must not find that it is a moment too early."""
    image = Waiting("ImagePullBackOff", "", is_image_problem=True)
    found = decide(snapshot(job(), [trial(1, attempt_uid="x")], [pod(1, waiting=image, created=ago(900))]))
    assert found.trials[0].phase is TrialPhase.FAILED
    queued = pod(1, waiting=image, created=ago(9000), due=ago(899))
    assert decide(snapshot(job(), [trial(1, attempt_uid="x")], [queued])).trials[0].phase is TrialPhase.PENDING
    assert decide(snapshot(job(duration=timedelta(seconds=1000)))).completion is not None


@pytest.mark.parametrize(("attempts", "asked"), [(1, (2,)), (2, None)])
def test_a_trial_that_will_be_tried_again_keeps_its_place_while_its_end_is_looked_at(
    attempts: int, asked: tuple[int, ...] | None
) -> None:
    failed = trial(1, TrialPhase.RUNNING, attempt_uid="pod-uid-1-1", start_time=ago(90))
    found = decide(snapshot(job(parallel=1, attempts=attempts), [failed], [ended_pod(code=1)]))
    assert found.trials[0].phase is TrialPhase.COLLECTING
    assert (found.suggest.numbers if found.suggest else None) == asked


def test_whether_a_slot_has_become_free_is_looked_at_again_soon() -> None:
    """A list of Pods may lag behind: the event that tells of a Pod's end may have come before."""
    trials = [ended(1, 0.5), trial(2)]
    found = decide(snapshot(job(parallel=1), trials, [running_pod(1)]))
    assert (found.create_attempts, found.wake_after) == ((), timedelta(seconds=5))


def test_a_trial_of_which_nothing_is_learned_stays_the_same_object() -> None:
    waiting = pod(2, waiting=Waiting("Unschedulable", "0/1 nodes are available"))
    seen = [trial(1), trial(2), trial(3)], [running_pod(1), waiting, running_pod(3)]
    first = decide(snapshot(job(parallel=3), *seen, {"job-0001-1": Reading(curve(0.1))}))
    assert [item.name for item in first.changed] == ["job-0001", "job-0002", "job-0003"]
    known = snapshot(job(parallel=3), first.trials, seen[1], {"job-0001-1": Reading(curve(0.1))})
    again = decide(known)
    assert all(after is before for after, before in zip(again.trials, known.trials, strict=True))
    assert (again.changed, again.grown) == ((), ())
    grown = decide(replace(known, readings={"job-0001-1": Reading(curve(0.1, 0.2))}))
    assert ([item.name for item in grown.grown], grown.changed) == (["job-0001"], ())
