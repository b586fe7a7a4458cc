"""Draws a tuning job for a terminal with rich; pure, what is drawn follows from the arguments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuning_client.story import STATES, parameter_text
from tuning_client.text import number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rich.console import RenderableType

    from tuning_client.story import Story, Trial

STYLES = {
    "Running": "bold cyan",
    "Collecting": "cyan",
    "Stopping": "yellow",
    "Paused": "dim",
    "Completed": "green",
    "EarlyStopped": "yellow",
    "Stopped": "yellow",
    "Failed": "bold red",
}
WIDE = 118
"""Columns from which there is room for reasons and for long bars."""
OTHER_LINES = 11
"""Lines of the view beside the trials' rows."""
TOP = 5


def progress_view(story: Story, now: datetime, width: int, height: int | None = None) -> RenderableType:
    """Draw the job with a row for each trial.

    Args:
        story: the job.
        now: for the time that has passed.
        width: of the terminal in columns.
        height: of the terminal in lines, if it has an end; where there is too little room, the trials shown are those
            that run, the best and the newest.
    """
    shown = _fitting(story, height - OTHER_LINES) if height else story.trials
    parts: list[RenderableType] = [
        _header(story, now),
        _trial_table(story, shown, now, wide=width >= WIDE),
        _summary(story),
    ]
    parts += [Text(f"{kind}: {message}", style="bold red") for kind, message in story.problems.items()]
    return Panel(Group(*parts), box=box.ROUNDED, border_style="dim")


def _fitting(story: Story, rows: int) -> tuple[Trial, ...]:
    if len(story.trials) <= rows:
        return story.trials
    ranked = sorted(story.trials, key=lambda trial: (trial.is_final, trial.name != story.best, -trial.number))
    return tuple(sorted(ranked[: max(rows, 1)], key=lambda trial: trial.number))


def _header(story: Story, now: datetime) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    goal = "maximize" if story.maximize else "minimize"
    left = Text.assemble(
        (story.name, "bold"), f"  {goal} {story.metric}  {story.strategy}", (f"  {story.phase}", "bold")
    )
    grid.add_row(left, f"{clock(story.seconds(now))} elapsed")
    return grid


def _trial_table(story: Story, trials: Iterable[Trial], now: datetime, *, wide: bool) -> RenderableType:
    space = 1 if wide else 0  # beside the one of the box
    table = Table(box=box.SIMPLE_HEAD, expand=wide, padding=(0, space, 0, 0), show_edge=False)
    table.add_column("TRIAL", min_width=5, no_wrap=True)
    table.add_column("STATUS", min_width=13, no_wrap=True)
    table.add_column("EPOCH" if wide else "", no_wrap=True)
    table.add_column("" if wide else "EPOCH", min_width=5, justify="right", no_wrap=True)
    table.add_column("VALUE", min_width=6, justify="right", no_wrap=True)
    table.add_column("", min_width=1, no_wrap=True)
    for name in _parameter_names(story):
        table.add_column(_heading(name), justify="right", no_wrap=True)
    table.add_column("TIME", min_width=5, justify="right", no_wrap=True)
    if wide:
        table.add_column("WHY", ratio=1, no_wrap=True, overflow="ellipsis")
    for trial in trials:
        table.add_row(*_cells(trial, story, now, wide=wide), style="bold" if trial.name == story.best else "")
    return table


def _cells(trial: Trial, story: Story, now: datetime, *, wide: bool) -> list[RenderableType]:
    style = STYLES.get(trial.phase, "dim")
    total, length = story.epochs or trial.epochs or 1, 10 if wide else 4
    cells: list[RenderableType] = [
        Text(trial.name.removeprefix(f"{story.name}-")),
        Text(STATES.get(trial.phase, trial.phase), style=style),
        ProgressBar(total=total, completed=trial.epochs, width=length, complete_style=style, finished_style=style),
        f"{trial.epochs}/{story.epochs}" if story.epochs else str(trial.epochs),
        number(trial.value) if trial.value is not None else "",
        "★" if trial.name == story.best else "",
        *(Text(parameter_text(trial.parameters.get(name, ""))) for name in _parameter_names(story)),
        f"{trial.seconds(now):.0f} s",
    ]
    return [*cells, Text(trial.message or trial.reason, style=style)] if wide else cells


def _summary(story: Story) -> RenderableType:
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    bar = ProgressBar(total=story.max_trials, completed=story.ended, complete_style="green", finished_style="green")
    grid.add_row(bar, f"{story.ended}/{story.max_trials} trials")
    best = story.best_trial
    headline = f"best so far {number(best.value)} ({best.name})" if best and best.value is not None else "no result yet"
    spared = f", {story.epochs_not_trained} epochs not trained" if story.epochs else ""
    said = [Text(f"{headline} · {len(story.stopped_early)} stopped early{spared}")]
    return Group(grid, *said, *([Text(f"confirmation: {story.confirmation}")] if story.confirmation else []))


def top_trials(story: Story) -> RenderableType:
    """Draw the best trials with their hyperparameters."""
    title = f"The best of {len(story.trials)} trials"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=0, show_edge=False)
    table.add_column("TRIAL", no_wrap=True)
    table.add_column(_heading(story.metric), justify="right", no_wrap=True)
    for name in _parameter_names(story):
        table.add_column(_heading(name), justify="right", overflow="fold")
    table.add_column("EPOCHS", justify="right", no_wrap=True)
    table.add_column("TRAINING\nSECONDS", justify="right", no_wrap=True)
    for trial in story.ranking()[:TOP]:
        values = (Text(parameter_text(trial.parameters.get(name, ""))) for name in _parameter_names(story))
        objective = number(trial.value) if trial.value is not None else ""
        table.add_row(Text(trial.name), objective, *values, str(trial.epochs), str(trial.training_seconds))
    return table


def closing_lines(story: Story, now: datetime) -> list[str]:
    """Return lines on the cost of the job and the savings of early stopping."""
    lines = [
        f"Training: {story.total_seconds} s in all, {story.seconds(now):.0f} s on the clock",
        f"Stopped early: {len(story.stopped_early)} of {len(story.trials)} trials",
    ]
    if story.confirmation:
        lines.append(f"Confirmation: {story.confirmation}")
    if story.epochs:
        planned = story.epochs * len(story.trials)
        share = story.epochs_not_trained / planned if planned else 0.0
        lines.append(f"Epochs not trained: {story.epochs_not_trained} of {planned} ({share:.0%})")
    return lines


def _parameter_names(story: Story) -> list[str]:
    return list(story.trials[0].parameters) if story.trials else []


def _heading(name: str) -> Text:
    """A name as the heading of a narrow column: broken at its joints, and not in the middle of a word."""
    return Text(re.sub(r"(?<=[_:.-])(?=\w)", "\n", name))


def clock(seconds: float) -> str:
    """Return minutes and seconds: `4:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
