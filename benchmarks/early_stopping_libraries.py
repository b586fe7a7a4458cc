"""Other tools' rules as their libraries have them, where those are installed and can be called so often.

Optuna's pruners take a study and a frozen trial, Syne Tune's scheduler takes result after result: both are asked
without their own tuning loop. Ax's strategies want an experiment with its data frames for every call, a hundred
thousand times a task: its rule stays re-implemented.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.early_stopping_replay import Rule, Study


def installed() -> dict[str, Rule]:
    """The rules by the names of their re-implementations; empty without the packages of requirements.txt."""
    found: dict[str, Rule] = {}
    for name, rule in (("Optuna MedianPruner", OptunaMedian), ("Syne Tune median", SyneTuneMedian)):
        try:
            found[name] = rule()
        except ImportError:
            continue
    return found


class OptunaMedian:
    """`MedianPruner()`. A trial that ends without a number has failed, as Optuna's `tell` has it."""

    def __init__(self) -> None:
        import optuna  # noqa: PLC0415 - only who compares needs it

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._pruner = optuna.pruners.MedianPruner()
        self._studies: WeakKeyDictionary[Study, tuple[Any, dict[int, Any]]] = WeakKeyDictionary()

    def __call__(self, study: Study, trial: int) -> bool:
        if study not in self._studies:
            self._studies[study] = self._optuna.create_study(direction="maximize"), {}
        recorded, frozen = self._studies[study]
        for other in study.completed[len(recorded.get_trials(deepcopy=False)) :]:
            recorded.add_trial(self._ended(study, other))
        if trial not in frozen:
            frozen[trial] = self._optuna.trial.create_trial(state=self._optuna.trial.TrialState.RUNNING)
        _report(frozen[trial].intermediate_values, study, trial)
        return bool(self._pruner.prune(recorded, frozen[trial]))

    def _ended(self, study: Study, trial: int) -> Any:
        values = _report({}, study, trial)
        states, last = self._optuna.trial.TrialState, values[int(study.lengths[trial]) - 1]
        if math.isnan(last):
            return self._optuna.trial.create_trial(state=states.FAIL, intermediate_values=values)
        return self._optuna.trial.create_trial(value=last, intermediate_values=values)


def _report(values: dict[int, float], study: Study, trial: int) -> dict[int, float]:
    """Add the epochs that are missing; a diverged value is NaN."""
    for step in range(len(values), study.done[trial]):
        value = float(study.curves[trial, step])
        values[step] = value if math.isfinite(value) else math.nan
    return values


class SyneTuneMedian:
    """`MedianStoppingRule` with its defaults, around a scheduler that stops nothing."""

    def __init__(self) -> None:
        from syne_tune.backend.trial_status import Trial  # noqa: PLC0415 - only who compares needs it
        from syne_tune.optimizer.scheduler import SchedulerDecision  # noqa: PLC0415
        from syne_tune.optimizer.schedulers.median_stopping_rule import MedianStoppingRule  # noqa: PLC0415

        class Patient:
            metric = "value"

            def on_trial_result(self, **_: Any) -> str:
                return str(SchedulerDecision.CONTINUE)

        self._new: Callable[[], Any] = partial(MedianStoppingRule, Patient(), time_attr="epoch", do_minimize=False)
        self._trial, self._stop = Trial, SchedulerDecision.STOP
        self._schedulers: WeakKeyDictionary[Study, Any] = WeakKeyDictionary()

    def __call__(self, study: Study, trial: int) -> bool:
        scheduler = self._schedulers.setdefault(study, self._new())
        done = study.done[trial]
        result = {"value": float(study.curves[trial, done - 1]), "epoch": done}
        known_trial = self._trial(trial_id=trial, config={}, creation_time=None)
        return bool(scheduler.on_trial_result(trial=known_trial, result=result) == self._stop)
