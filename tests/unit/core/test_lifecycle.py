"""A trial from its first Pod to its last: start, end, disruptions, failures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.builders import NOW, ago, curve, ended_pod, pod, running_pod, trial
from tuning_operator.core.lifecycle.attempts import retry_delay
from tuning_operator.core.model.attempt import Exit, History, Reading, Waiting
from tuning_operator.core.model.curves import Curve, Measurement
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt
from tests.unit.core.advancing import COMPLETE, EARLY, THINNED, seen, step

# Waiting for a Pod, and for its start


def test_a_committed_trial_waits_for_its_pod_to_be_created() -> None:
    before = trial()
    assert step(before, None) == before.status


def test_the_uid_of_the_pod_is_recorded_when_it_is_seen() -> None:
    after = step(trial(), pod())
    assert (after.phase, after.attempt_uid, after.reason) == (TrialPhase.PENDING, "pod-uid-1-1", None)


def test_a_trial_runs_from_the_start_of_its_container() -> None:
    after = step(seen(TrialPhase.PENDING, reason="Unschedulable", message="no GPU"), running_pod())
    assert (after.phase, after.start_time) == (TrialPhase.RUNNING, ago(90))
    assert (after.reason, after.message) == (None, None)


def test_a_pending_trial_says_why_it_waits() -> None:
    waiting = Waiting("Unschedulable", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    after = step(trial(), pod(created=ago(10_000), waiting=waiting))
    assert (after.phase, after.reason) == (TrialPhase.PENDING, "Unschedulable")
    assert "nvidia.com/gpu" in (after.message or "")


@pytest.mark.parametrize(
    ("age", "image_problem", "phase"),
    [
        (899, True, TrialPhase.PENDING),
        (900, True, TrialPhase.FAILED),
        (90_000, True, TrialPhase.FAILED),
        (90_000, False, TrialPhase.PENDING),
    ],
)
def test_an_image_that_cannot_be_pulled_is_waited_for(age: float, image_problem: bool, phase: TrialPhase) -> None:
    waiting = Waiting("ImagePullBackOff", 'Back-off pulling image "nowhere/x"', image_problem)
    after = step(trial(), pod(created=ago(age), waiting=waiting))
    assert (after.phase, after.reason) == (phase, "ImagePullBackOff")
    assert "nowhere/x" in (after.message or "")
    assert after.completion_time == (NOW if phase is TrialPhase.FAILED else None)


def test_an_unchanged_trial_keeps_its_status() -> None:
    before = seen(TrialPhase.RUNNING, start_time=ago(90), curve=curve(0.1))
    assert step(before, running_pod(), Reading(curve(0.1))) == before.status


# Learning epochs


def test_a_running_trial_learns_epochs_and_forgets_none() -> None:
    before = seen(TrialPhase.RUNNING, curve=curve(0.1, 0.2))
    assert step(before, running_pod(), Reading(Curve())).curve == curve(0.1, 0.2)
    assert step(before, running_pod(), None).curve == curve(0.1, 0.2)
    assert step(before, running_pod(), Reading(curve(0.9, 0.9, 0.3))).curve == curve(0.1, 0.2, 0.3)


def test_what_is_told_of_a_pod_that_does_not_exist_yet_is_about_another_pod_of_its_name() -> None:
    """An earlier job of the same name had a Pod of the same name."""
    assert step(trial(), None, Reading(curve(0.9))).curve == Curve()


def test_epochs_are_learnt_from_prometheus_and_from_the_termination_message() -> None:
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=THINNED), Reading(Curve.of([(1, 0.1)]), after_end=True))
    assert after.phase is TrialPhase.COMPLETED
    assert after.curve == curve(0.1, 0.2)


# The end of the training


@pytest.mark.parametrize(
    ("history", "reading", "phase"),
    [
        (COMPLETE, None, TrialPhase.COMPLETED),
        (THINNED, None, TrialPhase.COLLECTING),
        (None, None, TrialPhase.COLLECTING),
        (None, Reading(curve(0.1)), TrialPhase.COLLECTING),
        (THINNED, Reading(curve(0.1)), TrialPhase.COLLECTING),
        (None, Reading(curve(0.1), after_end=True), TrialPhase.COMPLETED),
        (THINNED, Reading(Curve(), after_end=True), TrialPhase.COMPLETED),
        (None, Reading(Curve(), after_end=True), TrialPhase.FAILED),
        (History(Curve(), complete=True), None, TrialPhase.FAILED),
    ],
)
def test_a_trial_ends_once_nothing_can_follow(
    history: History | None, reading: Reading | None, phase: TrialPhase
) -> None:
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=history), reading)
    assert (after.phase, after.completion_time, after.training_seconds) == (phase, ago(10), 80)
    assert after.reason == ("NoMetrics" if phase is TrialPhase.FAILED else None)


def test_collecting_goes_on_where_it_was_and_the_bill_is_not_paid_twice() -> None:
    before = seen(TrialPhase.COLLECTING, completion_time=ago(10), training_seconds=80, curve=curve(0.1))
    assert step(before, ended_pod()) == before.status
    after = step(before, ended_pod(), Reading(curve(0.1, 0.2), after_end=True))
    assert (after.phase, after.training_seconds, after.curve) == (TrialPhase.COMPLETED, 80, curve(0.1, 0.2))


def test_collecting_survives_the_deletion_of_the_pod() -> None:
    before = seen(TrialPhase.COLLECTING, completion_time=ago(10), curve=curve(0.1))
    assert step(before, None) == before.status
    assert step(before, None, Reading(curve(0.1), after_end=True)).phase is TrialPhase.COMPLETED


@pytest.mark.parametrize(
    ("known", "phase", "reason"),
    [(curve(0.5), TrialPhase.COMPLETED, None), (Curve(), TrialPhase.FAILED, "MetricsUnknown")],
)
def test_a_job_that_ends_without_prometheus_settles_for_what_is_known(
    known: Curve, phase: TrialPhase, reason: str | None
) -> None:
    before = seen(TrialPhase.COLLECTING, completion_time=ago(10), curve=known)
    after = step(before, ended_pod(), settle=True)
    assert (after.phase, after.reason) == (phase, reason)


def test_a_trial_without_its_objective_says_which_metrics_there_were() -> None:
    history = History(
        Curve(), complete=True, metrics=dict.fromkeys(("train:loss", "validation:acc"), Measurement(1, 0.1))
    )
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=history))
    assert (after.phase, after.reason) == (TrialPhase.FAILED, "NoMetrics")
    assert "train:loss, validation:acc" in (after.message or "")


@pytest.mark.parametrize(
    "found",
    [
        ended_pod(code=1, history=COMPLETE),
        ended_pod(code=None, started=None, finished=None, exit=Exit(None, "Evicted", "it broke"), history=COMPLETE),
    ],
    ids=["exit code 1", "failed without a container's state"],
)
def test_a_failed_training_fails_its_trial_and_keeps_its_epochs(found: Attempt) -> None:
    after = step(seen(TrialPhase.RUNNING, start_time=ago(90)), found)
    assert after.phase is TrialPhase.FAILED
    assert found.exit is not None
    assert (after.reason, after.message) == (found.exit.reason, "it broke")
    assert after.curve == COMPLETE.curve
    assert after.attempt == 1


def test_a_failed_training_collects_before_it_fails() -> None:
    after = step(seen(TrialPhase.RUNNING), ended_pod(code=1))
    assert (after.phase, after.reason) == (TrialPhase.COLLECTING, "ExitCode1")
    later = step(seen(TrialPhase.COLLECTING, reason="ExitCode1"), None, Reading(curve(0.1), after_end=True))
    assert (later.phase, later.curve) == (TrialPhase.FAILED, curve(0.1))


def test_a_training_that_was_never_seen_running_still_completes() -> None:
    after = step(trial(), ended_pod(history=COMPLETE))
    assert (after.phase, after.start_time, after.attempt_uid) == (TrialPhase.COMPLETED, ago(90), "pod-uid-1-1")


# Disruptions


@pytest.mark.parametrize(
    ("code", "finished", "deleted", "disruption", "retried"),
    [
        (0, 10, None, None, False),
        (1, 10, None, None, False),
        (0, 10, 20, None, True),  # deleted before its end: a handler of SIGTERM may well exit with 0
        (143, 10, 20, None, True),
        (0, 10, 5, None, False),  # deleted after its end: cleaning up
        (1, 10, 5, None, False),
        (137, 10, 5, None, True),  # the same, by a node whose clock is slow
        (0, 10, 10, None, False),  # in the same second: a success is believed
        (1, 10, 10, None, True),  # and a failure is taken for the deletion's effect
        (143, 10, None, "PreemptionByScheduler", True),
        (0, 10, None, "PreemptionByScheduler", False),
        (0, 10, 20, "EvictionByEvictionAPI", True),
        (None, None, None, "DeletionByPodGC", True),
        (None, None, 20, None, True),
        (None, None, None, None, False),
    ],
)
def test_only_what_was_not_the_trainings_fault_is_tried_again(
    code: int | None, finished: float | None, deleted: float | None, disruption: str | None, retried: bool
) -> None:
    found = ended_pod(
        code=code,
        finished=ago(finished) if finished is not None else None,
        exit=Exit(code, "" if code == 0 else f"ExitCode{code}", "" if code == 0 else "it broke"),
        deletion_requested=ago(deleted) if deleted is not None else None,
        disruption=disruption,
        history=COMPLETE,
    )
    after = step(seen(TrialPhase.RUNNING), found)
    if retried:
        assert (after.phase, after.attempt, after.disruptions) == (TrialPhase.PENDING, 2, 1)
        assert (after.attempt_uid, after.start_time, after.attempt_time) == (None, None, NOW)
        assert after.reason == "Disrupted"
        assert (disruption or "deleted") in (after.message or "")
    else:
        assert after.phase is (TrialPhase.COMPLETED if code == 0 else TrialPhase.FAILED)
        assert (after.attempt, after.disruptions) == (1, 0)
    assert after.curve == COMPLETE.curve


def test_a_pod_that_is_being_deleted_runs_until_its_container_has_ended() -> None:
    after = step(seen(TrialPhase.RUNNING), running_pod(deletion_requested=ago(5), disruption="PreemptionByScheduler"))
    assert (after.phase, after.attempt) == (TrialPhase.RUNNING, 1)


@pytest.mark.parametrize("phase", [TrialPhase.PENDING, TrialPhase.RUNNING])
def test_a_pod_that_disappeared_is_replaced(phase: TrialPhase) -> None:
    start = ago(90) if phase is TrialPhase.RUNNING else None
    after = step(seen(phase, start_time=start, training_seconds=5), None, Reading(curve(0.1)))
    assert (after.phase, after.attempt, after.disruptions) == (TrialPhase.PENDING, 2, 1)
    assert (after.reason, after.attempt_uid) == ("PodLost", None)
    assert after.training_seconds == (95 if start else 5)
    assert after.curve == curve(0.1)


def test_training_seconds_add_up_over_attempts() -> None:
    first = step(seen(TrialPhase.RUNNING), ended_pod(code=143, disruption="PreemptionByScheduler"))
    assert first.training_seconds == 80
    between = trial(1, attempt_uid="pod-uid-1-2", attempt=2, training_seconds=80, disruptions=1)
    second = step(between, ended_pod(1, 2, started=ago(30), history=COMPLETE))
    assert (second.phase, second.training_seconds, second.disruptions) == (TrialPhase.COMPLETED, 100, 1)


def test_a_node_that_is_lost_is_paid_for_up_to_now() -> None:
    """Its container's state still says `running` then: the end was not seen."""
    found = ended_pod(finished=None, exit=Exit(None, "NodeLost", "node is gone"), disruption="DeletionByPodGC")
    assert step(seen(TrialPhase.RUNNING, start_time=ago(90)), found).training_seconds == 90


