"""Pictures of tuning jobs, drawn with matplotlib; each function draws into the axes that it is given, or new ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from tuning_client.analytics import CONFIRMS
from tuning_client.parameters import bounds_of, is_logarithmic

try:
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise ImportError("plots need matplotlib: pip install 'tuning-client[plots]'") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from tuning_client.analytics import HyperparameterTuningJobAnalytics


def learning_curves(analytics: HyperparameterTuningJobAnalytics, ax: Axes | None = None) -> Axes:
    """Plot the objective after each epoch, a line per trial; a cross where a trial was stopped, the best on top."""
    ax = ax or _new_axes()
    curves, best = analytics.curves(), _best_name(analytics)
    kinds: dict[str, Line2D] = {}
    for trial, curve in curves.groupby("TrainingJobName"):
        epochs, values, is_best = curve["Epoch"], curve["ObjectiveValue"], trial == best
        stopped = (curve["TrainingJobStatus"] == "Stopped").all()
        colour = "C3" if is_best else "C7" if stopped else "C0"
        kind = f"best: {best}" if is_best else "stopped" if stopped else "other trials"
        (line,) = ax.plot(
            epochs,
            values,
            color=colour,
            linewidth=2 if is_best else 1,
            zorder=3 if is_best else 2,
            marker="x" if stopped else "." if len(curve) == 1 else "",
            markevery=[len(curve) - 1],
        )
        kinds.setdefault(kind, line)
    if kinds:
        ax.legend(kinds.values(), kinds.keys())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=_metric(analytics), title=analytics.name)
    return ax


def best_so_far(*analytics: HyperparameterTuningJobAnalytics, ax: Axes | None = None) -> Axes:
    """Plot the best objective so far against the training time spent, a line per job."""
    ax = ax or _new_axes()
    for job in analytics:
        ended = job.dataframe().dropna(subset=["TrainingEndTime"]).sort_values("TrainingEndTime")
        if CONFIRMS in ended:
            ended = ended[ended[CONFIRMS].isna()]
        objective = ended["FinalObjectiveValue"]
        best = objective.cummax() if _maximizes(job) else objective.cummin()
        minutes = ended["TrainingElapsedTimeSeconds"].cumsum() / 60
        ax.step(minutes, best, where="post", marker=".", label=job.name)
    ax.set(xlabel="training time of all trials, minutes", ylabel=f"best {_metric(analytics[0])} so far")
    ax.legend()
    return ax


def parallel_coordinates(analytics: HyperparameterTuningJobAnalytics, ax: Axes | None = None) -> Axes:
    """Plot an upright line per hyperparameter and one for the objective; each trial is a line through its values."""
    ax = ax or _new_axes()
    frame = analytics.dataframe().dropna(subset=["FinalObjectiveValue"])
    parameters = analytics.resource()["spec"]["parameters"]
    scales = {item["name"]: _scale(item) for item in parameters}
    objective = frame["FinalObjectiveValue"]
    bounds = [float(objective.min()), float(objective.max())] if len(frame) else [0.0, 1.0]
    scales["FinalObjectiveValue"] = (_line(bounds, float), [f"{bound:.4g}" for bound in bounds])
    heights = pd.DataFrame({name: frame[name].map(place) for name, (place, _) in scales.items()})
    colour = plt.get_cmap("viridis" if _maximizes(analytics) else "viridis_r")
    for _, trial in heights.sort_values("FinalObjectiveValue", ascending=_maximizes(analytics)).iterrows():
        ax.plot(range(len(scales)), trial, color=colour(trial["FinalObjectiveValue"]), alpha=0.8)
    for column, (_, labels) in enumerate(scales.values()):
        ax.axvline(column, color="0.7", linewidth=0.8, zorder=0)
        for number, label in enumerate(labels):
            ax.text(column + 0.02, number / max(1, len(labels) - 1), label, fontsize="small", va="center")
    ax.set_xticks(range(len(scales)), [*(item["name"] for item in parameters), _metric(analytics)])
    ax.set_yticks([])
    ax.set_title(analytics.name)
    return ax


def _new_axes() -> Axes:
    return plt.subplots(figsize=(9, 5), layout="constrained")[1]


def _metric(analytics: HyperparameterTuningJobAnalytics) -> str:
    return str(analytics.resource()["spec"]["objective"]["metric"])


def _maximizes(analytics: HyperparameterTuningJobAnalytics) -> bool:
    return bool(analytics.resource()["spec"]["objective"]["goal"] == "Maximize")


def _best_name(analytics: HyperparameterTuningJobAnalytics) -> str | None:
    return ((analytics.resource().get("status") or {}).get("bestTrial") or {}).get("name")


def _scale(parameter: Mapping[str, Any]) -> tuple[Callable[[Any], float], list[str]]:
    """Where a value stands on its line, from 0 to 1, and the texts to write beside the line from bottom to top."""
    if "categorical" in parameter:
        values = parameter["categorical"]["values"]
        return (lambda value: values.index(value) / max(1, len(values) - 1)), values
    bounds = bounds_of(parameter)
    low, high = bounds["min"], bounds["max"]
    if is_logarithmic(bounds):
        bend: Callable[[float], float] = math.log
    elif bounds.get("scale") == "ReverseLog":
        bend = lambda value: -math.log1p(-value)  # noqa: E731 - one of three bends
    else:
        bend = float
    return _line([low, high], bend), [f"{low:g}", f"{high:g}"]


def _line(bounds: Sequence[float], bend: Callable[[float], float]) -> Callable[[float], float]:
    low, high = (bend(bound) for bound in bounds)
    return lambda value: (bend(value) - low) / ((high - low) or 1)
