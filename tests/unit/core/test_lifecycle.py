from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import NOW, ago, curve, ended_pod, pod, running_pod, trial
from tuning_operator.core.lifecycle.advance import advance
from tuning_operator.core.lifecycle.attempts import retry_delay
from tuning_operator.core.lifecycle.facts import TrialFacts
from tuning_operator.core.model.attempt import Exit, History, Log, Reading, Scraping, Waiting
from tuning_operator.core.model.curves import Curve, Measurement
from tuning_operator.core.model.sources import Gauges, LogFile, Selector
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.trial import TrialStatus

GRACE = timedelta(minutes=15)
EARLY = StopDecision("BelowMedian", "0.1 is below 0.2", epoch=3, value=0.1, threshold=0.2)
FOR_THE_JOB = StopDecision("TargetReached", "the job ends")
LAST = {"loss": Measurement(2, 0.7), "validation:accuracy": Measurement(2, 0.2)}
COMPLETE = History(curve(0.1, 0.2), complete=True, metrics=LAST)
THINNED = History(Curve.of([(2, 0.2)]), complete=False, metrics=LAST)


def step(before: Trial, found: Attempt | None, reading: Reading | None = None, **facts: Any) -> TrialStatus:
    return advance(before, TrialFacts(found, reading, NOW, GRACE, **facts))


def seen(phase: TrialPhase, **status: Any) -> Trial:
    """A trial whose first Pod is recorded."""
    return trial(1, phase, **({"attempt_uid": "pod-uid-1-1"} | status))


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


# Silence

DEADLINE: dict[str, Any] = {"start_deadline": timedelta(seconds=60), "metrics_since": ago(1000)}
NOTHING = Reading(Curve(), asked=NOW)


@pytest.mark.parametrize(
    ("found", "reading", "facts", "fails"),
    [
        (running_pod(), NOTHING, {}, True),
        (running_pod(started=ago(60)), NOTHING, {}, True),
        (running_pod(started=ago(59)), NOTHING, {}, False),
        (running_pod(), NOTHING, {"start_deadline": None}, False),
        (running_pod(), None, {}, False),  # nothing is known of it yet
        (running_pod(), Reading(Curve(), asked=ago(30)), {}, True),
        (running_pod(), Reading(Curve(), asked=ago(31)), {}, False),  # before the deadline
        (running_pod(), Reading(curve(0.1), asked=NOW), {}, False),
        (running_pod(), NOTHING, {"metrics_since": None}, False),  # nor when Prometheus does not answer
        (running_pod(), NOTHING, {"metrics_since": ago(59)}, False),  # or did not for a while
        (running_pod(started=ago(9999), created=ago(59)), NOTHING, {}, False),  # a node's clock is slow
        (running_pod(deletion_requested=ago(1)), NOTHING, {}, False),
        (pod(), NOTHING, {}, False),
    ],
)
def test_a_training_that_reports_nothing_fails_at_its_deadline(
    found: Attempt, reading: Reading | None, facts: dict[str, Any], fails: bool
) -> None:
    after = step(seen(TrialPhase.PENDING), found, reading, **(DEADLINE | facts))
    assert (after.reason == "NoMetricsReported") is fails
    assert (after.phase is TrialPhase.FAILED) is fails
    if fails:
        assert (after.completion_time, after.failures) == (NOW, 1)
        assert after.training_seconds == (90 if found.started == ago(90) else 60)
        assert "spec.metrics.startDeadline" in (after.message or "")


def test_a_silent_attempt_is_replaced_and_what_was_reported_once_is_no_silence() -> None:
    after = step(seen(TrialPhase.RUNNING, start_time=ago(90)), running_pod(), NOTHING, max_attempts=2, **DEADLINE)
    assert (after.phase, after.attempt, after.reason) == (TrialPhase.PENDING, 2, "AttemptFailed")
    reported = seen(TrialPhase.RUNNING, start_time=ago(90), curve=curve(0.1))
    assert step(reported, running_pod(), NOTHING, **DEADLINE).phase is TrialPhase.RUNNING


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


# What Prometheus does not see


