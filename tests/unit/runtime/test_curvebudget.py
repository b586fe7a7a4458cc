"""What is written of growing curves: all of it while it is little, and never more than the budget."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from tests.unit.builders import trial
from tuning_operator.core.model.curves import Curve
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.reconciler.curvebudget import AT_ONCE, AT_ONCE_IF_URGENT, LONGEST_PAUSE, CurveBudget

if TYPE_CHECKING:
    from tuning_operator.core.model.trial import Trial

LARGE, SMALL = JobKey("ns", "large"), JobKey("ns", "small")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@cache
def grown(number: int, epochs: int) -> Trial:
    return trial(number, curve=Curve.of((epoch, 0.5) for epoch in range(1, epochs + 1)))


def test_a_small_job_shows_each_epoch() -> None:
    clock = Clock()
    budget = CurveBudget(40.0, clock)
    for epochs in range(1, 100):
        several = [grown(number, epochs) for number in range(5)]
        assert len(budget.chosen(SMALL, several, {item.name: epochs - 1 for item in several})) == 5
        clock.now += 0.5


def test_thousands_of_trainings_share_the_budget_and_a_small_job_beside_them_has_its_part() -> None:
    clock = Clock()
    budget = CurveBudget(40.0, clock)
    recorded = {grown(number, 0).name: 0 for number in range(1000)}
    small = {grown(number, 0).name: 0 for number in range(2)}
    written: Counter[JobKey] = Counter()
    for step in range(1, 601):
        clock.now += 0.1
        epochs = 1 + step // 10
        while chosen := budget.chosen(LARGE, [grown(number, epochs) for number in range(1000)], recorded):
            recorded |= {item.name: item.curve.count for item in chosen}
            written[LARGE] += len(chosen)
        lagging = [grown(number, epochs) for number in range(2) if small[grown(number, epochs).name] < epochs]
        for item in budget.chosen(SMALL, lagging, small):
            small[item.name] = item.curve.count
            written[SMALL] += 1
        assert min(small.values()) >= epochs - 1
    assert written.total() <= 40 * 61
    assert written[LARGE] >= 20 * 59
    assert min(recorded.values()) > 0, "each of them has its turn"


def test_what_is_put_off_is_looked_at_again_when_there_is_some_budget() -> None:
    clock = Clock()
    budget = CurveBudget(10.0, clock)
    several = [grown(number, 1) for number in range(30)]
    recorded = {item.name: 0 for item in several}
    first = budget.chosen(LARGE, several, recorded)
    assert len(first) == AT_ONCE
    assert len(budget.chosen(LARGE, several[8:], recorded)) == 2
    assert budget.chosen(LARGE, several[10:], recorded) == []
    pause = budget.pause(LARGE)
    assert timedelta(0) < pause <= timedelta(seconds=LONGEST_PAUSE)
    clock.now += pause.total_seconds() + 0.001
    assert len(budget.chosen(LARGE, several[10:], recorded)) == AT_ONCE
    budget.forget(LARGE)
    assert budget.chosen(LARGE, [], {}) == []


def test_where_other_work_waits_fewer_are_written_at_a_time() -> None:
    budget = CurveBudget(1000.0, Clock())
    several = [grown(number, 1) for number in range(50)]
    recorded = {item.name: 0 for item in several}
    assert len(budget.chosen(LARGE, several, recorded)) == AT_ONCE
    assert len(budget.chosen(LARGE, several, recorded, is_urgent=True)) == AT_ONCE_IF_URGENT
