"""The best settings are trained again with other seeds, and the one with the best mean wins."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import NOW, ago, curve, ended, job, running_pod, snapshot, trial, with_status
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.confirm import settings, winner
from tuning_operator.core.lifecycle.parents import inherit
from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, MedianKnobs
from tuning_operator.core.model.job import CompletionReason, Job, JobPhase
from tuning_operator.core.model.spec import Confirm, Limits, SuspendPolicy
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.report.summary import summarize
from tuning_operator.core.stopping.judging import judged
from tuning_operator.core.stopping.what_if import what_if

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.model.notice import Notice

SEARCH = (ended(1, 0.2, 0.5), ended(2, 0.3, 0.9), ended(3, 0.8), ended(4, 0.7))
"""The best are trials 2, 3 and 4."""


def confirming(top: int = 2, seeds: int = 2, **fields: Any) -> Job:
    """A job whose search of four trials has ended, as it is recorded."""
    known: dict[str, Any] = {
        "trials": 4,
        "parallel": 3,
        "phase": JobPhase.CONFIRMING,
        "completion_reason": CompletionReason.MAX_TRIALS,
        "message": "all 4 trials have ended",
        "confirm": Confirm(top, seeds),
    }
    return job(**(known | fields))


def seeds_of(a_job: Job) -> tuple[int, ...]:
    return settings(a_job, SEARCH)[0].seeds


def repetition(number: int, of: int, seed: int, *values: float, phase: TrialPhase = TrialPhase.COMPLETED) -> Trial:
    """A trial that has ended and repeats another one."""
    repeated = SEARCH[of - 1]
    made = ended(number, *values, phase=phase)
    return replace(made, confirms=of, seed=seed, parameters=repeated.parameters)


def repeated(decision: Decision) -> list[tuple[int, int | None]]:
    return [(each.number, each.confirms) for each in decision.repeat]


def of_the_job(decision: Decision) -> list[Notice]:
    return [notice for notice in decision.notices if notice.trial is None]


def all_of(a_job: Job, *values: Sequence[float]) -> list[Trial]:
    """All repetitions of the best settings, by the values of each."""
    numbers = iter(range(5, 100))
    return [
        repetition(next(numbers), setting.trial.number, seed, value)
        for setting, objectives in zip(settings(a_job, SEARCH), values, strict=True)
        for seed, value in zip(setting.seeds, objectives, strict=True)
    ]


# What is repeated, and when


def test_the_end_of_the_search_is_recorded_before_anything_is_repeated() -> None:
    found = decide(snapshot(confirming(phase=JobPhase.RUNNING, completion_reason=None, message=""), SEARCH))
    assert (found.phase, found.repeat, found.suggest) == (JobPhase.CONFIRMING, (), None)
    assert found.completion is not None
    assert found.completion.reason is CompletionReason.MAX_TRIALS
    assert found.wake_after == timedelta(0)
    assert [notice.reason for notice in of_the_job(found)] == ["MaxTrialsReached", "Confirming"]


def test_the_best_settings_are_repeated_each_with_the_same_other_seeds() -> None:
    found = decide(snapshot(confirming(parallel=10), SEARCH))
    assert repeated(found) == [(5, 2), (6, 2), (7, 3), (8, 3)]
    assert [each.parameters for each in found.repeat] == [SEARCH[1].parameters] * 2 + [SEARCH[2].parameters] * 2
    seeds = [each.seed for each in found.repeat]
    assert seeds[:2] == seeds[2:]
    assert not {*seeds} & {each.seed for each in SEARCH}
    assert len({*seeds}) == 2
    assert of_the_job(found) == []
    again = decide(snapshot(confirming(parallel=10), SEARCH))
    assert again.repeat == found.repeat


@pytest.mark.parametrize(
    ("parallel", "known", "count"),
    [(1, [], 1), (3, [], 3), (3, [trial(5)], 2), (1, [trial(5)], 0)],
)
def test_no_more_train_at_the_same_time_than_may(parallel: int, known: list[Trial], count: int) -> None:
    a_job = confirming(parallel=parallel)
    waiting = [replace(each, confirms=2, seed=seeds_of(a_job)[0]) for each in known]
    found = decide(snapshot(a_job, [*SEARCH, *waiting]))
    assert len(found.repeat) == count
    assert [each.number for each in found.create_attempts] == [each.number for each in waiting]


def test_what_exists_is_not_repeated_again_unless_it_was_stopped() -> None:
    a_job = confirming(parallel=10)
    first, second = seeds_of(a_job)
    known = [
        repetition(5, 2, first, 0.9, phase=TrialPhase.FAILED),
        repetition(6, 2, second, 0.9, phase=TrialPhase.STOPPED),
        replace(trial(7, TrialPhase.RUNNING), confirms=3, seed=first),
    ]
    found = decide(snapshot(a_job, [*SEARCH, *known], [running_pod(7)]))
    assert [(each.confirms, each.seed) for each in found.repeat] == [(2, second), (3, second)]


def test_the_same_setting_counts_once() -> None:
    twin = replace(SEARCH[2], parameters=SEARCH[1].parameters)
    assert [each.trial.number for each in settings(confirming(), [SEARCH[0], SEARCH[1], twin, SEARCH[3]])] == [2, 4]


def test_where_fewer_have_completed_than_are_to_be_confirmed_those_are() -> None:
    a_job = confirming(top=9, seeds=1, parallel=9, trials=3)
    trials = [SEARCH[0], ended(2, 0.4, math.nan), ended(3, phase=TrialPhase.FAILED)]
    found = decide(snapshot(a_job, trials))
    assert repeated(found) == [(4, 1)]
    (seed,) = settings(a_job, trials)[0].seeds
    end = decide(snapshot(a_job, [*trials, repetition(4, 1, seed, 0.6)]))
    assert end.phase is JobPhase.COMPLETED
    assert winner(a_job, [*trials, repetition(4, 1, seed, 0.6)]) == trials[0]


def test_a_search_that_still_has_trials_is_waited_for() -> None:
    running = trial(4, TrialPhase.RUNNING, attempt_uid="pod-uid-4-1", start_time=ago(90))
    a_job = confirming(phase=JobPhase.STOPPING)
    found = decide(snapshot(a_job, [*SEARCH[:3], running], [running_pod(4)]))
    assert (found.phase, found.repeat) == (JobPhase.STOPPING, ())


@pytest.mark.parametrize("fields", [{"confirm": None}, {"stop": True}])
def test_nothing_is_repeated_without_need(fields: dict[str, Any]) -> None:
    found = decide(snapshot(confirming(**fields), SEARCH))
    assert found.repeat == ()
    assert found.phase.is_final


def test_a_search_without_a_finite_objective_has_nothing_to_confirm() -> None:
    found = decide(snapshot(confirming(trials=1), [ended(1, math.nan)]))
    assert (found.phase, found.repeat) == (JobPhase.FAILED, ())


def test_a_suspended_job_repeats_nothing_and_does_not_end() -> None:
    found = decide(snapshot(confirming(suspend=True), SEARCH))
    assert (found.phase, found.repeat) == (JobPhase.SUSPENDED, ())
    a_job = confirming(suspend=True, suspend_policy=SuspendPolicy.STOP, phase=JobPhase.SUSPENDED)
    running = replace(trial(5, TrialPhase.RUNNING, start_time=ago(9)), confirms=2, seed=seeds_of(a_job)[0])
    found = decide(snapshot(a_job, [*SEARCH, running], [running_pod(5)]))
    assert found.trials[-1].phase is TrialPhase.STOPPING
    assert found.phase is JobPhase.SUSPENDED


# Limits


def test_repetitions_do_not_count_as_trials_of_the_search() -> None:
    a_job = confirming(trials=6, phase=JobPhase.RUNNING, completion_reason=None, message="")
    known = all_of(confirming(), [0.8, 0.8], [0.8, 0.8])
    found = decide(snapshot(a_job, [*SEARCH, *known]))
    assert found.suggest is not None
    assert found.suggest.numbers == (9, 10)
    assert len(found.suggest.observations) == 8, "the suggester learns from them"
    status = summarize(snapshot(a_job, [*SEARCH, *known]), found)
    assert (status.tried, status.searched, sum(status.phases.values())) == (4, 4, 8)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(4, 3, max_duration=timedelta(seconds=1000)),
        Limits(4, 3, max_training_time=timedelta(seconds=100)),
    ],
)
def test_a_budget_ends_a_confirmation_and_the_best_of_the_search_is_kept(limits: Limits) -> None:
    a_job = confirming()
    a_job = replace(a_job, spec=replace(a_job.spec, limits=limits))
    first = seeds_of(a_job)[0]
    done = replace(
        repetition(5, 2, first, 0.7), status=replace(repetition(5, 2, first, 0.7).status, training_seconds=50)
    )
    running = trial(6, TrialPhase.RUNNING, attempt_uid="pod-uid-6-1", start_time=ago(50), curve=curve(0.99))
    running = replace(running, confirms=3, seed=first)
    view = snapshot(a_job, [*SEARCH, done, running], [running_pod(6, started=ago(50))])
    found = decide(view)
    assert (found.phase, found.repeat) == (JobPhase.STOPPING, ())
    assert found.trials[-1].status.stop is not None
    over = [*SEARCH, done, with_status(running, phase=TrialPhase.STOPPED, training_seconds=50)]
    found = decide(snapshot(a_job, over))
    assert found.phase is JobPhase.COMPLETED
    assert found.completion is not None
    assert found.completion.reason is CompletionReason.MAX_TRIALS, "an end is not exchanged"
    status = summarize(snapshot(a_job, over), found)
    assert status.best is not None
    assert status.best.number == 2
    assert status.confirmation is not None
    assert "no setting is confirmed" in status.confirmation.message
    assert "limits.max" in status.confirmation.message
    assert [notice.reason for notice in of_the_job(found)] == ["NotConfirmed"]


def test_failures_of_repetitions_do_not_fail_the_job() -> None:
    a_job = confirming(max_failed=1)
    known = [
        replace(each, status=replace(each.status, phase=TrialPhase.FAILED)) for each in all_of(a_job, [1, 1], [1, 1])
    ]
    found = decide(snapshot(a_job, [*SEARCH, *known]))
    assert found.phase is JobPhase.COMPLETED
    assert winner(a_job, [*SEARCH, *known]) == SEARCH[1]


def test_early_stopping_neither_judges_repetitions_nor_compares_with_them() -> None:
    rule = EarlyStopping(EarlyStoppingType.MEDIAN, MedianKnobs(min_completed_trials=2, min_epochs=1, min_progress=0.0))
    a_job = job(early_stopping=rule)
    bad = trial(9, TrialPhase.RUNNING, curve=curve(0.0, 0.0))
    good = [ended(number, 0.8, 0.8, 0.9) for number in (1, 2, 3)]
    assert judged((*good, bad), a_job)[-1].phase is TrialPhase.STOPPING
    assert judged((*good, replace(bad, confirms=1)), a_job)[-1].phase is TrialPhase.RUNNING
    as_repetitions = [replace(each, confirms=9) for each in good]
    assert judged((*as_repetitions, bad), a_job)[-1].phase is TrialPhase.RUNNING
    assert len(what_if(a_job, [*good, replace(good[0], number=4, confirms=1)], rule).trials) == 3


# Who wins


@pytest.mark.parametrize(
    ("goal", "values", "best"),
    [
        (Goal.MAXIMIZE, ([0.7, 0.7], [0.8, 0.78]), 3),
        (Goal.MAXIMIZE, ([0.8, 0.8], [0.8, 0.8]), 2),  # of equals the one that was better in the search
        (Goal.MAXIMIZE, ([0.8, math.nan], [0.1, 0.1]), 3),  # one that diverges with a seed is not confirmed
        (Goal.MAXIMIZE, ([math.nan, 0.9], [math.inf, 0.9]), 2),  # none is: the search's best is kept
    ],
)
def test_the_best_mean_of_the_repetitions_wins(goal: Goal, values: tuple[list[float], ...], best: int) -> None:
    a_job = confirming(goal=goal)
    found = winner(a_job, [*SEARCH, *all_of(a_job, *values)])
    assert found is not None
    assert found.number == best


def test_the_least_mean_wins_where_less_is_better() -> None:
    a_job = confirming(goal=Goal.MINIMIZE)
    assert [each.trial.number for each in settings(a_job, SEARCH)] == [1, 4]
    found = winner(a_job, [*SEARCH, *all_of(a_job, [0.6, 0.6], [0.55, 0.5])])
    assert found is not None
    assert found.number == 4


def test_status_and_event_name_the_winner_with_mean_and_spread() -> None:
    a_job = confirming()
    trials = [*SEARCH, *all_of(a_job, [0.7, 0.72], [0.8, 0.76])]
    found = decide(snapshot(a_job, trials))
    status = summarize(snapshot(a_job, trials), found)
    assert status.phase is JobPhase.COMPLETED
    assert status.best == SEARCH[2]
    assert status.confirmation is not None
    assert status.confirmation.best is not None
    assert status.confirmation.best.mean == pytest.approx(0.78)
    assert status.confirmation.best.deviation == pytest.approx(statistics.stdev([0.8, 0.76]))
    assert status.confirmation.message == (
        "job-0003 wins with the mean 0.78 ± 0.028 over 2 of 2 seeds, 0.8 in the search;"
        " job-0002, the best of the search, has the mean 0.71 ± 0.014 over 2 of 2 seeds, 0.9 in the search"
    )
    (notice,) = of_the_job(found)
    assert (notice.reason, notice.message, notice.warning) == ("Confirmed", status.confirmation.message, False)


def test_before_the_end_the_best_of_the_search_is_shown() -> None:
    a_job = confirming()
    trials = [*SEARCH, *all_of(a_job, [0.7, 0.72], [0.8, 0.76])[1:]]
    found = decide(snapshot(a_job, trials))
    status = summarize(snapshot(a_job, trials), found)
    assert (status.phase, status.best) == (JobPhase.CONFIRMING, SEARCH[1])
    assert status.confirmation is not None
    assert status.confirmation.message.startswith("3 of 4 trainings have ended")
    assert status.confirmation.best is None


def test_a_training_that_ignores_its_seed_is_reported() -> None:
    a_job = confirming()
    found = decide(snapshot(a_job, [*SEARCH, *all_of(a_job, [0.9, 0.9], [0.8, 0.76])]))
    (notice,) = of_the_job(found)
    assert notice.warning
    assert "the repetitions of job-0002 are identical: let the training set its seed from TUNING_SEED" in notice.message


def test_a_template_without_the_seed_is_reported_at_the_start() -> None:
    a_job = confirming(
        phase=JobPhase.RUNNING, completion_reason=None, message="", confirm=Confirm(2, 2, names_seed=False)
    )
    found = decide(snapshot(a_job, SEARCH))
    assert "the template does not refer to TUNING_SEED" in of_the_job(found)[-1].message


# Edits


def test_a_completed_job_is_reopened_when_confirm_is_added() -> None:
    a_job = confirming(phase=JobPhase.COMPLETED, completion_time=ago(50), generation=2, observed_generation=1)
    found = decide(snapshot(a_job, SEARCH))
    assert (found.phase, found.repeat) == (JobPhase.CONFIRMING, ())
    assert found.completion is not None
    assert found.completion.reason is CompletionReason.MAX_TRIALS
    assert found.wake_after == timedelta(0)
    assert [notice.reason for notice in found.notices] == ["Resumed"]
    status = summarize(snapshot(a_job, SEARCH), found)
    assert (status.completion_time, status.idle) == (None, timedelta(seconds=50))


@pytest.mark.parametrize(
    "fields",
    [
        {"generation": 1},  # without an edit
        {"completion_reason": CompletionReason.STOPPED_BY_USER, "phase": JobPhase.STOPPED},
        {"duration": timedelta(seconds=900)},  # its time is over
        {"confirm": None},
    ],
)
def test_other_jobs_stay_as_they_are(fields: dict[str, Any]) -> None:
    known: dict[str, Any] = {"phase": JobPhase.COMPLETED, "completion_time": ago(50), "generation": 2}
    known["observed_generation"] = 1
    found = decide(snapshot(confirming(**(known | fields)), SEARCH))
    assert found.phase.is_final
    assert found.repeat == ()


def test_a_raised_limit_lets_the_search_go_on_and_repetitions_train_to_their_end() -> None:
    a_job = confirming(trials=6, generation=2, observed_generation=1)
    running = replace(trial(5, TrialPhase.RUNNING, start_time=ago(9)), confirms=2, seed=seeds_of(a_job)[0])
    found = decide(snapshot(a_job, [*SEARCH, running], [running_pod(5)]))
    assert (found.phase, found.completion) == (JobPhase.RUNNING, None)
    a_job = confirming(trials=6, phase=JobPhase.RUNNING, completion_reason=None, message="")
    found = decide(snapshot(a_job, [*SEARCH, running], [running_pod(5)]))
    assert found.suggest is not None
    assert found.suggest.numbers == (6, 7)
    assert found.trials[-1].phase is TrialPhase.RUNNING


def test_removing_confirm_stops_the_repetitions() -> None:
    running = replace(trial(5, TrialPhase.RUNNING, start_time=ago(9)), confirms=2, seed=1)
    found = decide(snapshot(confirming(confirm=None), [*SEARCH, running], [running_pod(5)]))
    assert found.phase is JobPhase.STOPPING
    assert found.trials[-1].status.message == "the job ends: spec.confirm was removed"


def test_a_parents_best_is_its_confirmed_one() -> None:
    parent = confirming(phase=JobPhase.COMPLETED, completion_time=NOW)
    trials = [*SEARCH, *all_of(parent, [0.7, 0.72], [0.8, 0.76])]
    known = inherit(job(parents=("job",)), parent, trials)
    assert known.best is not None
    assert known.best.name == "job-0003"
    assert known.total == 8


def test_curves_share_the_room_with_those_of_repetitions() -> None:
    long = Curve.from_lists(range(1, 5001), [0.5] * 5000)
    spec = replace(job(trials=1000).spec, confirm=Confirm(10, 10))
    assert spec.most_trials == 1100
    running = trial(1, TrialPhase.RUNNING, start_time=ago(9), curve=long)
    found = decide(snapshot(replace(job(), spec=spec), [running], [running_pod(1)]))
    assert len(found.trials[0].curve) <= 400_000 // 1100