@pytest.mark.parametrize(
    ("reading", "recorded", "reason"),
    [
        (Reading(Curve(), scraping=Scraping.NO_TARGET), None, "TrialNotScraped"),
        (Reading(Curve(), scraping=Scraping.FAILS), None, "ScrapesFail"),
        (Reading(Curve(), scraping=Scraping.FAILS), "TrialNotScraped", "ScrapesFail"),
        (Reading(Curve(), scraping=Scraping.WORKS), "TrialNotScraped", None),
        (Reading(curve(0.1)), "TrialNotScraped", None),
        (Reading(Curve()), "TrialNotScraped", "TrialNotScraped"),  # not asked long enough since a restart
        (None, "TrialNotScraped", "TrialNotScraped"),
        (Reading(Curve()), "ImagePullBackOff", None),
        (None, None, None),
    ],
)
def test_a_running_trial_says_that_prometheus_does_not_see_it(
    reading: Reading | None, recorded: str | None, reason: str | None
) -> None:
    before = seen(TrialPhase.RUNNING, start_time=ago(90), reason=recorded, message="as before" if recorded else None)
    after = step(before, running_pod(), reading)
    assert (after.phase, after.reason, after.message is None) == (TrialPhase.RUNNING, reason, reason is None)
    if reading and reading.scraping is Scraping.NO_TARGET:
        assert "PodMonitor" in (after.message or "")
        assert "prometheus.io/scrape" in (after.message or "")


# What a log says


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (Log(0, 0, problem="no file /logs/out came"), "its log has no objective: no file /logs/out came"),
        (Log(7, 0, problem="no acc in 7 lines", sample="step 1"), "no acc in 7 lines; the first such line: step 1"),
        (Log(7, 2, 3), "3 values or epochs in its 7 lines could not be used"),
        (Log(7, 2), "2 of its 7 lines had a metric"),
        (Log(0, 0), "it is empty"),
    ],
)
def test_a_trial_without_its_objective_says_what_became_of_its_log(log: Log, words: str) -> None:
    history = History(Curve(), complete=True, log=log)
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=history), source=LogFile("/logs/out"))
    assert (after.phase, after.reason) == (TrialPhase.FAILED, "NoMetrics")
    assert words in (after.message or "")
    assert "termination message" not in (after.message or "")


def test_a_trial_whose_sidecar_left_nothing_says_where_to_look() -> None:
    after = step(seen(TrialPhase.RUNNING), ended_pod(), Reading(Curve(), after_end=True), source=LogFile("/logs/out"))
    assert "kubectl logs -c tuning-metrics" in (after.message or "")


def test_what_could_not_be_used_of_a_log_is_told_beside_a_success() -> None:
    history = replace(COMPLETE, log=Log(9, 7, 2, "2 lines of 9 could not be used: no number", "acc=high"))
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=history), source=LogFile("/logs/out"))
    assert (after.phase, after.reason) == (TrialPhase.COMPLETED, None)
    assert after.message == "2 lines of 9 could not be used: no number; the first such line: acc=high"
    whole = replace(COMPLETE, log=Log(9, 9))
    assert step(seen(TrialPhase.RUNNING), ended_pod(history=whole)).message is None


@pytest.mark.parametrize(
    ("scraping", "words"),
    [
        (Scraping.NO_TARGET, "Prometheus answers, but it does not scrape this Pod"),
        (Scraping.WORKS, "check that they have these names and labels"),
    ],
)
def test_a_trial_with_gauges_does_not_blame_the_termination_message(scraping: Scraping, words: str) -> None:
    source = Gauges(Selector("accuracy"), Selector("epochs_finished"))
    nothing = Reading(Curve(), after_end=True, scraping=scraping)
    after = step(seen(TrialPhase.RUNNING), ended_pod(), nothing, source=source)
    assert (after.phase, after.reason) == (TrialPhase.FAILED, "NoMetrics")
    assert "gauges accuracy and epochs_finished" in (after.message or "")
    assert words in (after.message or "")
    assert "termination message" not in (after.message or "")


# A container that never started


def test_where_nothing_began_there_is_nothing_to_collect() -> None:
    """Also while Prometheus is down."""
    never = Exit(128, "StartError", "no such file", never_started=True)
    after = step(trial(), ended_pod(started=None, exit=never))
    assert (after.phase, after.reason, after.training_seconds) == (TrialPhase.FAILED, "StartError", 0)
    began = step(trial(), ended_pod(exit=replace(never, never_started=False)))
    assert began.phase is TrialPhase.COLLECTING


# Stopping


