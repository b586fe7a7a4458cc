"""Measurements of trainings that do not keep the metrics contract, from a real Prometheus and a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.operator.harness import METRIC, job_manifest
from tests.api.operator.kubelet import Training
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

GAUGES = {"value": {"name": "accuracy", "labels": {"split": "val"}}, "epoch": {"name": "epochs_finished"}}
VALUES = (0.1, 0.2, 0.3)


def test_plain_gauges_are_read_and_missing_epochs_are_told(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        # The second trial's epochs are shorter than the scrape interval; the first one's outlast some late scrapes.
        seconds = 3 if pod == "job-0001-1" else 0.1
        return Training(
            VALUES, seconds, leaves_message=False, waits_for_scrape=True, gauges=("accuracy", "epochs_finished")
        )

    lab = start_lab(train, trials=2, attempts=1)
    source = {"type": "Gauge", "gauge": GAUGES}
    lab.cluster.apply(job_manifest(lab.namespace, metrics={"source": source}, limits={"maxTrials": 2}))
    lab.cluster.wait_for_phase("Completed")
    whole, hasty = (trial["status"]["curve"] for trial in lab.cluster.trials())
    assert whole == {"epochs": [1, 2, 3], "values": ["0.1", "0.2", "0.3"]}
    assert hasty["epochs"][-1] == 3
    assert len(hasty["epochs"]) < 3
    told = [event for event in lab.cluster.events() if event["reason"] == "EpochsMissing"]
    assert {event["regarding"]["name"] for event in told} == {"job", "job-0002"}


@pytest.mark.parametrize("image", ["", "registry.example.com/sidecar:1"])
def test_a_log_needs_the_sidecars_image(start_lab: Callable[..., Lab], image: str) -> None:
    lab = start_lab(lambda *_: Training((0.5,) * 50), f"--sidecar-image={image}", trials=1, attempts=1)
    definitions = [{"name": METRIC, "regex": "acc=([0-9.]+)"}]
    source = {"type": "File", "file": {"path": "/logs/out", "format": "Regex", "metricDefinitions": definitions}}
    lab.cluster.apply(job_manifest(lab.namespace, metrics={"source": source}))
    if not image:
        assert lab.cluster.wait_for_phase("Failed")["status"]["completionReason"] == "InvalidTemplate"
        assert "settings.sidecarImage" in lab.cluster.condition("TemplateValid")["message"]
        return
    pod = wait_until(lambda: next(iter(lab.cluster.pods()), None), "the API server has taken the Pod")
    assert [item["name"] for item in pod["spec"]["initContainers"]] == ["tuning-metrics"]
