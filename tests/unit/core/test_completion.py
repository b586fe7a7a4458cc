from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.builders import NOW, ago, ended, job, trial, with_status
from tuning_operator.core.lifecycle.completion import completion, final_phase, is_resumed, stall
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.job import CompletionReason, Job, JobPhase
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.ranking import best_trial
from tuning_operator.core.model.spec import Criteria
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.space import Categorical, Integer, Space

NAN, INF = math.nan, math.inf
COLLECTING = trial(5, TrialPhase.COLLECTING, reason="ExitCode2", message="no such file")
TWO_POINTS = Space((Integer("layers", 1, 2),))
FAILED = TrialPhase.FAILED
FAILURES = [trial(n, FAILED, reason="ExitCode2", message="no such file") for n in range(1, 6)]


def reason(a_job: Job, *trials: Trial) -> CompletionReason | None:
    end = completion(a_job, trials, NOW)
    return end.reason if end else None


@pytest.mark.parametrize(
    ("a_job", "trials", "expected"),
    [
        (job(trials=2), [], None),
        (job(trials=2), [ended(1, 0.1)], None),
        (job(trials=2), [ended(1, 0.1), trial(2)], None),
        (job(trials=2), [ended(1, 0.1), trial(2, TrialPhase.COLLECTING)], None),
        (job(trials=2), [ended(1, 0.1), ended(2, phase=FAILED)], CompletionReason.MAX_TRIALS),
        (job(trials=2), [ended(1, 0.1), ended(2, 0.1), ended(3, 0.1)], CompletionReason.MAX_TRIALS),
        (job(space=TWO_POINTS), [ended(1, 0.1), ended(2, 0.1)], CompletionReason.SPACE_EXHAUSTED),
        (job(space=TWO_POINTS), [ended(1, 0.1), trial(2)], None),
        (job(space=TWO_POINTS, trials=2), [ended(1, 0.1), ended(2, 0.1)], CompletionReason.SPACE_EXHAUSTED),
        (job(target=0.5), [ended(1, 0.4)], None),
        (job(target=0.5), [ended(1, 0.5)], CompletionReason.TARGET),
        (job(target=0.5), [ended(1, 0.9, 0.4)], None),  # the objective is the latest value
        (job(target=0.5), [trial(1, TrialPhase.RUNNING, curve=ended(1, 0.9).curve)], None),
        (job(target=0.5), [ended(1, 0.9, phase=FAILED)], None),
        (job(target=0.5), [ended(1, 0.9, phase=TrialPhase.EARLY_STOPPED)], CompletionReason.TARGET),
        (job(target=0.5), [ended(1, NAN), ended(2, INF)], None),
        (job(target=0.5, goal=Goal.MINIMIZE), [ended(1, 0.6)], None),
        (job(target=0.5, goal=Goal.MINIMIZE), [ended(1, 0.5)], CompletionReason.TARGET),
        (job(target=0.5, goal=Goal.MINIMIZE), [ended(1, -INF)], None),
        (job(max_failed=2), [ended(1, phase=FAILED)], None),
        (job(max_failed=2), [ended(1, phase=FAILED), ended(2, phase=FAILED)], CompletionReason.MAX_FAILED_TRIALS),
        (job(max_failed=2), [ended(1, phase=FAILED), COLLECTING], CompletionReason.MAX_FAILED_TRIALS),  # it is sure to
        (job(max_failed=2, attempts=2), [ended(1, phase=FAILED), COLLECTING], None),  # it will be tried again
        (job(max_failed=2), [ended(1, phase=FAILED), trial(2, TrialPhase.COLLECTING)], None),  # it ended well
        (job(), FAILURES[:4], None),
        (job(), FAILURES, CompletionReason.NO_TRIAL_SUCCEEDED),
        (job(trials=5), FAILURES, CompletionReason.NO_TRIAL_SUCCEEDED),
        (job(max_failed=6), FAILURES, None),  # the user's own limit takes its place
        (job(), [*FAILURES, trial(6)], None),  # which may still report
        (job(), [*FAILURES, trial(6, TrialPhase.RUNNING, curve=ended(6, 0.1).curve)], None),
        (job(), [*FAILURES, ended(6, phase=TrialPhase.STOPPED)], None),  # it had no chance to
        (job(), [*FAILURES, ended(6, phase=TrialPhase.STOPPED), trial(7, FAILED)], CompletionReason.NO_TRIAL_SUCCEEDED),
        (job(), [*FAILURES[:4], ended(5, 0.1, phase=FAILED)], None),  # it failed, but the template works
        (job(), [*FAILURES, ended(6, NAN)], None),
        (job(duration=timedelta(seconds=1001)), [], None),
        (job(duration=timedelta(seconds=1000)), [], CompletionReason.MAX_DURATION),
        (job(duration=timedelta(seconds=1), start_time=None), [], None),
        (job(duration=timedelta(seconds=1000), idle=timedelta(seconds=1)), [], None),
        (job(stop=True), [trial(1, TrialPhase.RUNNING)], CompletionReason.STOPPED_BY_USER),
    ],
)
def test_the_reason_to_end(a_job: Job, trials: list[Trial], expected: CompletionReason | None) -> None:
    assert reason(a_job, *trials) is expected


