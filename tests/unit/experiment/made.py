"""Made records of jobs, small enough to do the sums in the head."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from experiment.records import VARIANTS, JobRecord, Kind, StopDecision, Stopping, TrialRecord

BEGINNING = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGINNING + timedelta(seconds=seconds)


def trial(
    number: int, start: float, end: float, *values: float, stop: int | None = None, phase: str | None = None
) -> TrialRecord:
    """A trial; `stop` is the epoch that decided."""
    decision = StopDecision(epoch=stop, value=values[stop - 1], threshold=0.5, message="") if stop else None
    return TrialRecord(
        number=number,
        parameters={"run": str(number)},
        phase=phase or ("EarlyStopped" if stop else "Completed"),
        started=at(start),
        finished=at(end),
        training_seconds=int(end - start),
        curve=tuple(enumerate(values, start=1)),
        stop=decision,
    )


OFF = (
    trial(1, 2, 12, 0.1, 0.2, 0.3, 0.4),
    trial(2, 2, 12, 0.2, 0.3, 0.5, 0.8),
    trial(3, 14, 24, 0.1, 0.1, 0.1, 0.1),
    trial(4, 14, 24, 0.1, 0.1, 0.6, 0.7),
)
AUTO = (*OFF[:2], trial(3, 14, 20, 0.1, 0.1, stop=1), OFF[3])
PAUSED = (
    *OFF[:2],
    trial(3, 14, 30, 0.1, 0.1, 0.1, 0.9).model_copy(update={"training_seconds": 10, "paused": True, "resumed": at(24)}),
    OFF[3],
)


def job(
    stopping: Stopping, seed: int = 1, kind: Kind = Kind.REFERENCE, epoch_seconds: float | None = None
) -> JobRecord:
    trials = OFF if stopping is Stopping.OFF else AUTO if stopping is Stopping.AUTO else PAUSED
    return JobRecord(
        name=f"{kind}-{seed}-{epoch_seconds}-{stopping}",
        kind=kind,
        seed=seed,
        stopping=stopping,
        epoch_seconds=epoch_seconds,
        scrape_seconds=5,
        cores=2,
        epochs=4,
        workers=2,
        started=at(0),
        finished=at(24 if stopping is Stopping.OFF else 22 if stopping is Stopping.AUTO else 30),
        training_seconds=sum(trial.training_seconds for trial in trials),
        best=3 if stopping is Stopping.PAUSE else 2,
        best_value=0.9 if stopping is Stopping.PAUSE else 0.8,
        trials=trials,
    )


def both(seed: int = 1, kind: Kind = Kind.REFERENCE, epoch_seconds: float | None = None) -> list[JobRecord]:
    return [job(stopping, seed, kind, epoch_seconds) for stopping in VARIANTS[kind]]
