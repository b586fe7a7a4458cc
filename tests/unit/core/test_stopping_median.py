from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import pytest

from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, MedianKnobs, Statistic
from tuning_operator.core.model.trial import Trial, TrialPhase, TrialStatus
from tuning_operator.core.stopping import rule_for

NAN, INF = math.nan, math.inf
LITERAL = MedianKnobs(statistic=Statistic.CURRENT, min_completed_trials=1, min_epochs=1, min_progress=0)
EAGER = MedianKnobs(min_completed_trials=1, min_epochs=1, min_progress=0)


def trial(number: int, curve: Curve, phase: TrialPhase = TrialPhase.COMPLETED, attempt: int = 1) -> Trial:
    status = TrialStatus(phase=phase, curve=curve, attempt=attempt)
    return Trial(name=f"job-{number:04}", number=number, parameters={"lr": 0.1}, seed=number, status=status)


def curve(values: list[float], first: int = 1) -> Curve:
    return Curve.of(enumerate(values, start=first))


@dataclass(frozen=True)
class Case:
    name: str
    values: list[float]
    completed: list[list[float]]
    stops: bool
    knobs: MedianKnobs = field(default_factory=MedianKnobs)
    goal: Goal = Goal.MAXIMIZE


FLAT = [[0.2] * 10, [0.4] * 10, [0.6] * 10]

