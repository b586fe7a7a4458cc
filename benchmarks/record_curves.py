"""Records the learning curves of a job's space: the project's own data for its benchmarks and tests.

    python -m benchmarks.record_curves tests/data/curves/fashion_mnist_small.npz --images 2000

With `--job benchmarks/spaces/schedules.yaml` it made `fashion_mnist_schedules.npz`, with `lengths.yaml` from the same
folder `fashion_mnist_lengths.npz`.

Trains evenly spread configurations with the image classifier, in this process and one after the other, as the trials
of the job would train. The file is written after every run; runs that are in it are not trained again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import yaml
from scipy.stats import qmc

from benchmarks.curve_spaces import numbers, space_of
from tuning_trainer.image_classification import hyperparameters
from tuning_trainer.image_classification.interruption import Interruption
from tuning_trainer.image_classification.training import Training

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import numpy.typing as npt

    from tuning_operator.core.space import Value
    from tuning_trainer import Reporter

EXAMPLE = Path(__file__).parents[1] / "examples" / "fashion-mnist.yaml"


@dataclass
class Recorder:
    """Takes the place of the trainer's reporter: notes the objective of every epoch and how long the epoch took."""

    metric: str
    values: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def report(self, _epoch: int, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        self.values.append(metrics[self.metric])
        self.seconds.append(now - self.began)
        self.began = now


def train(spec: Mapping[str, Any], point: Mapping[str, Value], seed: int, interruption: Interruption) -> Recorder:
    chosen = {"HYPERPARAMETERS": json.dumps({**spec["staticParameters"], **point}), "TUNING_SEED": str(seed)}
    training = Training(hyperparameters.read([], chosen), interruption)
    recorder = Recorder(spec["objective"]["metric"])
    training.run(cast("Reporter", recorder))
    return recorder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the .npz file to write, or to complete")
    parser.add_argument(
        "--job", type=Path, default=EXAMPLE, help="manifest with the space that is recorded (default: %(default)s)"
    )
    parser.add_argument(
        "--runs", type=int, default=128, help="configurations (default: %(default)s; best a power of 2)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help="how many to train on (default: as the job says)")
    arguments = parser.parse_args()

    spec = yaml.safe_load(arguments.job.read_text())["spec"]
    if arguments.images:
        spec["staticParameters"]["num_training_samples"] = str(arguments.images)
    space = space_of(spec["parameters"])
    uniform = qmc.Sobol(len(space.parameters), rng=arguments.seed).random(arguments.runs)
    points = [space.decode(row) for row in space.spread(uniform)]
    rows = np.array([numbers(space, point) for point in points])
    curves, seconds = _known(arguments.file)
    interruption = Interruption()
    for run in range(len(curves), arguments.runs):
        recorder = train(spec, points[run], run, interruption)
        curves.append(recorder.values)
        seconds.append(recorder.seconds)
        print(f"{run + 1}/{arguments.runs}: {points[run]}: {recorder.values[-1]:.4f}", flush=True)
        np.savez_compressed(
            arguments.file,
            curves=_padded(curves),
            seconds=_padded(seconds).round(3),
            lengths=[len(curve) for curve in curves],
            hyperparameters=rows[: run + 1],
            names=[parameter.name for parameter in space.parameters],
            parameters=json.dumps(spec["parameters"]),
            goal=spec["objective"]["goal"],
        )


def _padded(rows: list[list[float]]) -> npt.NDArray[np.float32]:
    """As long as the longest one; NaN after the end of the others."""
    padded = np.full((len(rows), max(map(len, rows))), np.nan, np.float32)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded


def _known(file: Path) -> tuple[list[list[float]], list[list[float]]]:
    if not file.exists():
        return [], []
    with np.load(file) as data:
        lengths = data["lengths"].tolist() if "lengths" in data else [data["curves"].shape[1]] * len(data["curves"])
        curves, seconds = (
            [row[:length] for row, length in zip(data[name].tolist(), lengths, strict=True)]
            for name in ("curves", "seconds")
        )
        return curves, seconds


if __name__ == "__main__":
    main()
