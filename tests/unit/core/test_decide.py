"""What a pass begins and ends: slots, Pods, retries, early stops."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.builders import (
    ACCEPTED,
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
from tests.unit.core.deciding import COMPLETE, numbers, reasons, running, suspended
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.decision import Decision
from tuning_operator.core.model.attempt import Attempt, History, Reading
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType
from tuning_operator.core.model.job import CompletionReason, JobPhase
from tuning_operator.core.model.spec import Limits, PodCleanup
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.space import Integer, Space
from tuning_operator.core.suggest import suggest

MEDIAN = EarlyStopping(EarlyStoppingType.MEDIAN)
MESSAGE = "spec.containers[0].image: Required value"


def wanted(decision: Decision) -> tuple[int, ...]:
    return decision.suggest.numbers if decision.suggest else ()


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


@pytest.mark.parametrize(("attempts", "asked"), [(1, (2,)), (2, None)])
def test_a_trial_that_will_be_tried_again_keeps_its_place_while_its_end_is_looked_at(
    attempts: int, asked: tuple[int, ...] | None
) -> None:
    failed = trial(1, TrialPhase.RUNNING, attempt_uid="pod-uid-1-1", start_time=ago(90))
    found = decide(snapshot(job(parallel=1, attempts=attempts), [failed], [ended_pod(code=1)]))
    assert found.trials[0].phase is TrialPhase.COLLECTING
    assert (found.suggest.numbers if found.suggest else None) == asked
