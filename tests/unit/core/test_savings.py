from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import curve, job, trial
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, Hyperband
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase
from tuning_operator.core.stopping.savings import DryRun, Saving, Savings, savings

if TYPE_CHECKING:
    from tuning_operator.core.model.job import Job

AUTO = EarlyStopping(EarlyStoppingType.AUTO)
DRY_RUN = EarlyStopping(EarlyStoppingType.AUTO, dry_run=True)
NOTHING = Saving(0, 0, 0)


def trained(
    number: int, epochs: int, seconds: int, phase: TrialPhase = TrialPhase.COMPLETED, last: float = 0.5, **more: Any
) -> Trial:
    values = curve(*[0.1] * (epochs - 1), last)
    return trial(number, phase, curve=values, training_seconds=seconds, **more)


def tried(number: int, at: int, epochs: int = 10, seconds: int = 20, **more: Any) -> Trial:
    """A trial that a dry run would have stopped."""
    return trained(number, epochs, seconds, would_stop=StopDecision("OutOfReach", "", at, 0.1, 0.2), **more)


COMPLETED = [trained(1, 10, 20), trained(2, 10, 30), trained(3, 12, 60)]  # 2, 3 and 5 s an epoch


@pytest.mark.parametrize(
    ("stopped", "saving"),
    [
        ([], NOTHING),
        ([trained(4, 4, 4)], Saving(1, 6, 6)),  # at its own pace
        ([trained(4, 4, 40)], Saving(1, 6, 18)),  # but not slower than the completed ones
        ([trained(4, 4, 4), trained(5, 2, 4)], Saving(2, 14, 22)),
        ([trained(4, 11, 11)], Saving(1, 0, 0)),  # longer than usual
        ([trained(4, 1, 2)], Saving(1, 9, 18)),  # one epoch has a pace, too
    ],
)
def test_a_stopped_trial_saves_the_epochs_that_it_is_short_of_the_usual_length(
    stopped: list[Trial], saving: Saving
) -> None:
    early = [trial(item.number, TrialPhase.EARLY_STOPPED, **fields(item)) for item in stopped]
    assert savings(job(early_stopping=AUTO), [*COMPLETED, *early]) == Savings(saving, None)


def fields(item: Trial) -> dict[str, Any]:
    return {"curve": item.curve, "training_seconds": item.status.training_seconds}


def test_the_pace_of_completed_trials_of_one_epoch_is_their_time() -> None:
    hyperband = job()
    a_job = replace(hyperband, spec=replace(hyperband.spec, hyperband=Hyperband(1, 9)))
    early = trained(2, 1, 5, TrialPhase.EARLY_STOPPED)
    assert savings(a_job, [trained(1, 1, 3), early]) == Savings(Saving(1, 8, 24), None)


def test_gaps_do_not_shorten_a_curve_and_nothing_is_saved_before_a_trial_has_been_completed() -> None:
    thinned = trained(1, 10, 10)
    sparse = trial(1, TrialPhase.COMPLETED, curve=curve(0.1).merge(curve(0.5, first=10)), training_seconds=10)
    early = trained(2, 4, 4, TrialPhase.EARLY_STOPPED)
    for completed in (thinned, sparse):
        assert savings(job(early_stopping=AUTO), [completed, early]) == Savings(Saving(1, 6, 6), None)
    assert savings(job(early_stopping=AUTO), [early]) == Savings(Saving(1, 0, 0), None)


def test_a_job_without_early_stopping_has_nothing_to_say_but_what_was_stopped_stays() -> None:
    assert savings(job(), COMPLETED) is None
    assert savings(job(), [*COMPLETED, trained(4, 4, 4, TrialPhase.EARLY_STOPPED)]) == Savings(Saving(1, 6, 6), None)


def test_with_hyperband_a_whole_trial_is_as_long_as_it_may_be() -> None:
    hyperband = job()
    a_job = replace(hyperband, spec=replace(hyperband.spec, hyperband=Hyperband(1, 27)))
    early = trained(2, 3, 6, TrialPhase.EARLY_STOPPED)
    assert savings(a_job, [early]) == Savings(Saving(1, 24, 48), None)
    assert savings(a_job, [trained(1, 27, 27), early]) == Savings(Saving(1, 24, 24), None)
    assert savings(a_job, [trained(2, 28, 28, TrialPhase.EARLY_STOPPED)]) == Savings(Saving(1, 0, 0), None)


def dry_run(trials: list[Trial], a_job: Job | None = None) -> DryRun:
    found = savings(a_job or job(early_stopping=DRY_RUN), trials)
    assert found
    assert found.stopped == NOTHING
    assert found.dry_run
    return found.dry_run


def test_a_dry_run_tells_what_it_would_have_saved() -> None:
    running = tried(4, at=4, epochs=5, seconds=0, phase=TrialPhase.RUNNING)
    assert dry_run([*COMPLETED, running]) == DryRun(
        Saving(1, 6, 18), None, "dry run: 1 of 4 trials would have been stopped"
    )
    assert dry_run([*COMPLETED, tried(4, at=4, epochs=12)]).saving == Saving(1, 8, 13)
    failed = tried(4, at=4, epochs=7, seconds=7, phase=TrialPhase.FAILED)
    assert dry_run([*COMPLETED, failed]).saving == Saving(1, 3, 3)
    assert dry_run([]) == DryRun(NOTHING, None, "dry run: 0 of 0 trials would have been stopped")


@pytest.mark.parametrize(
    ("goal", "last", "misses", "message"),
    [
        (Goal.MAXIMIZE, 0.4, False, "; the best, job-0001 (0.5), would not"),
        (Goal.MAXIMIZE, 0.5, False, "; the best, job-0001 (0.5), would not"),  # as good is no loss
        (Goal.MAXIMIZE, float("nan"), False, "; the best, job-0001 (0.5), would not"),
        (
            Goal.MAXIMIZE,
            0.6,
            True,
            ", among them the best, job-0004 (0.6), at epoch 4; the best would have been job-0001 (0.5)",
        ),
        (
            Goal.MINIMIZE,
            0.4,
            True,
            ", among them the best, job-0004 (0.4), at epoch 4; the best would have been job-0001 (0.5)",
        ),
    ],
)
def test_a_dry_run_tells_whether_the_best_would_have_been_lost(
    goal: Goal, last: float, misses: bool, message: str
) -> None:
    found = dry_run([*COMPLETED, tried(4, at=4, last=last)], job(early_stopping=DRY_RUN, goal=goal))
    assert (found.would_miss_best, found.message) == (
        misses,
        f"dry run: 1 of 4 trials would have been stopped{message}",
    )


def test_an_equal_that_came_first_is_no_loss_either() -> None:
    first = tried(1, at=4, last=0.5)
    found = dry_run([first, trained(2, 10, 30)])
    assert (found.would_miss_best, found.message) == (
        False,
        "dry run: 1 of 2 trials would have been stopped; the best, job-0002 (0.5), would not",
    )


def test_what_a_dry_run_showed_stays_when_it_is_over() -> None:
    assert dry_run([*COMPLETED, tried(4, at=4)], job(early_stopping=AUTO)).saving.trials == 1
