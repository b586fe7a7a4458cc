"""Strategies that do more than propose, as jobs against a real API server and a real Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.operator.harness import job_manifest
from tests.api.operator.kubelet import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api


def test_a_grid_runs_every_combination_once_and_says_that_it_is_done(start_lab: Callable[..., Lab]) -> None:
    def train(parameters: Mapping[str, Any], _pod: str) -> Training:
        return Training((parameters["n"] / 100,), epoch_seconds=0.05)

    lab = start_lab(train)
    parameters = [
        {"name": "n", "integer": {"min": 16, "max": 50, "step": 16}},
        {"name": "c", "categorical": {"values": ["a", "b"]}},
    ]
    lab.cluster.apply(
        job_manifest(lab.namespace, strategy="Grid", parameters=parameters, limits={"maxParallelTrials": 3})
    )
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert (status["completionReason"], status["progress"]) == ("SpaceExhausted", "6/6")
    assert status["suggestion"] == {"trial": 6, "source": "Grid", "message": "point 6 of 6 of the grid"}
    assert [trial["spec"]["parameters"] for trial in lab.cluster.trials()] == [
        {"n": str(n), "c": c} for c in ("a", "b") for n in (16, 32, 48)
    ]


def test_hyperband_stops_at_rungs_what_is_not_among_the_best(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        number = int(pod.split("-")[-2])
        return Training((number / 100,) * 9, epoch_seconds=0.1 if number % 4 == 0 else 0.8)

    lab = start_lab(train, trials=9, attempts=1)
    hyperband = {"minResource": 1, "maxResource": 9}
    limits = {"maxTrials": 9, "maxParallelTrials": 9}
    lab.cluster.apply(job_manifest(lab.namespace, strategy="Hyperband", hyperband=hyperband, limits=limits))
    status = lab.cluster.wait_for_phase("Completed")["status"]
    trials = lab.cluster.trials()
    stopped = [trial for trial in trials if trial["status"]["phase"] == "EarlyStopped"]
    assert len(stopped) == status["trialCounts"]["earlyStopped"] >= 3
    assert {trial["status"]["stopDecision"]["reason"] for trial in stopped} == {"BelowRung"}
    assert any(trial["status"]["epochs"] < 9 for trial in stopped)
    assert status["bestTrial"]["name"] == "job-0009", "the best of all is stopped by nobody"
