"""Pauses in place of stops: who is paused, who is resumed, what becomes of the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import NOW, ago, curve, ended, ended_pod, job, pod, running_pod, snapshot, trial
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.pausing import MOST_JUDGED
from tuning_operator.core.lifecycle.slots import may_add
from tuning_operator.core.model.attempt import Reading
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase

if TYPE_CHECKING:
    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.model.job import Job

PAUSES = EarlyStopping(EarlyStoppingType.AUTO, pause=True)
WHY = StopDecision("OutOfReach", "epoch 2: 0.1 is below 0.5", 2, 0.1, 0.5)
GOOD = (0.5, 0.6, 0.7, 0.72, 0.74, 0.76, 0.78, 0.8, 0.8, 0.8)
FAIR = (0.4, 0.5, 0.6, 0.65, 0.7, 0.72, 0.74, 0.75, 0.76, 0.76)
BAD = (0.05, 0.06)
HOPEFUL = (0.5, 0.68, 0.7, 0.71)


def pausing_job(**more: Any) -> Job:
    given: dict[str, Any] = {"trials": 4, "early_stopping": PAUSES, "checkpoint_dir": "/checkpoints"} | more
    return job(**given)


def running(number: int, *values: float, **status: Any) -> Trial:
    known: dict[str, Any] = {"attempt_uid": f"pod-uid-{number}-1", "start_time": ago(90)} | status
    return trial(number, TrialPhase.RUNNING, curve=curve(*values), **known)


def paused(number: int, *values: float, **status: Any) -> Trial:
    return trial(number, TrialPhase.PAUSED, curve=curve(*values), pause=WHY, training_seconds=30, **status)


def field(*more: Trial) -> tuple[Trial, ...]:
    """Two completed trials, and others."""
    return ended(1, *GOOD), ended(2, *FAIR), *more


def phases(decision: Decision) -> list[TrialPhase]:
    return [each.phase for each in decision.trials]


def told(decision: Decision) -> list[str]:
    return [notice.reason for notice in decision.notices]


def test_what_would_be_stopped_is_paused_while_there_are_new_trials() -> None:
    decision = decide(snapshot(pausing_job(), field(running(3, *BAD)), [running_pod(3)]))
    after = decision.trials[2].status
    assert (after.phase, after.stop) == (TrialPhase.STOPPING, None)
    assert after.pause is not None
    assert after.pause.reason == after.reason == "OutOfReach"
    assert decision.changed[0].name == "job-0003", "the decision is recorded before the Pod goes"
    assert "TrialPaused" in told(decision)


def test_without_new_trials_it_is_stopped_for_good() -> None:
    decision = decide(snapshot(pausing_job(trials=3), field(running(3, *BAD)), [running_pod(3)]))
    assert decision.trials[2].status.stop is not None
    assert decision.trials[2].status.pause is None


def test_a_trial_that_was_resumed_is_not_paused_again() -> None:
    one = running(3, *BAD, attempt=2, resumptions=1, attempt_uid="pod-uid-3-2")
    decision = decide(snapshot(pausing_job(), field(one), [running_pod(3, 2)]))
    assert decision.trials[2].status.stop is not None


def test_a_pause_is_less_cautious_than_a_stop() -> None:
    """What is paused can come back: where ranks are undecided a trial goes that `Auto` alone would let go on."""
    trials = (ended(1, 0.4, 0.5, *GOOD[2:]), ended(2, 0.5, 0.6, *FAIR[2:]), running(3, 0.2, 0.25))
    stops = decide(
        snapshot(pausing_job(early_stopping=EarlyStopping(EarlyStoppingType.AUTO)), trials, [running_pod(3)])
    )
    pauses = decide(snapshot(pausing_job(), trials, [running_pod(3)]))
    assert phases(stops)[2] is TrialPhase.RUNNING
    assert phases(pauses)[2] is TrialPhase.STOPPING


def test_it_holds_its_slot_until_its_pod_has_ended_and_none_afterwards() -> None:
    pausing = running(3, *BAD, pause=WHY)
    pausing = replace(pausing, status=replace(pausing.status, phase=TrialPhase.STOPPING))
    one = pausing_job(parallel=1)
    before = decide(snapshot(one, field(pausing), [running_pod(3)]))
    assert [each.name for each in before.delete_attempts] == ["job-0003-1"]
    assert (before.suggest, phases(before)[2]) == (None, TrialPhase.STOPPING)

    gone = ended_pod(3, code=143, deletion_requested=ago(20))
    after = decide(snapshot(one, field(pausing), [gone]))
    status = after.trials[2].status
    assert (status.phase, status.attempt_uid, status.start_time) == (TrialPhase.PAUSED, None, None)
    assert status.training_seconds == 80
    assert after.suggest is not None, "its slot is for a new trial"
    assert after.suggest.numbers == (4,)


def test_a_training_that_had_ended_is_not_paused() -> None:
    pausing = running(3, *BAD, pause=WHY)
    pausing = replace(pausing, status=replace(pausing.status, phase=TrialPhase.STOPPING))
    decision = decide(snapshot(pausing_job(), field(pausing), [ended_pod(3)]))
    assert decision.trials[2].status.pause is None
    assert phases(decision)[2] in {TrialPhase.COLLECTING, TrialPhase.COMPLETED}
    assert "dropped decision" in (decision.trials[2].status.message or "")
    assert "StopDropped" in told(decision)


def test_a_stop_that_is_dropped_leaves_the_record_of_an_earlier_pause() -> None:
    stopping = running(3, *BAD, attempt=2, attempt_uid="pod-uid-3-2", resumptions=1, pause=WHY, stop=WHY)
    stopping = replace(stopping, status=replace(stopping.status, phase=TrialPhase.STOPPING))
    decision = decide(snapshot(pausing_job(), field(stopping), [ended_pod(3, 2)]))
    assert (decision.trials[2].status.stop, decision.trials[2].status.pause) == (None, WHY)
    assert "StopDropped" in told(decision)


def test_the_suggester_learns_its_value_so_far() -> None:
    decision = decide(snapshot(pausing_job(), field(paused(3, *BAD))))
    assert decision.suggest is not None
    assert decision.suggest.pending == ()
    assert [each.objective for each in decision.suggest.observations] == [0.8, 0.76, 0.06]


def test_it_takes_no_slot_from_new_trials() -> None:
    assert may_add(pausing_job(parallel=1), field(paused(3, *BAD)))


def test_it_stays_paused_while_there_are_new_trials() -> None:
    assert phases(decide(snapshot(pausing_job(), field(paused(3, *HOPEFUL)))))[2] is TrialPhase.PAUSED
    waiting = (*field(paused(3, *HOPEFUL)), trial(4))
    assert phases(decide(snapshot(pausing_job(), waiting)))[2] is TrialPhase.PAUSED


def test_the_most_promising_is_resumed_first_and_only_where_there_is_a_slot() -> None:
    trials = field(paused(3, *HOPEFUL), paused(4, 0.5, 0.69, 0.71, 0.715))
    decision = decide(snapshot(pausing_job(parallel=1), trials))
    assert phases(decision)[2:] == [TrialPhase.PAUSED, TrialPhase.PENDING]
    after = decision.trials[3].status
    assert (after.attempt, after.resumptions, after.resume_epoch, after.setbacks) == (2, 1, 4, 0)
    assert [each.name for each in decision.create_attempts] == ["job-0004"], "resumed, and without a delay"
    assert "TrialResumed" in told(decision)
    assert "Disrupted" not in told(decision)

    busy = snapshot(pausing_job(parallel=1, trials=5), (*trials, running(5, 0.5)), [running_pod(5)])
    assert phases(decide(busy))[2:4] == [TrialPhase.PAUSED, TrialPhase.PAUSED]


def test_what_is_out_of_reach_waits_for_what_runs_and_then_ends() -> None:
    trials = field(paused(3, *BAD))
    beside = decide(snapshot(pausing_job(), (*trials, running(4, *GOOD[:4])), [running_pod(4)]))
    assert phases(beside)[2] is TrialPhase.PAUSED
    alone = decide(snapshot(pausing_job(trials=3), trials))
    status = alone.trials[2].status
    assert (status.phase, status.completion_time) == (TrialPhase.EARLY_STOPPED, NOW)
    assert status.stop is not None
    assert "TrialEarlyStopped" in told(alone)
    assert alone.completion is not None, "in the same pass: nothing else would cause another one"
    assert alone.completion.reason == "MaxTrialsReached"


@pytest.mark.parametrize(
    ("field_name", "value"), [("stop", True), ("duration", timedelta(seconds=10)), ("target", 0.8)]
)
def test_the_end_of_the_job_is_theirs(field_name: str, value: Any) -> None:
    decision = decide(snapshot(pausing_job(**{field_name: value}), field(paused(3, *HOPEFUL))))
    status = decision.trials[2].status
    assert (status.phase, status.completion_time, status.training_seconds) == (TrialPhase.STOPPED, NOW, 30)
    assert decision.phase.is_final


def test_a_suspended_job_resumes_no_trial_and_gives_none_up() -> None:
    for values in (HOPEFUL, BAD):
        decision = decide(snapshot(pausing_job(trials=3, suspend=True), field(paused(3, *values))))
        assert phases(decision)[2] is TrialPhase.PAUSED


@pytest.mark.parametrize("now", [EarlyStopping(), EarlyStopping(EarlyStoppingType.AUTO, dry_run=True)])
def test_with_early_stopping_switched_off_or_only_tried_all_are_resumed(now: EarlyStopping) -> None:
    decision = decide(snapshot(pausing_job(trials=3, early_stopping=now), field(paused(3, *BAD))))
    assert phases(decision)[2] is TrialPhase.PENDING


def test_a_pass_gives_up_a_bounded_number_and_the_next_one_follows_at_once() -> None:
    count = MOST_JUDGED + 3
    trials = field(*(paused(number, *BAD) for number in range(3, 3 + count)))
    first = decide(snapshot(pausing_job(trials=2 + count), trials))
    assert phases(first).count(TrialPhase.EARLY_STOPPED) == MOST_JUDGED
    assert (first.completion, first.wake_after) == (None, timedelta(0))
    second = decide(snapshot(pausing_job(trials=2 + count), first.trials))
    assert phases(second).count(TrialPhase.EARLY_STOPPED) == count
    assert second.completion is not None


@pytest.mark.parametrize("limit", ["max_training_time", "max_trial_duration"])
def test_a_limit_on_training_counts_what_came_before_the_pause(limit: str) -> None:
    """It trained for 30 s before it was paused, and has trained for 50 s since."""
    one = running(3, *HOPEFUL, attempt=2, attempt_uid="pod-uid-3-2", resumptions=1, training_seconds=30)
    one = replace(one, status=replace(one.status, start_time=ago(50)))
    free = pausing_job(trials=3)
    changed: dict[str, Any] = {limit: timedelta(seconds=75)}
    limits = replace(free.spec.limits, **changed)
    bounded = replace(free, spec=replace(free.spec, limits=limits))
    assert decide(snapshot(free, field(one), [running_pod(3, 2)])).trials[2].status.stop is None
    stop = decide(snapshot(bounded, field(one), [running_pod(3, 2)])).trials[2].status.stop
    assert stop is not None
    assert stop.reason in {"MaxTrainingTimeReached", "MaxTrialDurationReached"}


def test_with_the_best_epoch_as_objective_that_is_what_is_told_and_compared() -> None:
    """It has been better than it is: that counts for the suggester, and for whether it can still become the best."""
    fallen = replace(paused(3, 0.5, 0.75, 0.3, 0.3), best_for=Goal.MAXIMIZE)
    told_of = decide(snapshot(pausing_job(), field(fallen))).suggest
    assert told_of is not None
    assert told_of.observations[-1].objective == 0.75
    assert phases(decide(snapshot(pausing_job(trials=3), field(fallen))))[2] is TrialPhase.PENDING


@pytest.mark.parametrize(("seen", "repeated"), [((0.5, 0.68, 0.7, 0.71), 0), ((0.5, 0.68), 2), ((), 0)])
def test_what_is_trained_again_is_counted_once(seen: tuple[float, ...], repeated: int) -> None:
    one = running(3, *HOPEFUL, attempt=2, attempt_uid="pod-uid-3-2", resumptions=1, resume_epoch=4)
    read = {"job-0003-2": Reading(curve(*seen))}
    decision = decide(snapshot(pausing_job(trials=3), field(one), [running_pod(3, 2)], read))
    status = decision.trials[2].status
    assert status.repeated_epochs == repeated
    assert (status.resume_epoch is None) == bool(seen)
    assert ("EpochsRepeated" in told(decision)) == bool(repeated)
    later = {"job-0003-2": Reading(curve(0.5, 0.68, 0.7))}
    again = decide(snapshot(pausing_job(trials=3), decision.trials, [running_pod(3, 2)], later))
    assert again.trials[2].status.repeated_epochs == (repeated if seen else 1)


def test_a_pod_of_a_paused_trial_is_deleted() -> None:
    decision = decide(snapshot(pausing_job(), field(paused(3, *BAD)), [pod(3)]))
    assert [each.name for each in decision.delete_attempts] == ["job-0003-1"]
