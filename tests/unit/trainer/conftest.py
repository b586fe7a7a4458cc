"""Real training scripts, each in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.runs import Run, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts `python ARGS` (or `python -c SCRIPT`) with its own metrics port and termination log."""
    processes: list[subprocess.Popen[str]] = []

    def start_run(*arguments: str, script: str | None = None, **environment: str) -> Run:
        port, log = free_port(), tmp_path / f"termination-log-{len(processes)}"
        # With the ban on bytecode files that some environments set, torch would be compiled in every process.
        foreign = ("TUNING_", "HP_", "HYPERPARAMETERS", "PYTHONDONTWRITEBYTECODE", "RANK", "LOCAL_RANK", "SLURM_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        settings = {"METRICS_PORT": str(port), "TERMINATION_LOG": str(log), "CPU_THREADS": "1"}
        env = clean | {f"TUNING_{name}": value for name, value in settings.items()} | environment
        command = ["-c", textwrap.dedent(script)] if script is not None else list(arguments)
        process = subprocess.Popen(
            [sys.executable, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return Run(process, port, log)

    yield start_run
    for process in processes:
        process.kill()
        process.communicate()
