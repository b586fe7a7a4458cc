"""The pictures of docs/experiment.md, from the records alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import matplotlib as mpl

from experiment.pairs import best_so_far, pairs
from experiment.records import Kind

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiment.pairs import Pair
    from experiment.records import JobRecord

CURVES, BEST, CROSSOVER = "experiment-curves.png", "experiment-best.png", "experiment-crossover.png"
SHOWN_BELOW_BEST = 0.15
COMPLETED, STOPPED = "tab:blue", "tab:orange"


def draw(records: Sequence[JobRecord], folder: Path) -> None:
    """Draw what there are records for."""
    reference, crossover = pairs(records, Kind.REFERENCE), pairs(records, Kind.CROSSOVER)
    if reference:
        _save(_curves(reference), folder / CURVES)
        _save(_best(reference), folder / BEST)
    if crossover:
        _save(_crossover(crossover), folder / CROSSOVER)


def _save(figure: Figure, file: Path) -> None:
    figure.tight_layout()
    # Without the version of the library, so that the same records give the same file.
    figure.savefig(file, dpi=120, metadata={"Software": None})
    plt.close(figure)


def _curves(found: Sequence[Pair]) -> Figure:
    """The trials with early stopping, a panel for each seed."""
    figure, panels = plt.subplots(1, len(found), figsize=(4.5 * len(found), 4.2), sharey=True, squeeze=False)
    for axes, pair in zip(panels[0], found, strict=True):
        for trial in sorted(pair.variant.trials, key=lambda trial: trial.stop is not None):
            epochs, values = zip(*trial.curve, strict=True) if trial.curve else ((), ())
            color = STOPPED if trial.stop else COMPLETED
            axes.plot(epochs, values, color=color, linewidth=1.0, alpha=0.8)
            if trial.stop and math.isfinite(trial.stop.value):
                _decision(axes, trial.stop.epoch, trial.stop.value, trial.stop.threshold)
        axes.plot([], [], color=COMPLETED, label="trained to the end")
        axes.plot([], [], color=STOPPED, marker="x", label="stopped: where it was decided")
        axes.plot([], [], color="black", marker="_", linestyle=":", label="what it would have needed there")
        axes.set(xlabel="epoch", title=f"seed {pair.variant.seed}: {len(pair.variant.stopped)} stopped")
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel("validation accuracy")
    panels[0][-1].legend(fontsize=8, loc="lower right")
    return figure


def _decision(axes: Axes, epoch: int, value: float, threshold: float) -> None:
    axes.plot([epoch], [value], color=STOPPED, marker="x")
    axes.plot([epoch, epoch], [value, threshold], color="black", linestyle=":", linewidth=0.7)
    axes.plot([epoch], [threshold], color="black", marker="_")


def _best(found: Sequence[Pair]) -> Figure:
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for place, pair in enumerate(found):
        for job, line in ((pair.base, "--"), (pair.variant, "-")):
            seconds, values = zip(*best_so_far(job), strict=True)
            label = f"seed {job.seed}, {job.stopping}"
            axes.step(seconds, values, line, where="post", color=f"C{place}", label=label)
            axes.plot(seconds[-1], values[-1], "o", color=f"C{place}", markersize=4)
    top = max(pair.base.best_value for pair in found)
    # The first trials may have learned nothing; drawn as well, they would flatten what matters.
    axes.set(ylim=(top - SHOWN_BELOW_BEST, top + 0.01))
    axes.set(xlabel="training seconds of all trials", ylabel="best validation accuracy so far")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    return figure


def _crossover(found: Sequence[Pair]) -> Figure:
    figure, axes = plt.subplots(figsize=(6.5, 4))
    lengths = [(pair.base.epoch_seconds or 0) * pair.base.epochs for pair in found]
    axes.plot(lengths, [100 * pair.epochs_saved for pair in found], "k.:", label="epochs")
    axes.plot(lengths, [100 * pair.training_saved for pair in found], "o-", label="training seconds")
    axes.plot(lengths, [100 * pair.clock_saved for pair in found], "s-", label="time on the clock")
    axes.axhline(0, color="black", linewidth=0.7)
    axes.set(xlabel="length of a trial (s)", ylabel="saved (%)", xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
