"""Draws learning curves with the characters of a terminal, by plotext."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tuning_client.text import number, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tuning_client.story import Story, Trial

_COLOURS = {"best": "red", "running": "cyan", "stopped": "gray", "completed": "blue", "failed": "magenta"}
LEAST_COLUMNS, LEAST_LINES = 40, 12


def draw(story: Story, trials: Sequence[Trial], columns: int, lines: int, *, coloured: bool) -> str:
    """Draw the curves of these trials, the best on top, with a caption below.

    What has no finite value cannot be drawn; the last line says how many trials that are.
    """
    drawn = [trial for trial in trials if any(map(math.isfinite, trial.values))]
    if not drawn:
        return f"{plain(story.name)}: no trial has reported a finite {story.metric}"
    import plotext  # noqa: PLC0415 - takes a part of a second, which other commands are spared

    figure = plotext.figure
    figure.clear()
    figure.theme("simple" if coloured else "colorless")
    figure.plot_size(max(columns, LEAST_COLUMNS), max(lines - 2, LEAST_LINES))
    figure.title(f"{plain(story.name)}: {story.metric}")
    figure.label("epoch", "x")
    for trial in sorted(drawn, key=lambda trial: (trial.name == story.best, trial.is_final)):
        epochs, values = _finite(trial)
        kind = kind_of(trial, story)
        pixel = plotext.pixel(_COLOURS[kind])
        figure.draw(figure.signal(epochs, values, marker=plotext.marker("braille", pixel)).lines())
        if kind == "stopped":
            figure.draw(figure.signal(epochs[-1:], values[-1:], marker=plotext.marker("x", pixel)))
    text = figure.build().string(colorless=not coloured)
    return "\n".join([*(line.rstrip() for line in text.splitlines()), *_legend(story, trials, drawn)])


def kind_of(trial: Trial, story: Story) -> str:
    """Return the kind of a trial in the legend."""
    if trial.name == story.best:
        return "best"
    if not trial.is_final:
        return "running"
    return {"Completed": "completed", "Failed": "failed"}.get(trial.phase, "stopped")


def _finite(trial: Trial) -> tuple[list[float], list[float]]:
    pairs = [(epoch, value) for epoch, value in zip(trial.steps, trial.values, strict=True) if math.isfinite(value)]
    return [epoch for epoch, _ in pairs], [value for _, value in pairs]


def _legend(story: Story, trials: Iterable[Trial], drawn: Sequence[Trial]) -> list[str]:
    best = story.best_trial
    if best and best in drawn and best.value is not None:
        headline = f"best: {best.name}, {number(best.value)} at epoch {best.epoch:g}"
    else:
        headline = "no best trial yet"
    counts = {kind: sum(kind_of(trial, story) == kind for trial in drawn) for kind in _COLOURS if kind != "best"}
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    left_out = len(list(trials)) - len(drawn)
    without = f"; {left_out} without a value" if left_out else ""
    crosses = "; x: where a trial was stopped" if counts["stopped"] else ""
    return [headline, f"{kinds or 'no other trial'}{without}{crosses}"]