def test_the_most_telling_reason_comes_first() -> None:
    everything = job(trials=2, target=0.5, max_failed=1, duration=timedelta(seconds=1))
    assert reason(replace(everything, spec=replace(everything.spec, stop=True))) is CompletionReason.STOPPED_BY_USER
    trials = [ended(1, 0.9), ended(2, phase=FAILED)]
    assert reason(everything, *trials) is CompletionReason.TARGET
    assert reason(job(trials=2, max_failed=1, duration=timedelta(seconds=1)), *trials) is (
        CompletionReason.MAX_FAILED_TRIALS
    )
    assert reason(job(trials=2, duration=timedelta(seconds=1)), *trials) is CompletionReason.MAX_DURATION


# No improvement


def in_order(*objectives: float | TrialPhase, phase: TrialPhase = TrialPhase.COMPLETED) -> list[Trial]:
    """Trials that ended one after the other with these objectives; a phase stands for a failed or stopped one."""
    return [
        with_status(
            ended(number, phase=end) if isinstance(end, TrialPhase) else ended(number, end, phase=phase),
            completion_time=ago(1000 - number),
        )
        for number, end in enumerate(objectives, start=1)
    ]


@pytest.mark.parametrize(
    ("threshold", "objectives", "ends"),
    [
        (0.01, [0.5, 0.4, 0.3], False),
        (0.01, [0.5, 0.4, 0.3, 0.2], True),
        (0.01, [0.5, 0.4, 0.3, 0.6, 0.4, 0.4], False),
        (0.01, [0.5, 0.4, 0.3, 0.6, 0.4, 0.4, 0.4], True),
        (0.01, [1.0, 1.005, 1.005, 1.005], True),  # better, but not by enough
        (0.01, [1.0, 1.005, 1.011, 1.005], False),  # small gains add up
        (0.0, [1.0, 1.000001, 1.0, 1.0], False),
        (0.0, [1.0, 1.0, 1.0, 1.0], True),  # as good is not better
        (0.01, [0.0, 1e-9, 0.0, 0.0], False),  # from zero every gain is one
        (0.01, [0.0, 0.0, 0.0, 0.0], True),
        (0.01, [-1.0, -0.995, -0.992, -0.991], True),
        (0.01, [-1.0, -0.995, -0.98, -0.98, -0.98], False),
        (0.01, [-0.1, 0.1, 0.1, 0.1, 0.1], True),
        (0.01, [NAN, INF, -INF], True),  # nothing was found at all
        (0.01, [NAN, NAN, 0.1, 0.1, 0.1], False),
        (0.01, [0.5, NAN, NAN, NAN], True),
        (0.01, [0.5, FAILED, FAILED, FAILED, 0.4, 0.4], False),
        (0.01, [FAILED, FAILED, FAILED], False),
    ],
)
def test_a_job_that_does_not_improve_any_more_ends(
    threshold: float, objectives: list[float | TrialPhase], ends: bool
) -> None:
    expected = CompletionReason.NO_IMPROVEMENT if ends else None
    criteria = Criteria(max_trials_without_improvement=3, improvement_threshold=threshold)
    assert reason(job(completion=criteria), *in_order(*objectives)) is expected
    mirrored = [-end if isinstance(end, float) else end for end in objectives]
    assert reason(job(completion=criteria, goal=Goal.MINIMIZE), *in_order(*mirrored)) is expected
    assert reason(job(), *in_order(*objectives)) is None


