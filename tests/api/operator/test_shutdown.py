"""SIGTERM ends the operator within the ten seconds that are promised, whatever state its surroundings are in."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from cluster.operators import job_manifest
from cluster.played_kubelet import Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.controlplane import ControlPlane
    from cluster.process import Process
    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

PROMISED_SECONDS = 10.0


def seconds_until_it_ends(operator: Process) -> float:
    began = time.monotonic()
    os.kill(operator.pid, signal.SIGTERM)
    wait_until(lambda: not operator.alive, "the operator has ended", seconds=60)
    return time.monotonic() - began


def test_it_ends_in_time_and_starts_nothing_any_more(
    start_lab: Callable[..., Lab], control_plane: ControlPlane
) -> None:
    lab = start_lab(lambda *_: Training((0.5,) * 3, epoch_seconds=0.1), "--resync-interval=1", trials=60)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 60, "maxParallelTrials": 4}))
    wait_until(lambda: len(lab.cluster.trials()) >= 5, "trials come and go")
    assert seconds_until_it_ends(lab.operator) < PROMISED_SECONDS
    assert lab.operator.exit_code == 0
    left = {pod["metadata"]["name"] for pod in lab.cluster.pods()}
    wait_until(lambda: all(run.ended for run in lab.kubelet.runs.values()), "the trainings continue to their end")
    assert {pod["metadata"]["name"] for pod in lab.cluster.pods()} == left

    lab.operator.start()
    wait_until(lambda: len(lab.cluster.pods()) > len(left), "the next operator takes up what there is to do")
    os.kill(control_plane.apiserver.pid, signal.SIGSTOP)
    try:
        assert seconds_until_it_ends(lab.operator) < PROMISED_SECONDS, lab.operator.log.read_text()[-2000:]
    finally:
        os.kill(control_plane.apiserver.pid, signal.SIGCONT)
