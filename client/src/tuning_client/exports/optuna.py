"""A job as a study of Optuna's, which optuna-dashboard opens.

A trial that was stopped is pruned, one that failed or diverged has failed. Parameters have the distributions of the
search space; where Optuna has no counterpart (ReverseLog) the values are right and the distribution is linear. Numbers
to choose from are choices. Repetitions with other seeds are a second study, so that none of them is the best trial.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tuning_client.describe import phase, time_in
from tuning_client.errors import TuningError
from tuning_client.exports.trials import ended, measurements, typed
from tuning_client.names import repeated_trial
from tuning_client.parameters import is_logarithmic

try:
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import FrozenTrial, TrialState
except ImportError as error:
    raise ImportError("exporting to Optuna needs optuna: pip install 'tuning-client[optuna]'") from error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from optuna.distributions import BaseDistribution

_STATES = {
    "Completed": TrialState.COMPLETE,
    "EarlyStopped": TrialState.PRUNED,
    "Stopped": TrialState.PRUNED,
    "Failed": TrialState.FAIL,
}


def export(job: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], target: Path) -> int:
    """Write the trials that have ended as a study into an SQLite file; returns how many those are.

    Those that train a setting again are in the study `<job>-confirmation`.

    Raises:
        TuningError: the file has a study of this name already.
    """
    name, objective, space = job["metadata"]["name"], job["spec"]["objective"], job["spec"]["parameters"]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{target.absolute()}")
    found = ended(trials)
    studies = {name: [trial for trial in found if not repeated_trial(trial, job)]}
    if repeated := [trial for trial in found if repeated_trial(trial, job)]:
        studies[f"{name}-confirmation"] = repeated
    for study_name, those in studies.items():
        try:
            study = optuna.create_study(storage=storage, study_name=study_name, direction=objective["goal"].lower())
        except optuna.exceptions.DuplicatedStudyError:
            raise TuningError(f"{target} already has a study {study_name}: choose another file") from None
        study.set_user_attr("metric", objective["metric"])
        if best := (job.get("status") or {}).get("bestTrial"):
            study.set_user_attr("best", best["name"])  # of a confirmed job by the mean, which is no trial's value
        study.add_trials([frozen(trial, space, repeated_trial(trial, job)) for trial in those])
    return len(found)


def frozen(trial: Mapping[str, Any], space: Sequence[Mapping[str, Any]], confirms: str | None = None) -> FrozenTrial:
    """Return an ended trial as Optuna keeps it; `confirms` names the one that it trains again with another seed."""
    status, number = trial["status"], trial["spec"]["number"]
    state, curve = _STATES[phase(trial)], measurements(trial)
    value = float(status.get("objective", math.nan))
    if state is TrialState.COMPLETE and math.isnan(value):
        state = TrialState.FAIL
    tuned = trial["spec"]["parameters"]
    known = {item["name"]: item for item in space if item["name"] in tuned}
    decision = status.get("stopDecision") or {}
    about = {
        "trial": trial["metadata"]["name"],
        "phase": phase(trial),
        "reason": status.get("reason"),
        "message": decision.get("message") or status.get("message"),
        "training_seconds": status.get("trainingSeconds"),
        "confirms": confirms,
    }
    ended_at = time_in(status.get("completionTime"))
    return FrozenTrial(
        number=number - 1,
        trial_id=number - 1,
        state=state,
        value=value if state is TrialState.COMPLETE else None,
        datetime_start=_local(time_in(status.get("startTime")) or ended_at),
        datetime_complete=_local(ended_at),
        params={name: typed(item, tuned[name]) for name, item in known.items()},
        distributions={name: distribution(item) for name, item in known.items()},
        user_attrs={key: value for key, value in about.items() if value is not None},
        system_attrs={},
        intermediate_values=dict(curve),
    )


def distribution(parameter: Mapping[str, Any]) -> BaseDistribution:
    """Return the distribution that a parameter was drawn from."""
    if "categorical" in parameter:
        return CategoricalDistribution(parameter["categorical"]["values"])
    if "integer" in parameter:
        bounds = parameter["integer"]
        log, step = is_logarithmic(bounds), bounds.get("step", 1)
        return IntDistribution(bounds["min"], _last(bounds, step), log=log and step == 1, step=step)
    if "discrete" in parameter:
        return CategoricalDistribution([typed(parameter, str(value)) for value in parameter["discrete"]["values"]])
    bounds = parameter["continuous"]
    if step := bounds.get("step"):
        return FloatDistribution(bounds["min"], _last(bounds, step), step=step)
    return FloatDistribution(bounds["min"], bounds["max"], log=is_logarithmic(bounds))


def _last(bounds: Mapping[str, Any], step: float) -> float:
    """The last value on the step, which Optuna takes for the end of the range."""
    first, end, distance = (Decimal(str(number)) for number in (bounds["min"], bounds["max"], step))
    last = first + (end - first) // distance * distance
    return int(last) if isinstance(bounds["min"], int) and isinstance(step, int) else float(last)


def _local(time: Any) -> Any:
    """Optuna keeps local times without a zone."""
    return time.astimezone().replace(tzinfo=None) if time else None
