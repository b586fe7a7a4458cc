"""The first tutorial, followed literally: from a script to its best value, in under ten minutes."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from cluster.release import ROOT
from tests.unit.docs.tutorials import TUTORIALS, commands, save

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.jobs import Namespace

pytestmark = pytest.mark.e2e

TYPING_SECONDS = 180
"""What a reader takes to copy two files and seven commands."""


def follow(page: str, namespace: Namespace, folder: Path) -> tuple[list[str], float]:
    """Run a tutorial's commands; returns what they wrote and the seconds that they took."""
    save(TUTORIALS / f"{page}.md", folder, images="localhost/tuning-operator")
    environment = os.environ | {
        "KUBECONFIG": str(namespace.tools.kubeconfig),
        "NO_PROXY": "*",
        "PATH": f"{ROOT / 'cluster'}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
    }
    began, written = time.monotonic(), []
    for command in commands(TUTORIALS / f"{page}.md"):
        there = command.replace("-n tuning", f"-n {namespace.name}")
        done = subprocess.run(
            ["bash", "-c", there], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, f"{there}: {done.stdout}{done.stderr}"
        written.append(done.stdout)
    return written, time.monotonic() - began


def test_a_script_of_ones_own_has_its_best_value_in_ten_minutes(namespace: Namespace, tmp_path: Path) -> None:
    written, seconds = follow("own-script", namespace, tmp_path)
    assert seconds + TYPING_SECONDS < 600
    variables = dict(line.split("=", 1) for line in written[-1].splitlines())
    status = yaml.safe_load(namespace.kubectl("get", "tuningjob", "my-script", "-o", "yaml"))["status"]
    assert status["phase"] == "Completed"
    assert variables["HP_learning_rate"] == status["bestTrial"]["parameters"]["learning_rate"]
    assert float(status["bestTrial"]["objective"]) < 0.05, "the noise has a variance of 0.01"
