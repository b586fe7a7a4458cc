"""Reads learning curves: tasks with many runs each, as .npz files in a folder.

Formats, several tasks to a file:

- `<task>__curve` (runs x epochs, NaN where a run diverged), `<task>__hp` (runs x hyperparameters), and optionally
  `<task>__hp_names` and `<task>__goal` ("Maximize" or "Minimize");
- `tasks` (names), `valid_loss` (tasks x runs x epochs), `hp`, `hp_names`: losses of the same configurations on
  several tasks;
- `curves`, `hyperparameters`, optionally `names`, `goal`: one task, named after the file. What `record_curves.py`
  writes has more: `parameters`, the search space as JSON, as in a job's `spec.parameters`, categories being numbered
  in `hyperparameters`; `seconds`, how long each epoch took; and `lengths`, how many epochs each run has, where curves
  are filled up with NaN.

Without a goal, the direction is the one in which the median run moves. Without a search space, its bounds are those of
the recorded runs, and each scale the one on which they lie most evenly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.curve_spaces import space_around, space_of
from tuning_operator.core.model.curves import Goal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from tuning_operator.core.space import Space

    Array = npt.NDArray[np.float64]

OWN = Path(__file__).parents[1] / "tests" / "data" / "curves"
"""Curves that the project has recorded itself."""

REPLICATES = frozenset({"seed", "study"})
"""Columns of the hyperparameters that number runs of one setting (in AlgoPerf's records, its studies)."""


@dataclass(frozen=True)
class Task:
    """Learning curves of one tuning task.

    Attributes:
        curves: Runs x epochs, turned so that higher is better; minus infinity where a run diverged.
        hyperparameters: Runs x hyperparameters.
        goal: The direction of the recorded metric.
        original: Runs x epochs as recorded.
        parameters: Of the search space, as in a job's spec, if they were recorded.
        lengths: How many epochs each run has; after them its curve is diverged and not used.
        best: Whether a run counts by its best value, and not by its last one: `objective.value` is Best.
    """

    name: str
    curves: Array
    hyperparameters: Array
    names: tuple[str, ...]
    goal: Goal
    original: Array
    parameters: tuple[Mapping[str, Any], ...] = ()
    lengths: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    best: bool = False

    def __post_init__(self) -> None:
        """Without lengths all runs are as long as the longest."""
        if not len(self.lengths):
            object.__setattr__(self, "lengths", np.full(len(self.curves), self.curves.shape[1]))

    @cached_property
    def space(self) -> Space:
        """The search space that the runs were drawn from, as far as it is known."""
        return space_of(self.parameters) if self.parameters else space_around(self.names, self.hyperparameters)

    @property
    def finals(self) -> Array:
        """What each run counts by: its last value, or its best one."""
        if self.best:
            return np.asarray(np.max(self.curves, axis=1))
        return np.asarray(self.curves[np.arange(len(self.curves)), self.lengths - 1])

    @property
    def scale(self) -> float:
        """What regret is measured in: 99th percentile less median of the runs' last values."""
        ordered = np.sort(self.finals)
        top = ordered[round(0.99 * (len(ordered) - 1))]
        return float(top - ordered[round(0.5 * (len(ordered) - 1))])

    @cached_property
    def seed_noise(self) -> float:
        """The median difference of two seeds' last values among runs of one setting; NaN where no setting has two."""
        kept = [index for index, name in enumerate(self.names) if name not in REPLICATES]
        if len(kept) == len(self.names):
            return float("nan")
        settings: dict[tuple[float, ...], list[float]] = {}
        for row, final in zip(self.hyperparameters[:, kept].tolist(), self.finals.tolist(), strict=True):
            settings.setdefault(tuple(row), []).append(final)
        pairs = [abs(a - b) for finals in settings.values() for a, b in combinations(finals, 2)]
        known = [difference for difference in pairs if np.isfinite(difference)]
        return float(np.median(known)) if known else float("nan")


def read_tasks(folder: Path, checkpoints: int) -> list[Task]:
    """Read every task in the folder's .npz files, curves thinned evenly to at most this many epochs."""
    tasks = [task for path in sorted(folder.glob("*.npz")) for task in _tasks_in(path, checkpoints)]
    if not tasks:
        raise SystemExit(
            f"no learning curves (.npz) in {folder}: record_curves.py records some, or see this module's docstring"
        )
    return tasks


def _tasks_in(path: Path, checkpoints: int) -> Iterator[Task]:
    with np.load(path) as data:
        if "valid_loss" in data:
            for name, curves in zip(data["tasks"], data["valid_loss"], strict=True):
                yield _task(str(name), curves, data["hp"], data["hp_names"], Goal.MINIMIZE, None, checkpoints)
        elif "curves" in data:
            yield _named(path.stem, "", data, checkpoints, curves="curves", hp="hyperparameters", names="names")
        else:
            for key in sorted(data):
                if key.endswith("__curve"):
                    name = key.removesuffix("__curve")
                    yield _named(name, f"{name}__", data, checkpoints, curves="curve", hp="hp", names="hp_names")


def _named(
    name: str, prefix: str, data: Mapping[str, Array], checkpoints: int, *, curves: str, hp: str, names: str
) -> Task:
    values = data[prefix + curves]
    given = prefix + "goal"
    goal = Goal(str(data[given])) if given in data else _direction(values)
    labels = data[prefix + names] if prefix + names in data else np.arange(data[prefix + hp].shape[1], dtype=np.float64)
    parameters = json.loads(str(data["parameters"])) if "parameters" in data else None
    task = _task(name, values, data[prefix + hp], labels, goal, parameters, checkpoints)
    if prefix + "lengths" not in data:
        return task
    if values.shape[1] > checkpoints:
        raise SystemExit(f"{name}: curves of different lengths are not thinned: raise --checkpoints")
    return replace(task, lengths=np.asarray(data[prefix + "lengths"], dtype=np.int64))


def _task(
    name: str, curves: Array, hyperparameters: Array, names: Array, goal: Goal, parameters: Any, checkpoints: int
) -> Task:
    original = np.asarray(curves, dtype=np.float64)
    epochs = original.shape[1]
    if epochs > checkpoints:
        kept = np.unique(np.linspace(0, epochs - 1, checkpoints).round().astype(int))
        original = original[:, kept]
    oriented = original if goal is Goal.MAXIMIZE else -original
    oriented = np.where(np.isfinite(oriented), oriented, -np.inf)
    labels = tuple(str(label) for label in names)
    numbers = np.asarray(hyperparameters, dtype=np.float64)
    return Task(name, oriented, numbers, labels, goal, original, tuple(parameters or ()))


def _direction(curves: Array) -> Goal:
    change = float(np.nanmedian(curves[:, -1] - curves[:, 0]))
    return Goal.MAXIMIZE if change > 0 else Goal.MINIMIZE
