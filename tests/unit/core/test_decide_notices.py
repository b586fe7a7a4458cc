"""What a pass writes and reports, and when it looks again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.builders import (
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
from tests.unit.core.deciding import COMPLETE, reasons, running
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.decision import Decision
from tuning_operator.core.model.attempt import Attempt, History, Log, Reading, Scraping, Waiting
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.job import JobPhase
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase


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