@pytest.mark.parametrize(
    ("disruptions", "seconds"), [(0, 0), (1, 0), (2, 10), (3, 20), (4, 40), (6, 160), (7, 300), (10_000, 300)]
)
def test_the_first_retry_is_at_once_and_later_ones_wait_longer(disruptions: int, seconds: float) -> None:
    assert retry_delay(disruptions).total_seconds() == seconds


# Failures


def test_a_training_that_failed_is_tried_again_while_there_are_attempts_left() -> None:
    first = step(seen(TrialPhase.RUNNING, disruptions=1), ended_pod(code=1, history=COMPLETE), max_attempts=2)
    assert (first.phase, first.attempt, first.failures, first.disruptions) == (TrialPhase.PENDING, 2, 1, 1)
    assert (first.attempt_uid, first.start_time, first.completion_time, first.attempt_time) == (None, None, None, NOW)
    assert (first.reason, first.training_seconds, first.curve) == ("AttemptFailed", 80, COMPLETE.curve)
    assert "ExitCode1: it broke" in (first.message or "")
    again = seen(TrialPhase.RUNNING, attempt=2, failures=1)
    last = step(again, ended_pod(1, 2, code=1, history=COMPLETE), max_attempts=2)
    assert (last.phase, last.attempt, last.failures, last.reason) == (TrialPhase.FAILED, 2, 2, "ExitCode1")
    assert "failed 2 times" in (last.message or "")
    assert "it broke" in (last.message or "")


