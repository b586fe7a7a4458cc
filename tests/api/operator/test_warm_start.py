"""How a job starts from an earlier one, against a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import job_manifest
from cluster.played_kubelet import Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api


def test_a_job_starts_when_its_parent_has_ended_and_learns_from_its_trials(start_lab: Callable[..., Lab]) -> None:
    def train(parameters: Mapping[str, Any], pod: str) -> Training:
        return Training((1 - abs(parameters["x"] - 0.3) / (1 if pod.startswith("base") else 2),), epoch_seconds=0.1)

    lab = start_lab(train)
    lab.cluster.apply(
        job_manifest(
            lab.namespace,
            "heir",
            strategy="Bayesian",
            warmStart={"type": "IdenticalDataAndAlgorithm", "parents": ["base"]},
            limits={"maxTrials": 1},
        )
    )
    wait_until(lambda: lab.cluster.condition("ParentsReady", "heir").get("reason") == "ParentMissing", "it waits")
    assert lab.cluster.wait_for_phase("Pending", name="heir")["status"].get("startTime") is None
    lab.cluster.apply(job_manifest(lab.namespace, "base", limits={"maxTrials": 5, "maxParallelTrials": 5}))
    base = lab.cluster.wait_for_phase("Completed", name="base")["status"]

    heir = lab.cluster.wait_for_phase("Completed", name="heir")["status"]
    assert heir["suggestion"]["source"] == "Model"
    assert "5 trials" in heir["suggestion"]["message"]
    assert "5 of the 5 trials of base" in lab.cluster.condition("ParentsReady", "heir")["message"]
    assert heir["bestTrial"]["name"] == "heir-0001"
    overall = heir["overallBestTrial"]
    assert float(overall["objective"]) == max(float(it["bestTrial"]["objective"]) for it in (base, heir))
    assert overall["name"].rpartition("-")[0] == overall["job"]
    assert {"ParentsNotReady", "ParentsReady"} <= {event["reason"] for event in lab.cluster.events()}