@pytest.mark.parametrize(
    ("phase", "ends"), [(TrialPhase.EARLY_STOPPED, True), (TrialPhase.STOPPED, False), (TrialPhase.RUNNING, False)]
)
def test_what_a_suspension_cut_short_is_not_held_against_a_job(phase: TrialPhase, ends: bool) -> None:
    criteria = Criteria(max_trials_without_improvement=3)
    later = [replace(item, number=item.number + 1) for item in in_order(0.1, 0.1, 0.1, phase=phase)]
    found = reason(job(completion=criteria), *in_order(0.5), *later)
    assert (found is CompletionReason.NO_IMPROVEMENT) is ends


def test_improvements_are_counted_in_the_order_of_the_ends() -> None:
    slow, *others = in_order(0.9, 0.1, 0.2, 0.3)
    slow = with_status(slow, completion_time=NOW)
    assert reason(job(completion=Criteria(max_trials_without_improvement=3)), slow, *others) is None


# Convergence


@pytest.mark.parametrize(
    ("gains", "running", "ends"),
    [
        ([INF, 0.2, 0.009, 0.009, 0.009], 0, True),
        ([0.009, 0.009, 0.009, 0.2], 0, False),  # the newest is hopeful
        ([0.009, 0.009, 0.009, INF], 0, False),  # no model was asked
        ([0.009, 0.009, 0.2, 0.009], 0, False),
        ([0.2, 0.009, 0.01], 0, False),
        ([0.009, 0.009, 0.009], 1, False),  # the last one has not ended
        ([0.009, 0.009, 0.009, 0.009], 1, True),
        ([INF, INF, INF], 0, False),
    ],
)
def test_a_job_converges_when_three_trials_in_a_row_promised_too_little(
    gains: list[float], running: int, ends: bool
) -> None:
    trials = [replace(ended(number, 0.5), expected_gain=gain) for number, gain in enumerate(gains, start=1)]
    first_running = len(trials) - running
    trials[first_running:] = [with_status(item, phase=TrialPhase.RUNNING) for item in trials[first_running:]]
    converging = job(completion=Criteria(tolerance=0.01))
    assert reason(converging, *trials) is (CompletionReason.CONVERGED if ends else None)
    assert reason(job(), *trials) is None


def test_a_job_that_has_converged_tells_the_largest_gain_of_the_row() -> None:
    trials = [replace(ended(number, 0.5), expected_gain=0.001) for number in range(1, 4)]
    running = replace(trial(4, TrialPhase.RUNNING), expected_gain=0.008)
    end = completion(job(completion=Criteria(tolerance=0.01)), [*trials, running], NOW)
    assert end
    assert end.message == (
        "the model expected the last 4 trials to gain at most 0.008 of the observed range"
        " (completion.onConvergence.tolerance is 0.01), and 3 of them have ended"
    )


# An edit of a job that has ended

TWO_TRIALS = [ended(1, 0.1), ended(2, 0.9)]
TWO_FAILURES = [ended(1, phase=FAILED), ended(2, phase=FAILED)]
SECONDS_1000, SECONDS_1500 = timedelta(seconds=1000), timedelta(seconds=1500)