def test_the_epochs_of_a_failed_attempt_are_collected_before_the_next_one() -> None:
    waiting = step(seen(TrialPhase.RUNNING), ended_pod(code=1), max_attempts=2)
    assert (waiting.phase, waiting.attempt, waiting.training_seconds) == (TrialPhase.COLLECTING, 1, 80)
    after = step(
        replace(trial(), status=waiting), ended_pod(code=1), Reading(curve(0.1), after_end=True), max_attempts=2
    )
    assert (after.phase, after.attempt, after.training_seconds) == (TrialPhase.PENDING, 2, 80)
    assert after.curve == curve(0.1)


@pytest.mark.parametrize(
    "found",
    [
        pod(waiting=Waiting("ImagePullBackOff", "not there", is_image_problem=True), created=ago(1000)),
        ended_pod(history=History(Curve(), complete=True)),
    ],
    ids=["no image", "no metrics"],
)
def test_what_would_only_fail_again_is_not_tried_again(found: Attempt) -> None:
    after = step(trial(), found, max_attempts=5)
    assert (after.phase, after.attempt, after.failures) == (TrialPhase.FAILED, 1, 0)


def test_trouble_with_a_sidecars_image_does_not_end_a_training_that_runs() -> None:
    image = Waiting("ImagePullBackOff", "not there", is_image_problem=True)
    after = step(seen(TrialPhase.RUNNING), running_pod(created=ago(10_000), waiting=image))
    assert (after.phase, after.reason) == (TrialPhase.RUNNING, None)


