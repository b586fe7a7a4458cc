"""Prints and plots finished studies."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path


class Record(TypedDict):
    """A finished study: its common points, the regret after every trial, and the seconds of every suggestion."""

    method: str
    task: str
    seed: int
    given: int
    curve: list[float]
    seconds: list[float]


Records = list[Record]

_AT = (20, 40, 60)
_LEAST = 1e-3
"""What is less than this of a regret is as good as none."""

_COLOURS = {"ours": "#d62728", "random": "#999999", "optuna-tpe": "#1f77b4", "optuna-gp": "#2ca02c", "ax": "#9467bd"}


def print_table(records: Records, problems: list[str], methods: list[str]) -> None:
    """Print mean and standard error of the regret over seeds, and over all problems the mean of their means."""
    shown = [at for at in _AT if records and at <= len(records[0]["curve"])]
    print(
        f"{'problem':28}{'method':15}{'studies':>8}" + "".join(f"{f'{at} trials':>18}" for at in shown) + "   s/trial"
    )
    means: dict[str, list[np.ndarray]] = {method: [] for method in methods}
    for name in problems:
        for method in methods:
            curves = _curves(records, name, method)
            if len(curves) == 0:
                continue
            at = curves[:, [each - 1 for each in shown]]
            error = at.std(axis=0, ddof=1) / len(at) ** 0.5 if len(at) > 1 else np.zeros(len(shown))
            means[method].append(at.mean(axis=0))
            cells = "".join(f"{mean:10.4f} ±{each:.4f}" for mean, each in zip(at.mean(axis=0), error, strict=True))
            print(f"{name:28}{method:15}{len(at):8}{cells}{_seconds(records, [name], method):10.3f}")
    for method in methods:
        if len(means[method]) == len(problems) > 1:
            cells = "".join(f"{mean:10.4f}        " for mean in np.mean(means[method], axis=0))
            print(f"{'mean of all':28}{method:15}{'':8}{cells}{_seconds(records, problems, method):10.3f}")


def print_ratios(records: Records, problems: list[str], methods: list[str]) -> None:
    """Print the geometric mean over problems of each method's regret, as a ratio to the first method's.

    A problem's regret is the mean over its seeds. The error is that of a mean over problems, as a factor. A median far
    below the mean says that few problems make the difference. `better` and `worse` count the problems on which the
    first method has less and more regret, by a tenth at least.
    """
    shown = [at for at in _AT if records and all(at <= len(each["curve"]) for each in records)]
    first, *others = methods
    for method in others:
        paired = [
            name for name in problems if len(_curves(records, name, first)) and len(_curves(records, name, method))
        ]
        for at in shown if len(paired) > 1 else ():
            means = [
                [max(_LEAST, float(_curves(records, name, each)[:, at - 1].mean())) for name in paired]
                for each in (method, first)
            ]
            ratios = np.log(means[0]) - np.log(means[1])
            error = float(np.exp(ratios.std(ddof=1) / len(ratios) ** 0.5))
            better, worse = int((ratios > np.log(1.1)).sum()), int((ratios < -np.log(1.1)).sum())
            print(
                f"{method} / {first}: after {at} trials {np.exp(ratios.mean()):.2f}, times or over {error:.2f},"
                f" median {np.exp(np.median(ratios)):.2f};"
                f" better on {better}, worse on {worse} of {len(paired)} problems"
            )


def plot(records: Records, problems: list[str], methods: list[str], path: Path) -> None:
    """Draw the mean regret of every method, with its standard error, one panel a problem."""
    columns = min(4, len(problems))
    rows = -(-len(problems) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.6 * rows), squeeze=False)
    for panel, name in zip(axes.flat, problems, strict=False):
        for method in methods:
            curves = _curves(records, name, method)
            if len(curves) == 0:
                continue
            mean, error = curves.mean(axis=0), curves.std(axis=0) / len(curves) ** 0.5
            trials = np.arange(1, curves.shape[1] + 1)
            panel.plot(trials, mean, color=_COLOURS.get(method, "#17becf"), label=method)
            panel.fill_between(
                trials, mean - error, mean + error, color=_COLOURS.get(method, "#17becf"), alpha=0.15, linewidth=0
            )
        floor = min(float(line.get_ydata().min()) for line in panel.get_lines())
        panel.set_yscale("log")
        panel.set_ylim(bottom=max(floor, 1e-4) * 0.8)
        panel.set(title=name, xlabel="completed trials")
        panel.grid(alpha=0.3)
    for panel in list(axes.flat)[len(problems) :]:
        panel.remove()
    axes[0][0].set_ylabel("regret (lower is better)")
    axes[0][0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


def _curves(records: Records, name: str, method: str) -> np.ndarray:
    return np.array([each["curve"] for each in records if each["task"] == name and each["method"] == method])


def _seconds(records: Records, problems: list[str], method: str) -> float:
    """Return the median time of a suggestion, without a method's first twelve, which learn from too little."""
    chosen = [each["seconds"][12:] for each in records if each["task"] in problems and each["method"] == method]
    return float(np.median(np.concatenate(chosen)))
