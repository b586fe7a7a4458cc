"""The rules that the replay compares: this project's own, and those of other tools as their sources have them.

The other tools' rules are those of their libraries where these can be called (`early_stopping_libraries.py`), else
short re-implementations; each names the source that it follows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.early_stopping_libraries import installed
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.early_stopping import EarlyStopping, MedianKnobs, Statistic
from tuning_operator.core.model.trial import Trial, TrialPhase, TrialStatus
from tuning_operator.core.stopping import rule_for
from tuning_operator.core.stopping.median import is_too_early, quantile
from tuning_operator.core.stopping.reach import CONSTANTS, Constants, Field, checkpoint, judge_reach

if TYPE_CHECKING:
    from benchmarks.early_stopping_replay import Rule, Study
    from benchmarks.early_stopping_tasks import Array

LITERAL = MedianKnobs(statistic=Statistic.CURRENT, min_completed_trials=1, min_epochs=1, min_progress=0)


def places(done: int) -> Array:
    """Where the values of a trial lie that reports each of its epochs."""
    return np.arange(1, done + 1, dtype=np.float64)


def never(_study: Study, _trial: int) -> bool:
    return False


def median(knobs: MedianKnobs) -> Rule:
    """The project's Median rule, from precomputed running averages."""

    def rule(study: Study, trial: int) -> bool:
        done = study.done[trial]
        if len(study.completed) < knobs.min_completed_trials:
            return False
        if is_too_early(knobs, done, done, study.length):
            return False
        threshold = quantile(study.means[study.completed, done - 1].tolist(), knobs.quantile)
        current = float(study.curves[trial, done - 1])
        best = knobs.statistic is Statistic.BEST and math.isfinite(current)
        value = float(study.best[trial, done - 1]) if best else current
        return value < threshold and not math.isclose(value, threshold, rel_tol=1e-9)

    return rule


def auto(constants: Constants = CONSTANTS) -> Rule:
    """The project's Auto rule, from precomputed best values; asked again only when something has changed."""

    def rule(study: Study, trial: int) -> bool:
        done = checkpoint(places(study.done[trial]), study.length, constants)
        if done == 0 or len(study.completed) < constants.completed:
            return False
        others = [other for other in study.started if other != trial and study.done[other] >= done]
        asked = (done, len(study.completed), len(others), math.isfinite(study.curves[trial, study.done[trial] - 1]))
        if study.asked.get(trial) == asked:
            return False
        study.asked[trial] = asked
        field = Field(
            best=study.best[others, done - 1],
            completed_best=study.best[study.completed, done - 1],
            completed_last=study.curves[study.completed, -1],
        )
        known = study.curves[trial, : study.done[trial]]
        return judge_reach(known, places(done), study.length, field, constants) is not None

    return rule


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
        phase = TrialPhase.COMPLETED if done == study.length else TrialPhase.EARLY_STOPPED
    curve = Curve.of(enumerate(study.task.original[study.runs[index], :done].tolist(), start=1))
    return Trial(f"trial-{index}", index, {}, index, status=TrialStatus(phase=phase, curve=curve))


def optuna_median(study: Study, trial: int) -> bool:
    """Optuna 5.0 `MedianPruner()`: best so far below the median of 5 or more completed trials' values."""
    step = study.done[trial] - 1
    completed = [other for other in study.completed if math.isfinite(study.curves[other, -1])]
    if len(completed) < 5:
        return False
    best = float(study.best[trial, step])
    if not math.isfinite(best):
        return True
    values = study.curves[completed, step]
    finite = values[np.isfinite(values)]
    return bool(finite.size) and best < float(np.median(finite))


def syne_tune_median(study: Study, trial: int) -> bool:
    """Syne Tune 0.16 `MedianStoppingRule`: running average outside the better half of 5 or more at this epoch."""
    step = study.done[trial] - 1
    reached = [other for other in study.started if study.done[other] > step]
    better = int(np.count_nonzero(study.means[reached, step] > study.means[trial, step]))
    return len(reached) >= 5 and better / len(reached) > 0.5


def ax_default(study: Study, trial: int) -> bool:
    """Ax 1.3 `get_default_ess_or_none`: the worse half, top 3 protected, not if it would have stopped the best."""
    step = study.done[trial] - 1
    if len(study.completed) < 3 or not _ax_window(study, step):
        return False
    reached = [other for other in study.started if study.done[other] > step]
    return _ax_stops(study.curves[reached, step], float(study.curves[trial, step])) and not _ax_harmful(study)


def _ax_window(study: Study, step: int) -> bool:
    return 0.2 <= step / (study.length - 1) <= 0.9


def _ax_stops(values: Array, value: float) -> bool:
    if len(np.unique(values[values > value])) < 3:
        return False
    return value < quantile(values.tolist(), 0.5)


def _ax_harmful(study: Study) -> bool:
    """`best_trial_vulnerable`: replay the rule on what is known, all trials side by side."""
    known = [other for other in study.started if study.done[other]]
    last = [study.curves[other, study.done[other] - 1] for other in known]
    best = known[int(np.argmax(last))]
    startup = [other for other in sorted(study.completed) if other != best][:3]
    active = [other for other in known if other != best and other not in startup]
    for step in range(study.done[best]):
        if not _ax_window(study, step):
            continue
        if not active:
            return False
        values = study.curves[[other for other in (*startup, *active) if study.done[other] > step], step]
        if values.size and _ax_stops(values, float(study.curves[best, step])):
            return True
        active = [
            other
            for other in active
            if study.done[other] <= step or not _ax_stops(values, float(study.curves[other, step]))
        ]
    return False


def asha(study: Study, trial: int, factor: int = 3) -> bool:
    """ASHA, stopping form (Li et al., 2020): at 1, 3, 9, … epochs only the better third goes on."""
    done = study.done[trial]
    if done not in {factor**power for power in range(12)}:
        return False
    reached = [other for other in study.started if study.done[other] >= done]
    kept = max(1, len(reached) // factor)
    better = int(np.count_nonzero(study.curves[reached, done - 1] > study.curves[trial, done - 1]))
    return len(reached) >= factor and better >= kept


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
        ("caution", (0.5, 1.0, 2.0, 3.0)),
        ("leaders", (3, 4, 8, 1000)),
        ("completed", (1, 3, 4)),
        ("epochs", (1, 3, 4)),
        ("first", (0.1, 0.125, 0.2)),
        ("last", (0.6, 0.7, 0.9)),
        ("ratio", (1.1, 1.5, 2.0)),
    ):
        for value in values:
            changed[f"{name} {value}"] = Constants(**{name: value})  # type: ignore[arg-type]
    return {name: auto(constants) for name, constants in changed.items()}