@pytest.mark.parametrize(("stop", "phase"), [(EARLY, TrialPhase.EARLY_STOPPED), (FOR_THE_JOB, TrialPhase.STOPPED)])
@pytest.mark.parametrize(
    ("found", "done", "at", "ran"),
    [
        (running_pod(), False, None, 0),
        (running_pod(deletion_requested=ago(5)), False, None, 0),
        (ended_pod(ended=False), False, None, 0),  # a sidecar still runs
        (ended_pod(code=143, deletion_requested=ago(20)), True, ago(10), 80),
        (ended_pod(code=1), True, ago(10), 80),
        (
            ended_pod(deletion_requested=ago(10), history=COMPLETE),
            True,
            ago(10),
            80,
        ),  # the signal was no failure for it
        (ended_pod(deletion_requested=ago(20), history=COMPLETE), True, ago(10), 80),
        (ended_pod(code=None, finished=None), True, NOW, 90),
        (None, True, NOW, 90),
    ],
)
def test_a_stop_is_done_once_the_pod_holds_nothing(
    stop: StopDecision, phase: TrialPhase, found: Attempt | None, done: bool, at: object, ran: int
) -> None:
    before = seen(TrialPhase.STOPPING, start_time=ago(90), stop=stop, reason=stop.reason, training_seconds=7)
    after = step(before, found)
    assert after.phase is (phase if done else TrialPhase.STOPPING)
    assert (after.completion_time, after.training_seconds) == (at, 7 + ran)
    assert (after.stop, after.reason) == (stop, stop.reason)
    assert (after.attempt, after.disruptions) == (1, 0)


@pytest.mark.parametrize("stop", [EARLY, FOR_THE_JOB])
@pytest.mark.parametrize(
    ("found", "longest"),
    [
        (ended_pod(history=COMPLETE), None),
        (ended_pod(history=COMPLETE, deletion_requested=ago(9)), None),
        (ended_pod(history=COMPLETE, deletion_requested=ago(20)), 2),  # it waited for its last scrape
    ],
)
def test_a_training_that_was_over_is_completed_whatever_was_decided(
    stop: StopDecision, found: Attempt, longest: int | None
) -> None:
    before = seen(TrialPhase.STOPPING, start_time=ago(90), stop=stop, reason=stop.reason, message=stop.message)
    after = step(before, found, longest=longest)
    assert (after.phase, after.stop, after.reason, after.curve) == (TrialPhase.COMPLETED, None, None, COMPLETE.curve)
    assert f"counts as completed; dropped decision: {stop.message}" in (after.message or "")
    assert (after.completion_time, after.training_seconds) == (ago(10), 80)


def test_a_training_that_takes_the_signal_and_ends_well_before_others_did_is_stopped() -> None:
    before = seen(TrialPhase.STOPPING, start_time=ago(90), stop=EARLY, reason=EARLY.reason)
    after = step(before, ended_pod(history=COMPLETE, deletion_requested=ago(20)), longest=3)
    assert (after.phase, after.stop) == (TrialPhase.EARLY_STOPPED, EARLY)


def test_the_epochs_of_a_training_that_was_over_are_waited_for() -> None:
    before = seen(TrialPhase.STOPPING, start_time=ago(90), stop=EARLY, reason=EARLY.reason)
    waiting = step(before, ended_pod(history=THINNED))
    assert (waiting.phase, waiting.stop, waiting.training_seconds) == (TrialPhase.COLLECTING, None, 80)
    after = step(replace(trial(), status=waiting), ended_pod(history=THINNED), Reading(curve(0.1), after_end=True))
    assert (after.phase, after.curve, after.training_seconds) == (TrialPhase.COMPLETED, curve(0.1, 0.2), 80)
    assert "dropped decision" in (after.message or "")


def test_a_stopped_trial_that_never_started_costs_nothing() -> None:
    after = step(seen(TrialPhase.STOPPING, stop=FOR_THE_JOB), None)
    assert (after.phase, after.training_seconds) == (TrialPhase.STOPPED, 0)


def test_the_last_epochs_of_a_stopping_trial_are_learnt() -> None:
    before = seen(TrialPhase.STOPPING, stop=EARLY, curve=curve(0.1))
    assert step(before, running_pod(), Reading(curve(0.1, 0.2))).curve == curve(0.1, 0.2)


def test_a_message_that_adds_only_metrics_to_a_curve_known_from_prometheus_is_recorded() -> None:
    before = seen(TrialPhase.RUNNING, curve=curve(0.1, 0.2))
    after = step(before, ended_pod(history=COMPLETE), Reading(curve(0.1, 0.2), after_end=True))
    assert (after.phase, after.curve, after.metrics) == (TrialPhase.COMPLETED, curve(0.1, 0.2), LAST)


def test_the_last_value_of_every_metric_is_recorded_at_the_end() -> None:
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=COMPLETE))
    assert after.metrics == LAST
    assert step(replace(trial(), status=after), None).metrics == LAST, "also when its Pod is gone"
