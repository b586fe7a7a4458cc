from __future__ import annotations

from dataclasses import replace

from tests.unit.builders import ago, curve, ended, job, running_pod, snapshot, trial, with_status
from tuning_operator.core.decide import decide
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, MedianKnobs
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase
from tuning_operator.core.stopping.judging import judged

MEDIAN = EarlyStopping(EarlyStoppingType.MEDIAN)
DRY_RUN = replace(MEDIAN, dry_run=True)
COMPLETED = [ended(number, *[0.5] * 10) for number in (1, 2, 3)]


def running(number: int, *values: float, would_stop: StopDecision | None = None) -> Trial:
    uid = f"pod-uid-{number}-1"
    known = curve(*values)
    return trial(number, TrialPhase.RUNNING, attempt_uid=uid, start_time=ago(90), curve=known, would_stop=would_stop)


def decision_about(number: int, trials: list[Trial], config: EarlyStopping) -> StopDecision | None:
    status = next(item.status for item in judged(tuple(trials), job(early_stopping=config)) if item.number == number)
    return status.would_stop if config.dry_run else status.stop


def test_a_dry_run_records_what_it_would_have_decided_and_stops_nothing() -> None:
    trials = [*COMPLETED, running(4, 0.1, 0.1)]
    found = decide(snapshot(job(early_stopping=DRY_RUN), trials, [running_pod(4)]))
    (changed,) = found.changed
    assert (changed.phase, changed.status.stop, changed.status.reason) == (TrialPhase.RUNNING, None, None)
    assert changed.status.would_stop == decision_about(4, trials, MEDIAN)
    assert found.delete_attempts == ()
    (notice,) = found.notices
    assert (notice.trial and notice.trial.name, notice.reason) == ("job-0004", "TrialWouldStop")
    assert notice.message.startswith("dry run: epoch 2: 0.1 is below 0.5, the median of 3 completed trials")


def test_the_first_decision_of_a_dry_run_stands() -> None:
    first = StopDecision("BelowMedian", "epoch 2: …", 2, 0.1, 0.5)
    trials = [*COMPLETED, running(4, 0.1, 0.1, 0.2, would_stop=first)]
    found = decide(snapshot(job(early_stopping=DRY_RUN), trials, [running_pod(4)]))
    assert (found.changed, found.notices) == ((), ())


def test_a_trial_that_would_have_been_stopped_is_known_to_later_decisions_as_if_it_had_been() -> None:
    knobs = MedianKnobs(min_completed_trials=1, min_epochs=1, min_progress=0)
    dry_run = EarlyStopping(EarlyStoppingType.MEDIAN, knobs, dry_run=True)
    late = with_status(ended(2, 0.1, *[0.9] * 9), would_stop=StopDecision("BelowMedian", "", 1, 0.1, 0.5))
    trials = [ended(1, *[0.5] * 10), late, running(3, 0.5, 0.52)]
    assert decision_about(3, trials, dry_run) is None
    assert decision_about(3, trials, replace(dry_run, dry_run=False)) is None  # 0.52 against 0.5: the median of both
    behind = [*trials[:2], running(3, 0.1, 0.3, 0.55)]
    assert decision_about(3, behind, dry_run) is None
    assert decision_about(3, behind, replace(dry_run, dry_run=False)) is not None


def test_when_the_dry_run_is_over_running_trials_are_judged_anew() -> None:
    tried = StopDecision("BelowMedian", "epoch 2: …", 2, 0.1, 0.5)
    found = decide(
        snapshot(
            job(early_stopping=MEDIAN), [*COMPLETED, running(4, 0.1, 0.1, 0.2, would_stop=tried)], [running_pod(4)]
        )
    )
    (stopped,) = found.changed
    assert stopped.phase is TrialPhase.STOPPING
    assert stopped.status.stop is not None
    assert (stopped.status.stop.epoch, stopped.status.would_stop) == (3, tried)
    assert [item.name for item in found.delete_attempts] == ["job-0004-1"]
    recovered = running(4, 0.1, 0.1, 0.6, would_stop=tried)
    assert decide(snapshot(job(early_stopping=MEDIAN), [*COMPLETED, recovered], [running_pod(4)])).changed == ()
