"""Surrogates of real tuning problems: models that predict what a training would have come to.

They are those of YAHPO Gym (Pfisterer et al., AutoML 2022), read from a folder with one subfolder a scenario, which
holds `model.onnx`, `encoding.json` and `config_space.json`. A problem is named `scenario/task`. Reading them takes
onnxruntime.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.suggest_functions import Problem, in_shares
from tuning_operator.core.space import Categorical, Continuous, Integer, Scale, Space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Point = Mapping[str, Any]

_TASK = {"lcbench": "OpenML_task_id"}
_FIXED = {"epoch": 52.0, "trainsize": 1.0, "repl": 10.0}
_CONTINUOUS: Mapping[str, tuple[str, ...]] = {
    "lcbench": (
        "epoch", "batch_size", "learning_rate", "momentum", "weight_decay", "num_layers", "max_units", "max_dropout",
    ),
    "rbv2_xgboost": (
        "nrounds", "eta", "gamma", "lambda", "alpha", "subsample", "max_depth", "min_child_weight",
        "colsample_bytree", "colsample_bylevel", "rate_drop", "skip_drop", "trainsize", "repl",
    ),
    "rbv2_rpart": ("cp", "maxdepth", "minbucket", "minsplit", "trainsize", "repl"),
    "iaml_glmnet": ("alpha", "s", "trainsize"),
}  # fmt: skip
_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "rbv2_xgboost": ("booster", "num.impute.selected.cpo"),
    "rbv2_rpart": ("num.impute.selected.cpo",),
}
_LOSS = {"lcbench": (1, -1.0), "rbv2_xgboost": (0, -1.0), "rbv2_rpart": (0, -1.0), "iaml_glmnet": (0, 1.0)}
"""The place of the output that is tuned, an accuracy or an error, and what turns it into a loss."""

DEVELOPMENT = (
    *(f"lcbench/{task}" for task in (34539, 7593, 126029, 167104, 168330, 189354)),
    *(f"rbv2_xgboost/{task}" for task in (1487, 41143, 40966, 11, 300)),
    *(f"rbv2_rpart/{task}" for task in (41138, 1220, 375)),
)
REPORT = (
    *(f"lcbench/{task}" for task in (167184, 168331, 189908)),
    *(f"rbv2_xgboost/{task}" for task in (1067, 41278, 54, 1590)),
    *(f"rbv2_rpart/{task}" for task in (1461, 29)),
    "iaml_glmnet/41146",
)

_SAMPLED, _CLIMBS, _STEPS = 5_000, 64, 20


class Surrogate:
    """A scenario's model for one task."""

    def __init__(self, folder: Path, name: str) -> None:
        import onnxruntime  # noqa: PLC0415 - only these problems need it

        self.scenario, task = name.split("/")
        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(folder / self.scenario / "model.onnx", options)
        self._codes = json.loads((folder / self.scenario / "encoding.json").read_text())
        described = json.loads((folder / self.scenario / "config_space.json").read_text())
        self._conditions = [
            (each["child"], each["parent"], each.get("values") or [each["value"]]) for each in described["conditions"]
        ]
        self._continuous = _CONTINUOUS[self.scenario]
        self._categories = _CATEGORIES.get(self.scenario, ())
        self._task = self._codes[_TASK.get(self.scenario, "task_id")][task]
        known = {each["name"]: each for each in described["hyperparameters"]}
        tuned = [each for each in (*self._continuous, *self._categories) if each not in _FIXED]
        self.space = Space(tuple(_parameter(known[each]) for each in tuned))

    def losses(self, points: Sequence[Point]) -> NDArray[np.float64]:
        """Return what points are worth, shape (points,); parameters that are not active count as zero."""
        values = [{**point, **_FIXED} for point in points]
        for child, parent, wanted in self._conditions:
            for value in values:
                if value[parent] not in wanted:
                    value[child] = 0.0
        numbers = np.array([[value[each] for each in self._continuous] for value in values], dtype=np.float32)
        codes = np.array(
            [[self._task, *(self._codes[each][value[each]] for each in self._categories)] for value in values],
            dtype=np.int32,
        )
        (output,) = self._session.run(None, {"x_cat": codes, "x_cont": numbers})
        place, sign = _LOSS[self.scenario]
        return sign * np.asarray(output[:, place], dtype=np.float64)

    def best(self) -> float:
        """Return the lowest loss of many random points and of climbs from the best of these."""
        space, generator = self.space, np.random.default_rng(1)
        rows = space.spread(generator.random((_SAMPLED, len(space.parameters))))
        losses = self.losses([space.decode(row) for row in rows])
        for _ in range(_STEPS):
            order = np.argsort(losses)[:_CLIMBS]
            rows, losses = rows[order], losses[order]
            fresh = np.repeat(rows, 8, axis=0)
            drawn = space.spread(generator.random(fresh.shape))
            moved = fresh + 0.1 * generator.standard_normal(fresh.shape) * generator.random((len(fresh), 1))
            change = generator.random(fresh.shape)
            fresh = space.snap(np.where(change < 0.1, drawn, np.where(change < 0.6, moved, fresh)))
            rows = np.vstack([rows, fresh])
            losses = np.concatenate([losses, self.losses([space.decode(row) for row in fresh])])
        return float(losses.min())


def _parameter(described: Mapping[str, Any]) -> Continuous | Integer | Categorical:
    if described["type"] == "categorical":
        return Categorical(described["name"], tuple(described["choices"]))
    name, low, high = described["name"], described["lower"], described["upper"]
    scale = Scale.LOG if described["log"] else Scale.LINEAR
    if described["type"] == "uniform_int":
        return Integer(name, low, high, scale)
    return Continuous(name, low, high, scale)


@cache
def surrogate(folder: Path, name: str) -> Problem:
    """Return the problem of a scenario's task; its optimum is the best that a long search has found."""
    model = Surrogate(folder, name)
    return in_shares(name, model.space, lambda point: float(model.losses([point])[0]), model.best())