# Clocks


@pytest.mark.parametrize(("started", "recorded"), [(400, 100), (90, 90), (-300, 0)])
def test_the_start_is_taken_within_what_other_clocks_allow(started: float, recorded: float) -> None:
    after = step(trial(), running_pod(started=ago(started)))
    assert after.start_time == ago(recorded)
    later = replace(trial(), status=after)
    assert step(later, running_pod(started=ago(started))) == after, "and is not written again"


def test_a_nodes_clock_that_is_wrong_does_not_change_the_bill() -> None:
    found = ended_pod(started=ago(390), finished=ago(310), history=COMPLETE)
    assert step(seen(TrialPhase.RUNNING, start_time=ago(100)), found).training_seconds == 80


def test_no_training_has_ended_after_now() -> None:
    found = ended_pod(created=ago(100), started=ago(-3500), finished=ago(-3590), history=COMPLETE)
    assert step(seen(TrialPhase.RUNNING, start_time=ago(90)), found).completion_time == NOW
    stopping = seen(TrialPhase.STOPPING, start_time=ago(90), stop=EARLY)
    assert step(stopping, replace(found, exit=Exit(143, "ExitCode143"))).completion_time == NOW


# A container that never started


def test_where_nothing_began_there_is_nothing_to_collect() -> None:
    """Also while Prometheus is down."""
    never = Exit(128, "StartError", "no such file", never_started=True)
    after = step(trial(), ended_pod(started=None, exit=never))
    assert (after.phase, after.reason, after.training_seconds) == (TrialPhase.FAILED, "StartError", 0)
    began = step(trial(), ended_pod(exit=replace(never, never_started=False)))
    assert began.phase is TrialPhase.COLLECTING