@pytest.mark.parametrize(
    ("because", "edited", "trials", "goes_on"),
    [
        (CompletionReason.MAX_TRIALS, {"trials": 3}, TWO_TRIALS, True),
        (CompletionReason.MAX_TRIALS, {"trials": 2}, TWO_TRIALS, False),
        (CompletionReason.MAX_TRIALS, {"trials": 2}, TWO_TRIALS[:1], True),  # somebody deleted a trial
        (CompletionReason.MAX_TRIALS, {"trials": 3, "target": 0.9}, TWO_TRIALS, False),  # there is another reason now
        (CompletionReason.TARGET, {"target": 0.95}, TWO_TRIALS, True),
        (CompletionReason.TARGET, {"target": None}, TWO_TRIALS, True),
        (CompletionReason.TARGET, {"target": 0.9}, TWO_TRIALS, False),
        (CompletionReason.MAX_FAILED_TRIALS, {"max_failed": 3}, TWO_FAILURES, True),
        (CompletionReason.MAX_FAILED_TRIALS, {"max_failed": 1}, TWO_FAILURES, False),
        (CompletionReason.NO_TRIAL_SUCCEEDED, {"trials": 99}, FAILURES, False),
        (CompletionReason.NO_TRIAL_SUCCEEDED, {"max_failed": 5}, FAILURES, False),
        (CompletionReason.NO_TRIAL_SUCCEEDED, {"max_failed": 6}, FAILURES, True),
        (CompletionReason.MAX_DURATION, {"duration": SECONDS_1000}, TWO_TRIALS, False),
        (CompletionReason.MAX_DURATION, {"duration": SECONDS_1500}, TWO_TRIALS, True),
        (CompletionReason.NO_IMPROVEMENT, {"completion": Criteria(3)}, in_order(0.9, 0.1, 0.1, 0.1), False),
        (CompletionReason.NO_IMPROVEMENT, {"completion": Criteria(4)}, in_order(0.9, 0.1, 0.1, 0.1), True),
        # The last trial ran when the end was decided, and turned out better.
        (CompletionReason.NO_IMPROVEMENT, {"completion": Criteria(3)}, in_order(0.9, 0.1, 0.1, 0.1, 0.99), False),
        (CompletionReason.NO_IMPROVEMENT, {"completion": Criteria(4)}, in_order(0.9, 0.1, 0.1, 0.1, 0.99), True),
        (CompletionReason.CONVERGED, {"completion": Criteria()}, TWO_TRIALS, True),
        (CompletionReason.SPACE_EXHAUSTED, {"space": TWO_POINTS, "trials": 99}, TWO_TRIALS, False),
        (CompletionReason.STOPPED_BY_USER, {"trials": 3}, TWO_TRIALS, False),
        (CompletionReason.INVALID_TEMPLATE, {"trials": 3}, [], False),
        (CompletionReason.MAX_TRIALS, {"trials": 3, "stop": True}, TWO_TRIALS, False),
    ],
)
def test_an_ended_job_goes_on_when_an_edit_takes_all_reasons_away(
    because: CompletionReason, edited: dict[str, Any], trials: list[Trial], goes_on: bool
) -> None:
    recorded: dict[str, Any] = {"phase": because.phase, "completion_reason": because, "completion_time": NOW}
    a_job = job(**(edited | recorded), observed_generation=1, generation=2)
    assert is_resumed(a_job, trials, NOW + timedelta(days=1)) is goes_on
    assert not is_resumed(replace(a_job, observed_generation=2), trials, NOW), "nothing was edited"


def test_a_job_that_runs_is_not_resumed() -> None:
    assert not is_resumed(job(generation=2), [], NOW)


