"""Records of jobs: read from objects as the API server gives them, written and read again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from experiment.records import Kind, Stopping, load, read_record, save
from tests.unit.experiment.made import at, both, job, trial

if TYPE_CHECKING:
    from pathlib import Path

JOB: dict[str, Any] = {
    "metadata": {"name": "crossover-7-3s-auto"},
    "spec": {
        "seed": 7,
        "earlyStopping": {"type": "Auto"},
        "staticParameters": {"epochs": "10"},
        "limits": {"maxTrials": 2, "maxParallelTrials": 2},
    },
    "status": {
        "phase": "Completed",
        "startTime": "2026-01-01T12:00:00Z",
        "completionTime": "2026-01-01T12:01:00Z",
        "totalTrainingSeconds": 41,
        "bestTrial": {"name": "crossover-7-3s-auto-0002", "objective": "0.9"},
    },
}


def body(number: int, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"crossover-7-3s-auto-{number:04d}"},
        "spec": {"number": number, "parameters": {"run": "53"}},
        "status": {"phase": "Completed", **status},
    }


def test_a_record_has_what_the_objects_say() -> None:
    stop = {"epoch": 2, "value": "0.1", "threshold": "0.6", "reason": "OutOfReach", "message": "epoch 2: 0.1 is below"}
    trials = [
        body(2, trainingSeconds=33, curve={"epochs": [1, 2], "values": ["0.8", "0.9"]}),
        body(
            1,
            phase="EarlyStopped",
            startTime="2026-01-01T12:00:02Z",
            completionTime="2026-01-01T12:00:10Z",
            trainingSeconds=8,
            curve={"epochs": [1, 2, 3], "values": ["0.1", "NaN", "+Inf"]},
            stopDecision=stop,
        ),
        body(3, phase="Failed"),
    ]
    record = read_record(JOB, trials, kind=Kind.CROSSOVER, epoch_seconds=3.0, scrape_seconds=5, cores=2)
    assert (record.seed, record.stopping, record.epochs, record.workers) == (7, Stopping.AUTO, 10, 2)
    assert (record.clock_seconds, record.training_seconds, record.best, record.best_value) == (60, 41, 2, 0.9)
    assert [trial.number for trial in record.trials] == [1, 2, 3]
    stopped, completed, failed = record.trials
    assert record.stopped == (stopped,)
    assert stopped.stop
    assert (stopped.stop.epoch, stopped.stop.value, stopped.stop.threshold) == (2, 0.1, 0.6)
    assert (stopped.started, stopped.finished) == (at(2), at(10))
    assert [epoch for epoch, _ in stopped.curve] == [1, 2, 3]
    assert math.isnan(stopped.curve[1][1])
    assert completed.curve == ((1, 0.8), (2, 0.9))
    assert failed.curve == ()
    assert (record.epochs_trained, record.epochs_asked) == (5, 30)


def test_a_record_tells_when_a_paused_trial_resumed() -> None:
    job = JOB | {"spec": JOB["spec"] | {"earlyStopping": {"type": "Auto", "pause": True}}}
    decision = {"pauseDecision": {"reason": "OutOfReach"}}
    later = {"attempt": 2, "attemptTime": "2026-01-01T12:00:30Z"}
    trials = [body(1), body(2, **decision, **later, resumptions=1), body(3, **decision), body(4, **later)]
    record = read_record(job, trials, kind=Kind.PAUSES, epoch_seconds=1.5, scrape_seconds=1, cores=2)
    assert record.stopping is Stopping.PAUSE
    assert [trial.paused for trial in record.trials] == [False, True, True, False]
    assert [trial.resumed for trial in record.trials] == [None, at(30), None, None], "a retry is no resumption"


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    assert load(file) == ()
    diverged = trial(1, 0, 5, 0.1, math.inf)
    records = [*both(), job(Stopping.OFF, seed=2).model_copy(update={"trials": (diverged,)})]
    save(file, records)
    assert sorted(load(file), key=lambda record: record.name) == sorted(records, key=lambda record: record.name)
    assert len(file.read_text().splitlines()) == 2 + 3 + 4 + 4 + 1, "a line for each job, and one for each trial"


def test_a_file_with_other_fields_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    save(file, both())
    file.write_text(file.read_text().replace('"seed"', '"sead"'))
    with pytest.raises(ValueError, match="sead"):
        load(file)