CASES = [
    Case("worse than the median", [0.1, 0.2, 0.3], FLAT, stops=True),
    Case("better than the median", [0.1, 0.2, 0.5], FLAT, stops=False),
    Case("a tie continues", [0.1, 0.4], FLAT, stops=False),
    Case("a tie up to rounding continues", [0.1, 0.1, 0.1], [[0.1] * 10] * 3, stops=False),
    Case("best so far counts, not a noisy last epoch", [0.5, 0.1], FLAT, stops=False),
    Case("the current value counts when asked for", [0.5, 0.1], FLAT, stops=True, knobs=LITERAL),
    Case("minimize: above the median", [0.9, 0.5], FLAT, stops=True, goal=Goal.MINIMIZE),
    Case("minimize: below the median", [0.9, 0.3], FLAT, stops=False, goal=Goal.MINIMIZE),
    Case("minimize: a tie continues", [0.9, 0.4], FLAT, stops=False, goal=Goal.MINIMIZE),
    Case("first trials: nothing completed", [0.1] * 9, [], stops=False, knobs=EAGER),
    Case("first trials: too few completed", [0.1] * 9, FLAT[:2], stops=False),
    Case("one completed is enough when asked for", [0.1] * 9, FLAT[:1], stops=True, knobs=EAGER),
    Case("not before two epochs", [0.1], FLAT, stops=False),
    Case(
        "not before a fifth of the typical length",
        [0.1] * 3,
        [[0.4] * 20, [0.4] * 20, [0.4] * 4],
        stops=False,
    ),
    Case("from a fifth of the typical length on", [0.1] * 4, [[0.4] * 20] * 3, stops=True),
    Case("the literal rule judges the first epoch", [0.1], FLAT[:1], stops=True, knobs=LITERAL),
    Case(
        "the reference is the running average, not the value at the epoch",
        [0.1, 0.5, 0.5],
        [[0.0, 0.6, 0.7]] * 3,
        stops=False,
    ),
    Case("a high quantile is stricter", [0.1, 0.5], FLAT, stops=True, knobs=MedianKnobs(quantile=0.9)),
    Case("a low quantile is laxer", [0.1, 0.3], FLAT, stops=False, knobs=MedianKnobs(quantile=0.1)),
    Case(
        "minimize: a high quantile is stricter too",
        [0.9, 0.3],
        FLAT,
        stops=True,
        knobs=MedianKnobs(quantile=0.9),
        goal=Goal.MINIMIZE,
    ),
    Case("a diverged trial is worse than all", [0.9, NAN, NAN], FLAT, stops=True),
    Case("infinity is diverged when maximizing", [0.9, INF, INF], FLAT, stops=True),
    Case("minus infinity is diverged when minimizing", [0.1, -INF, -INF], FLAT, stops=True, goal=Goal.MINIMIZE),
    Case("a NaN that was overcome is forgotten", [NAN, NAN, 0.5], FLAT, stops=False),
    Case("a NaN that came once says nothing yet", [0.9, 0.9, NAN], FLAT, stops=False),
    Case("a NaN that passed does not spare a trial", [0.1, NAN, 0.1], FLAT, stops=True),
    Case("a NaN that passed in the pool is bridged", [0.1, 0.1], [[0.4, NAN, *[0.4] * 8]] * 3, stops=True),
    Case("a NaN in the pool ranks last", [0.1, 0.3], [*FLAT, [NAN] * 10], stops=False),
    Case("a NaN in the pool does not switch the rule off", [0.1, 0.1], [*FLAT, [NAN] * 10], stops=True),
    Case("a pool that diverged stops nothing", [0.1, NAN, NAN], [[NAN] * 10] * 4, stops=False),
    Case("half a pool that diverged stops nothing", [0.1, 0.1], [*FLAT[:2], [NAN] * 9, [NAN] * 9], stops=False),
    Case(
        "trials that ended before the epoch are no reference for it",
        [0.1] * 6,
        [[0.4] * 10, [0.4] * 10, [0.4] * 5],
        stops=False,
    ),
    Case(
        "trials that ended before the epoch do not count, the others do",
        [0.1] * 6,
        [*FLAT, [0.0] * 5, [0.0] * 5, [0.0] * 5],
        stops=True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_median(case: Case) -> None:
    running = trial(99, curve(case.values), TrialPhase.RUNNING)
    trials = [trial(number, curve(values)) for number, values in enumerate(case.completed)]
    config = EarlyStopping(EarlyStoppingType.MEDIAN, case.knobs)

    decision = rule_for(config, case.goal, [*trials, running])(running)

    assert (decision is not None) == case.stops


def median(running: Trial, others: list[Trial], knobs: MedianKnobs = EAGER, goal: Goal = Goal.MAXIMIZE) -> str:
    decision = rule_for(EarlyStopping(EarlyStoppingType.MEDIAN, knobs), goal, [*others, running])(running)
    return decision.message if decision else ""


def pool(values: list[list[float]] = FLAT) -> list[Trial]:
    return [trial(number, curve(each)) for number, each in enumerate(values)]


def test_decision_carries_its_numbers_and_a_sentence() -> None:
    running = trial(9, curve([0.1, 0.2, 0.15, 0.123456]), TrialPhase.RUNNING)

    decision = rule_for(EarlyStopping(EarlyStoppingType.MEDIAN), Goal.MAXIMIZE, [*pool(), running])(running)

    assert decision is not None
    assert (decision.reason, decision.epoch) == ("BelowMedian", 4)
    assert decision.value == 0.2
    assert decision.threshold == pytest.approx(0.4)
    assert decision.message == (
        "epoch 4: 0.2 is below 0.4, the median of 3 completed trials; estimated chance to beat 0.6: at most 1 in 4"
        " (0 of 3 completed trials gained the 0.4 that it lacks)"
    )


def test_sentence_when_minimizing_and_with_another_quantile() -> None:
    running = trial(9, curve([0.9, 0.7]), TrialPhase.RUNNING)

    assert median(running, pool(), MedianKnobs(quantile=0.75), Goal.MINIMIZE) == (
        "epoch 2: 0.7 is above 0.3, the 75% quantile of 3 completed trials; estimated chance to beat 0.2: at most"
        " 1 in 4 (0 of 3 completed trials gained the 0.5 that it lacks)"
    )


def test_sentence_of_a_diverged_trial() -> None:
    running = trial(9, curve([0.9, NAN, NAN]), TrialPhase.RUNNING)

    assert median(running, pool()) == (
        "epoch 3: the training diverged, which is worse than 0.4, the median of 3 completed trials"
    )


def test_only_completed_trials_are_references() -> None:
    running = trial(9, curve([0.1, 0.1]), TrialPhase.RUNNING)
    others = [
        trial(number, curve([0.5] * 10), phase)
        for number, phase in enumerate(TrialPhase)
        if phase is not TrialPhase.COMPLETED
    ]

    assert median(running, others) == ""
    assert median(running, [*others, trial(20, curve([0.5] * 10))]) != ""


def test_epochs_behind_a_gap_are_not_judged() -> None:
    behind_gap = Curve.of([(1, 0.5), (2, 0.5), (4, 0.1)])
    knobs = replace(LITERAL, min_epochs=3)

    assert median(trial(9, behind_gap, TrialPhase.RUNNING), pool(), knobs) == ""
    closed = behind_gap.merge(Curve.of([(3, 0.1)]))
    assert median(trial(9, closed, TrialPhase.RUNNING), pool(), knobs).startswith("epoch 4: 0.1 ")


def test_a_trial_that_reports_late_is_judged_at_its_newest_epoch() -> None:
    late = trial(9, curve([0.1, 0.1, 0.1, 0.1, 0.9]), TrialPhase.RUNNING)

    assert median(late, pool(), LITERAL) == ""


def test_a_curve_without_its_beginning_is_not_judged_and_no_reference() -> None:
    tail = Curve.of([(3, 0.1), (4, 0.1)])

    assert median(trial(9, tail, TrialPhase.RUNNING), pool()) == ""
    assert median(trial(9, curve([0.01] * 4), TrialPhase.RUNNING), [trial(1, tail)]) == ""
    assert median(trial(9, Curve(), TrialPhase.RUNNING), pool()) == ""


def test_missing_epochs_of_a_completed_trial_are_interpolated() -> None:
    thinned = trial(1, Curve.of([(1, 0.0), (2, 0.1), (5, 0.4)]))
    running = trial(9, curve([0.0, 0.0, 0.0, 0.149]), TrialPhase.RUNNING)

    assert median(running, [thinned]).startswith("epoch 4: 0.149 is below 0.15, the median of 1 completed trials")


def test_what_lies_between_a_value_and_a_divergence_is_diverged() -> None:
    thinned = trial(1, Curve.of([(1, 0.5), (2, 0.5), (4, NAN)]))

    assert median(trial(9, curve([0.1, 0.1]), TrialPhase.RUNNING), [thinned]) != ""
    assert median(trial(9, curve([0.1, 0.1, 0.1]), TrialPhase.RUNNING), [thinned]) == ""


def test_a_restarted_trial_is_judged_by_what_is_known_of_it() -> None:
    second_attempt = trial(9, curve([0.1, 0.2, 0.3]), TrialPhase.RUNNING, attempt=2)

    assert median(second_attempt, pool()).startswith("epoch 3: 0.3 is below 0.4")


def test_epochs_may_count_from_zero() -> None:
    running = trial(9, curve([0.1, 0.1], first=0), TrialPhase.RUNNING)
    others = [trial(number, curve(values, first=0)) for number, values in enumerate(FLAT)]

    assert median(running, others).startswith("epoch 1: 0.1 is below 0.4")


def test_off_stops_nothing() -> None:
    running = trial(9, curve([0.0] * 5), TrialPhase.RUNNING)

    assert rule_for(EarlyStopping(), Goal.MAXIMIZE, [*pool(), running])(running) is None


@pytest.mark.slow
def test_ten_thousand_epochs_are_judged_in_time() -> None:
    others = [trial(number, curve([number / 50 + epoch * 1e-6 for epoch in range(10_000)])) for number in range(50)]
    running = trial(99, curve([0.1] * 9_000), TrialPhase.RUNNING)

    start = time.process_time()
    message = median(running, others)

    assert message.startswith("epoch 9000: 0.1 is below 0.49")
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("quantile", 0.0),
        ("quantile", 1.0),
        ("quantile", NAN),
        ("min_completed_trials", 0),
        ("min_epochs", 0),
        ("min_progress", -0.1),
        ("min_progress", 1.1),
    ],
)
def test_a_bad_knob_is_named(knob: str, value: float) -> None:
    with pytest.raises(ValueError, match=knob):
        MedianKnobs(**{knob: value})  # type: ignore[arg-type]