@pytest.mark.parametrize(
    ("a_job", "trials", "words"),
    [
        (job(target=0.5), [ended(1, 0.25), ended(2, 0.75)], ["job-0002", "0.75", "0.5"]),
        (
            job(max_failed=1),
            [with_status(ended(3, phase=FAILED), reason="OOMKilled")],
            ["job-0003 (OOMKilled)", "limits.maxFailedTrials"],
        ),
        (job(duration=timedelta(minutes=5)), [], ["limits.maxDuration", "0:05:00"]),
        (job(trials=1), [ended(1, 0.1)], ["all 1 trials"]),
        (job(space=TWO_POINTS), [ended(1, 0.1), ended(2, 0.1)], ["all 2 points"]),
        (job(stop=True), [], ["spec.stop"]),
        (
            job(completion=Criteria(max_trials_without_improvement=3)),
            [ended(n, 1 / n) for n in range(1, 5)],
            ["3 trials", "job-0001 with 1", "completion.maxTrialsWithoutImprovement is 3"],
        ),
        (
            job(completion=Criteria(max_trials_without_improvement=3)),
            [ended(n, NAN) for n in range(1, 4)],
            ["3 trials", "from the first trial on"],
        ),
        (
            job(completion=Criteria(tolerance=0.02)),
            [replace(ended(n, 0.5), expected_gain=n / 1000) for n in range(1, 4)],
            ["the last 3 trials", "at most 0.003", "completion.onConvergence.tolerance is 0.02"],
        ),
    ],
)
def test_the_message_has_the_numbers_in_it(a_job: Job, trials: list[Trial], words: list[str]) -> None:
    end = completion(a_job, trials, NOW)
    assert end is not None
    assert all(word in end.message for word in words), end.message


def test_a_message_about_many_failures_stays_short() -> None:
    end = completion(job(max_failed=1), [ended(n, phase=FAILED) for n in range(1, 900)], NOW)
    assert end is not None
    assert len(end.message) < 400
    assert "and 889 more" in end.message


@pytest.mark.parametrize(
    ("goal", "trials", "best"),
    [
        (Goal.MAXIMIZE, [], None),
        (Goal.MAXIMIZE, [ended(1, 0.1), ended(2, 0.3), ended(3, 0.2)], 2),
        (Goal.MINIMIZE, [ended(1, 0.1), ended(2, 0.3), ended(3, 0.2)], 1),
        (Goal.MAXIMIZE, [ended(2, 0.3), ended(1, 0.3)], 1),
        (Goal.MAXIMIZE, [ended(1, NAN), ended(2, -5.0)], 2),
        (Goal.MINIMIZE, [ended(1, -INF), ended(2, 5.0)], 2),
        (Goal.MAXIMIZE, [ended(1, NAN), ended(2, INF)], None),
        (Goal.MAXIMIZE, [ended(1, 0.9, phase=FAILED), ended(2, 0.1)], 2),
        (Goal.MAXIMIZE, [ended(1, 0.9, phase=TrialPhase.EARLY_STOPPED), ended(2, 0.1)], 1),
        (Goal.MAXIMIZE, [trial(1, TrialPhase.RUNNING, curve=ended(1, 0.9).curve)], None),
        (Goal.MAXIMIZE, [ended(1, phase=TrialPhase.STOPPED)], None),
    ],
)
def test_the_best_trial_is_the_ended_one_with_the_best_finite_objective(
    goal: Goal, trials: list[Trial], best: int | None
) -> None:
    found = best_trial(job(goal=goal), trials)
    assert (found.number if found else None) == best


@pytest.mark.parametrize(
    ("which", "phase"),
    [
        (CompletionReason.MAX_TRIALS, JobPhase.COMPLETED),
        (CompletionReason.MAX_FAILED_TRIALS, JobPhase.FAILED),
        (CompletionReason.NO_TRIAL_SUCCEEDED, JobPhase.FAILED),
        (CompletionReason.STOPPED_BY_USER, JobPhase.STOPPED),
        (CompletionReason.INVALID_TEMPLATE, JobPhase.FAILED),
    ],
)
def test_the_phase_that_a_reason_leads_to(which: CompletionReason, phase: JobPhase) -> None:
    assert (which.phase, which.is_failure) == (phase, phase is JobPhase.FAILED)


