from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest

from tests.unit import builders as build
from tuning_operator.core.decide import decide
from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import Hyperband
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.stopping import rule_for
from tuning_operator.core.stopping.judging import judged

CONFIG = Hyperband(1, 27, 3)
FIRST = [number for number in range(1, 200) if CONFIG.bracket(number) == 0]  # trials of the first bracket


def trial(number: int, *values: float, phase: TrialPhase = TrialPhase.RUNNING) -> Trial:
    return build.trial(number, phase, curve=build.curve(*values))


def test_rungs_lie_below_a_whole_training() -> None:
    assert CONFIG.rungs == (1, 3, 9)
    assert Hyperband(2, 100, 4).rungs == (2, 8, 32)
    assert Hyperband(5, 6).rungs == (5,)


@pytest.mark.parametrize("trials", [10, 40, 130, 1000])
def test_brackets_get_trials_for_about_equal_budgets_at_any_time(trials: int) -> None:
    shares = [27 / 4, 9 / 3, 3 / 2, 1]
    counted = Counter(CONFIG.bracket(number) for number in range(1, trials + 1))
    for bracket, share in enumerate(shares):
        assert counted[bracket] == pytest.approx(trials * share / sum(shares), abs=2)


@pytest.mark.parametrize(
    ("others", "value", "stops"),
    [
        ([], 0.1, False),
        ([0.9], 0.1, False),  # two are too few to choose one of three
        ([0.8, 0.9], 0.1, True),
        ([0.8, 0.9], 0.95, False),
        ([0.8, 0.9, 0.7], 0.85, False),  # the best third of four is two
        ([0.8, 0.9, 0.7], 0.75, True),
        ([0.9, 0.9], 0.9, False),  # ties continue
        ([0.8, math.nan], 0.7, True),
        ([0.8, 0.9], math.nan, True),
        ([math.nan, math.nan], math.nan, False),
    ],
)
@pytest.mark.parametrize("goal", Goal)
def test_the_best_share_goes_on_from_a_rung(others: list[float], value: float, stops: bool, goal: Goal) -> None:
    sign = 1 if goal is Goal.MAXIMIZE else -1
    judged = trial(FIRST[0], *[sign * value] * 2)  # a NaN counts when it comes twice
    field = [trial(number, *[sign * other] * 2) for number, other in zip(FIRST[1:], others, strict=False)]
    stop = rule_for(CONFIG, goal, [judged, *field])(judged)
    assert (stop is not None) == stops
    assert stop is None or stop.reason == "BelowRung"


def test_the_decision_says_what_was_compared() -> None:
    judged = trial(FIRST[0], 0.5, 0.5, 0.6, 0.7)
    field = [trial(FIRST[1], 0.1, 0.2, 0.8), trial(FIRST[2], 0.4, 0.5, 0.9, phase=TrialPhase.COMPLETED)]
    stop = rule_for(CONFIG, Goal.MAXIMIZE, [judged, *field])(judged)
    assert stop is not None
    assert (stop.epoch, stop.value, stop.threshold) == (4, 0.6, 0.9)
    assert stop.message == ("epoch 4: 0.6 is below 0.9, which the best 1/3 of 3 trials had at epoch 3 (bracket 1 of 4)")


def test_only_trials_of_the_bracket_that_reached_the_rung_are_compared() -> None:
    judged = trial(FIRST[0], 0.1, 0.1, 0.1)
    elsewhere = [trial(number, 0.9, 0.9, 0.9) for number in range(1, 40) if number not in FIRST]
    behind = [trial(number, 0.9, 0.9) for number in FIRST[1:9]]
    failed = [trial(number, 0.9, 0.9, 0.9, phase=TrialPhase.FAILED) for number in FIRST[9:19]]
    trials = [judged, *elsewhere, *behind, *failed]
    assert rule_for(CONFIG, Goal.MAXIMIZE, trials)(judged) is None
    reached = [trial(number, 0.9, 0.9, 0.9, phase=TrialPhase.EARLY_STOPPED) for number in FIRST[19:21]]
    assert rule_for(CONFIG, Goal.MAXIMIZE, [*trials, *reached])(judged) is not None


def test_a_later_bracket_starts_to_choose_later() -> None:
    second = [number for number in range(1, 200) if CONFIG.bracket(number) == 1]
    judged = trial(second[0], 0.1, 0.1)
    field = [trial(number, 0.9, 0.9, 0.9) for number in second[1:9]]
    assert rule_for(CONFIG, Goal.MAXIMIZE, [judged, *field])(judged) is None
    judged = trial(second[0], 0.1, 0.1, 0.1)
    assert rule_for(CONFIG, Goal.MAXIMIZE, [judged, *field])(judged) is not None


def test_a_trial_that_goes_on_beyond_the_most_resource_is_stopped() -> None:
    config = Hyperband(1, 3)
    assert rule_for(config, Goal.MAXIMIZE, [])(trial(1, 0.1, 0.2, 0.3)) is None
    stop = rule_for(config, Goal.MAXIMIZE, [])(trial(1, 0.1, 0.2, 0.3, 0.4))
    assert stop is not None
    assert (stop.reason, stop.epoch) == ("MaxResourceReached", 4)


def test_a_job_with_hyperband_stops_trials() -> None:
    job = build.job(parallel=4)
    job = replace(job, spec=replace(job.spec, hyperband=CONFIG))
    values = [0.1, 0.8, 0.9]
    trials = [
        replace(trial(number, value), status=replace(trial(number, value).status, attempt_uid=f"pod-uid-{number}-1"))
        for number, value in zip(FIRST, values, strict=False)
    ]
    pods = [build.running_pod(each.number) for each in trials]
    decision = decide(build.snapshot(job, trials, pods))
    assert [each.phase for each in decision.trials] == [TrialPhase.STOPPING, TrialPhase.STOPPING, TrialPhase.RUNNING]
    assert [each.name for each in decision.delete_attempts] == [each.attempt_name for each in trials[:2]]


@pytest.mark.parametrize("bounds", [(0, 3, 3), (3, 3, 3), (1, 3, 1)])
def test_settings_without_rungs_are_refused(bounds: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"resource|reduction"):
        Hyperband(*bounds)


def test_a_trial_that_ended_by_itself_takes_nothing_from_the_rungs_and_the_limit_of_others() -> None:
    early = build.ended(FIRST[0], 0.9, 0.9, 0.9)
    behind, endless = trial(FIRST[1], 0.1, 0.1, 0.1), trial(FIRST[2], *[0.99] * 28)
    last = trial(FIRST[3], *[0.1] * 27)  # it is at its end, so that stopping saves nothing
    job = build.job()
    job = replace(job, spec=replace(job.spec, hyperband=CONFIG))
    found = judged((early, behind, endless, last), job)
    reasons = [item.status.stop.reason if item.status.stop else None for item in found]
    assert reasons == [None, "BelowRung", "MaxResourceReached", None]


def test_epochs_that_are_missing_count_for_what_a_trial_may_spend() -> None:
    for first in (1, 2):
        gappy = Curve.of([(first, 0.5), *((epoch, 0.5) for epoch in range(first + 2, first + 28))])
        item = build.trial(FIRST[0], TrialPhase.RUNNING, curve=gappy)
        stop = rule_for(CONFIG, Goal.MAXIMIZE, [item])(item)
        assert stop is not None
        assert (stop.reason, stop.epoch) == ("MaxResourceReached", first + 27)
