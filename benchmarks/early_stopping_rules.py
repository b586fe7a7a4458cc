"""The rules that the replay compares: this project's own, and those of other tools as their sources have them.

The other tools' rules are those of their libraries where these can be called (`early_stopping_libraries.py`), else
short re-implementations (`early_stopping_tools.py`).
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.early_stopping_libraries import installed
from benchmarks.early_stopping_tools import asha, ax_default, optuna_median, syne_tune_median
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.early_stopping import EarlyStopping, MedianKnobs, Statistic
from tuning_operator.core.model.trial import Trial, TrialPhase, TrialStatus
from tuning_operator.core.stopping import rule_for
from tuning_operator.core.stopping.gains import CONSTANTS, Constants, Field, checkpoint, judge_reach, leaders
from tuning_operator.core.stopping.median import is_too_early, quantile

if TYPE_CHECKING:
    from benchmarks.early_stopping_replay import Rule, Study

LITERAL = MedianKnobs(statistic=Statistic.CURRENT, min_completed_trials=1, min_epochs=1, min_progress=0)


def never(_study: Study, _trial: int) -> bool:
    return False


def median(knobs: MedianKnobs) -> Rule:
    """The project's Median rule, from precomputed running averages."""

    def rule(study: Study, trial: int) -> bool:
        done = study.known(trial)
        reached = [other for other in study.completed if study.lengths[other] >= done]
        if len(reached) < knobs.min_completed_trials or done == 0:
            return False
        known = done - int(np.count_nonzero(study.passing[trial, :done]))
        if is_too_early(knobs, known, done, float(np.median(study.lengths[study.completed]))):
            return False
        threshold = quantile(study.means[reached, done - 1].tolist(), knobs.quantile)
        current = float(study.values[trial, done - 1])
        best = knobs.statistic is Statistic.BEST and math.isfinite(current)
        value = float(study.best[trial, done - 1]) if best else current
        return value < threshold and not math.isclose(value, threshold, rel_tol=1e-9)

    return rule


def auto(constants: Constants = CONSTANTS) -> Rule:
    """The project's Auto rule, from precomputed best values; asked again only when something has changed.

    Where lengths differ, a hyperparameter says them.
    """

    passed_by = lru_cache(maxsize=None)(partial(_passed, constants))

    def rule(study: Study, trial: int) -> bool:
        if len(study.completed) < constants.completed or study.is_in_doubt(trial):
            return False
        length, done = int(study.lengths[trial]), study.known(trial)
        place = passed_by(length, done, tuple(np.flatnonzero(study.passing[trial, :done]).tolist()))
        if place == 0:
            return False
        others = [(other, place * int(study.lengths[other]) / length) for other in study.started if other != trial]
        reached = [
            (other, at) for other, at in others if 1 <= at <= study.known(other) and not study.is_in_doubt(other)
        ]
        asked = (place, len(study.completed), len(reached), math.isfinite(study.values[trial, done - 1]))
        if study.asked[constants].get(trial) == asked:
            return False
        study.asked[constants][trial] = asked
        epochs = (np.flatnonzero(~study.passing[trial, :done]) + 1).astype(np.float64)
        known = study.values[trial, epochs.astype(int) - 1]
        return (
            judge_reach(known, epochs[epochs <= place], length, _field(study, reached, constants), constants)
            is not None
        )

    return rule


def _passed(constants: Constants, length: int, done: int, passing: tuple[int, ...]) -> int:
    """The epoch of the newest checkpoint, 0 for none."""
    epochs = np.delete(np.arange(1.0, done + 1), passing)
    passed = checkpoint(epochs, length, constants)
    return int(epochs[passed - 1]) if passed else 0


def _field(study: Study, reached: list[tuple[int, float]], constants: Constants) -> Field:
    ended = set(study.completed)
    ordered = [*(pair for pair in reached if pair[0] in ended), *(pair for pair in reached if pair[0] not in ended)]
    best = np.array([_best_at(study, other, at) for other, at in ordered])
    last = study.finals[[other for other, _ in ordered if other in ended]]
    return Field(best, best[: len(last)], last, leaders(best[: len(last)], last, constants))


def _best_at(study: Study, trial: int, place: float) -> float:
    """The best value up to a place, which may lie between two epochs."""
    before = math.floor(place)
    best = float(study.best[trial, before - 1])
    if place == before:
        return best
    one, other = study.values[trial, before - 1 : before + 1].tolist()
    return max(best, one + (place - before) * (other - one)) if math.isfinite(one) and math.isfinite(other) else best


def product(config: EarlyStopping) -> Rule:
    """Ask the rule as the operator does. Slow: the tests compare the quick forms above with it."""

    def rule(study: Study, trial: int) -> bool:
        trials = [_as_trial(study, index) for index in study.started]
        running = next(each for each in trials if each.number == trial)
        return rule_for(config, study.task.goal, trials)(running) is not None

    return rule


def _as_trial(study: Study, index: int) -> Trial:
    done = study.done[index]
    phase = TrialPhase.RUNNING
    if index in study.ended:
        phase = TrialPhase.COMPLETED if done == study.lengths[index] else TrialPhase.EARLY_STOPPED
    curve = Curve.of(enumerate(study.task.original[study.runs[index], :done].tolist(), start=1))
    epochs = {"epochs": int(study.lengths[index])} if len(set(study.task.lengths.tolist())) > 1 else {}
    return Trial(f"trial-{index}", index, epochs, index, status=TrialStatus(phase=phase, curve=curve))


LIBRARIES = installed()

REIMPLEMENTED: dict[str, Rule] = {
    "Optuna MedianPruner": optuna_median,
    "Syne Tune median": syne_tune_median,
    "Ax default": ax_default,
}

RULES: dict[str, Rule] = {
    "none": never,
    "SageMaker, literal": median(LITERAL),
    "Median, guarded": median(MedianKnobs()),
    **REIMPLEMENTED,
    **LIBRARIES,
    "ASHA": asha,
    "Auto": auto(),
}


def sweeps() -> dict[str, dict[float, Rule]]:
    """Families of rules over their most telling knob, for curves of saved against missed."""
    quantiles = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    return {
        "Auto": {caution: auto(Constants(caution=caution)) for caution in (0.0, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0)},
        "Median, guarded": {share: median(MedianKnobs(quantile=share)) for share in quantiles},
        "Median, ungraced": {
            share: median(MedianKnobs(quantile=share, min_progress=0.1, min_completed_trials=2)) for share in quantiles
        },
    }


def variations() -> dict[str, Rule]:
    """Auto with one constant changed at a time."""
    changed: dict[str, Constants] = {"as it is": CONSTANTS}
    for name, values in (
        ("caution", (0.75, 1.0, 1.5, 2.0)),
        ("early_caution", (1.0, 2.0, 6.0)),
        ("early", (0.1, 0.2)),
        ("undecided", (0.0, 0.75, 3.0)),
        ("presumed", (0, 1, 4)),
        ("leaders", (3, 8, 1000)),
        ("completed", (2, 3)),
        ("epochs", (3,)),
        ("first", (0.06, 0.1, 0.15)),
        ("last", (0.7, 0.9)),
        ("ratio", (1.15, 1.5)),
    ):
        for value in values:
            changed[f"{name} {value}"] = Constants(**{name: value})  # type: ignore[arg-type]
    return {name: auto(constants) for name, constants in changed.items()}