@pytest.mark.parametrize(
    ("because", "trials", "phase"),
    [
        (CompletionReason.MAX_TRIALS, [ended(1, 0.1), *FAILURES[1:]], JobPhase.COMPLETED),
        (CompletionReason.MAX_TRIALS, [ended(1, 0.1, phase=TrialPhase.STOPPED)], JobPhase.COMPLETED),
        (CompletionReason.MAX_TRIALS, FAILURES, JobPhase.FAILED),
        (CompletionReason.MAX_TRIALS, [ended(1, NAN), ended(2, INF)], JobPhase.FAILED),
        (CompletionReason.MAX_DURATION, [ended(1, phase=TrialPhase.STOPPED)], JobPhase.FAILED),
        (CompletionReason.MAX_FAILED_TRIALS, [ended(1, 0.1), *FAILURES[1:]], JobPhase.FAILED),
        (CompletionReason.STOPPED_BY_USER, [], JobPhase.STOPPED),
    ],
)
def test_no_job_is_completed_without_a_best_trial(
    because: CompletionReason, trials: list[Trial], phase: JobPhase
) -> None:
    assert final_phase(job(), trials, because) is phase


@pytest.mark.parametrize(
    ("objective", "phase"), [(0.5, JobPhase.COMPLETED), (None, JobPhase.FAILED), (NAN, JobPhase.FAILED)]
)
def test_a_result_of_a_job_that_it_started_from_is_a_result(objective: float | None, phase: JobPhase) -> None:
    known = [Observation({"lr": 0.5}, objective)]
    assert final_phase(job(), FAILURES, CompletionReason.SPACE_EXHAUSTED, known) is phase


def test_the_message_of_a_hopeless_job_has_reasons_remedies_and_last_words() -> None:
    end = completion(job(), FAILURES, NOW)
    assert end
    assert end.message == (
        "5 trials failed and none reported an epoch: job-0001 (ExitCode2), job-0002 (ExitCode2), job-0003 (ExitCode2),"
        " job-0004 (ExitCode2), job-0005 (ExitCode2). Correct the template in a new job; if only the hyperparameters"
        " are to blame, set limits.maxFailedTrials to more than 5 to resume this one. The last failure: no such file"
    )


@pytest.mark.parametrize(
    ("a_job", "trials", "stalls"),
    [
        (job(), [*FAILURES[:4], trial(6)], False),
        (job(), [*FAILURES, trial(6)], True),
        (job(), [*FAILURES, trial(6, TrialPhase.RUNNING)], True),
        (job(), [*FAILURES, trial(6, TrialPhase.RUNNING, curve=ended(6, 0.1).curve)], False),
        (job(max_failed=6), [*FAILURES, trial(6)], False),
        (job(), FAILURES, False),  # it has ended
        (job(), [*FAILURES[:4], COLLECTING], True),
        (job(), [*FAILURES[:4], trial(5, TrialPhase.COLLECTING)], False),  # it ended well
        (job(attempts=2), [*FAILURES[:4], COLLECTING], False),  # it will be tried again
    ],
)
def test_no_trial_is_added_while_the_template_is_in_doubt(a_job: Job, trials: list[Trial], stalls: bool) -> None:
    message = stall(a_job, trials)
    assert bool(message) is stalls
    assert not message or message.endswith(
        "job-0005 (ExitCode2). No trial is added until one of the 1 unfinished trials reports one;"
        " to continue anyway, set limits.maxFailedTrials to more than 5"
    )


def test_the_size_of_a_mixed_space_decides_about_exhaustion() -> None:
    space = Space((Integer("layers", 1, 2), Categorical("optimizer", ("sgd", "adam"))))
    assert reason(job(space=space), *(ended(n, 0.1) for n in range(1, 4))) is None
    assert reason(job(space=space), *(ended(n, 0.1) for n in range(1, 5))) is CompletionReason.SPACE_EXHAUSTED
