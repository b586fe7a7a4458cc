"""Training scripts on the real frameworks, each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tuning_trainer

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
START = Path(tuning_trainer.__file__).parent / "start"
SECONDS = 240.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.adapters)


@dataclass(frozen=True)
class Outcome:
    """What a training left.

    Attributes:
        code: its exit code.
        errors: its standard error.
        curves: the values of each metric by epoch.
    """

    code: int
    errors: str
    curves: dict[str, dict[int, float]]

    def epochs(self, metric: str) -> list[int]:
        return list(self.curves.get(metric, {}))

    def values(self, metric: str) -> list[float]:
        return list(self.curves[metric].values())


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Outcome]:
    """Runs a script as `tuning-run python` does, with this objective; it finds the folder of the test in FOLDER."""

    def run(script: str, objective: str, *, hooks: bool = True, **environment: str) -> Outcome:
        log = tmp_path / "termination-log"
        log.write_text("")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TUNING_", "PYTHON"))}
        settings = {
            "TUNING_TRIAL": "job-0001",
            "TUNING_OBJECTIVE_METRIC": objective,
            "TUNING_METRICS_PORT": "0",
            "TUNING_FINISH_TIMEOUT": "0",
            "TUNING_TERMINATION_LOG": str(log),
            "TUNING_TERMINATION_BYTES": "100000",
            "FOLDER": str(tmp_path),
            "TUNING_SEED": "7",
            "HF_HUB_OFFLINE": "1",
            "KERAS_BACKEND": "torch",
            "KERAS_HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            **({"PYTHONPATH": str(START)} if hooks else {}),
        }
        path = tmp_path / "train.py"
        path.write_text(textwrap.dedent(script))
        done = subprocess.run(
            [sys.executable, str(path)],
            env=clean | settings | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        message = json.loads(log.read_text() or '{"epochs": [], "metrics": {}}')
        curves = {
            name: {
                epoch: float(value) for epoch, value in zip(message["epochs"], values, strict=True) if value is not None
            }
            for name, values in message["metrics"].items()
        }
        return Outcome(done.returncode, done.stderr, curves)

    return run
