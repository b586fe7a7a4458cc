"""What another rule would have done with a job: from resources to the replay, and from its result to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_operator.api.job import parse_job
from tuning_operator.api.rules import parse_rule
from tuning_operator.api.trial import parse_trial
from tuning_operator.api.values import render_number
from tuning_operator.core.stopping import what_if as core

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tuning_operator.core.model.trial import StopDecision


def what_if(job: Mapping[str, Any], trials: Iterable[Mapping[str, Any]], rule: Mapping[str, Any]) -> core.WhatIf:
    """Replay a job under another rule.

    Args:
        job: The HyperparameterTuningJob as the API server returns it.
        trials: Its TuningTrials.
        rule: As `spec.earlyStopping`, or `{"type": "Hyperband", "minResource": …, "maxResource": …}`.

    Raises:
        InvalidJobError: The rule or the job is not understood; the message names the field.
        InvalidTrialError: A trial is not understood.
    """
    parsed = parse_job(job).job
    return core.what_if(parsed, [parse_trial(trial, parsed.spec) for trial in trials], parse_rule(rule))


def render(result: core.WhatIf) -> dict[str, Any]:
    """Render a result for programs; numbers that may be infinite are texts, as in the resources."""
    return {
        "stopped": result.stopped,
        "epochsSaved": result.epochs_saved,
        "secondsSaved": result.seconds_saved,
        "trainingSeconds": result.training_seconds,
        "best": _best(result.best),
        "bestAfter": _best(result.best_after),
        "winnerLost": result.winner_lost,
        "trials": [
            {
                "name": trial.name,
                "number": trial.number,
                "phase": trial.phase,
                "stop": _stop(trial.stop),
                "recordedStop": _stop(trial.recorded_stop),
                "epochsSaved": trial.epochs_saved,
                "secondsSaved": trial.seconds_saved,
                "openEnd": trial.open_end,
            }
            for trial in result.trials
        ],
        "unknown": list(result.unknown),
    }


def _best(best: core.Best | None) -> dict[str, str] | None:
    return {"name": best.name, "objective": render_number(best.objective)} if best else None


def _stop(stop: StopDecision | None) -> dict[str, Any] | None:
    if stop is None:
        return None
    numbers = {"value": stop.value, "threshold": stop.threshold}
    return {
        "reason": stop.reason,
        "message": stop.message,
        "epoch": stop.epoch,
        **{name: render_number(value) for name, value in numbers.items() if value is not None},
    }
