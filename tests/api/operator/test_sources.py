"""Measurements of trainings that do not keep the metrics contract, from a real Prometheus and a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import METRIC, job_manifest
from cluster.played_kubelet import NEVER, Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

GAUGES = {"value": {"name": "accuracy", "labels": {"split": "validation"}}, "epoch": {"name": "epochs_finished"}}


def test_epochs_that_end_between_two_scrapes_of_plain_gauges_are_told(start_lab: Callable[..., Lab]) -> None:
    hasty = Training(
        (0.1, 0.2, 0.3), 0.1, leaves_message=False, waits_for_scrape=True, gauges=("accuracy", "epochs_finished")
    )
    lab = start_lab(lambda *_: hasty, trials=1, attempts=1)
    source = {"type": "Gauge", "gauge": GAUGES}
    lab.cluster.apply(job_manifest(lab.namespace, metrics={"source": source}, limits={"maxTrials": 1}))
    lab.cluster.wait_for_phase("Completed")
    (trial,) = lab.cluster.trials()
    assert trial["status"]["curve"]["epochs"][-1] == 3
    assert len(trial["status"]["curve"]["epochs"]) < 3
    events = [event for event in lab.cluster.events() if event["reason"] == "EpochsMissing"]
    assert [event["related"]["name"] for event in events] == ["job-0001"]


@pytest.mark.parametrize("step", [0.5, 5])
def test_trials_whose_logs_state_strides_or_fractions_are_stopped_early(
    start_lab: Callable[..., Lab], step: float
) -> None:
    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        good = int(pod.split("-")[-2]) <= 2
        values = tuple((0.9 if good else 0.1) * epoch / 10 for epoch in range(1, 11))
        if good:
            return Training(values, leaves_message=False, waits_for_scrape=True, step=step)
        return Training(values[:-1], leaves_message=False, until=NEVER, step=step)

    lab = start_lab(train, trials=3, attempts=1)
    rule = {"type": "Median", "median": {"minCompletedTrials": 2}}
    limits = {"maxTrials": 3, "maxParallelTrials": 1}
    lab.cluster.apply(job_manifest(lab.namespace, earlyStopping=rule, limits=limits))
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert status["bestTrial"]["epoch"] == 10 * step
    completed, _, stopped = (trial["status"] for trial in lab.cluster.trials())
    assert completed["curve"]["epochs"] == [epoch * step for epoch in range(1, 11)]
    assert stopped["phase"] == "EarlyStopped"
    assert stopped["stopDecision"]["epoch"] in stopped["curve"]["epochs"]
    assert 2 * step <= stopped["stopDecision"]["epoch"] < 10 * step
    assert not [event for event in lab.cluster.events() if event["reason"] == "EpochsMissing"]


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


@pytest.mark.parametrize(
    ("bounds", "refused"),
    [
        ({"default": {"cpu": "2", "memory": "2Gi"}, "defaultRequest": {"cpu": "1", "memory": "1Gi"}}, False),
        ({"min": {"cpu": "10m", "memory": "16Mi"}, "max": {"cpu": "2", "memory": "2Gi"}}, False),
        ({"min": {"memory": "1Gi"}}, True),
        ({"max": {"cpu": "100m"}}, True),
        ({"maxLimitRequestRatio": {"cpu": "2"}, "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1"}}, True),
    ],
    ids=["defaults", "wide bounds", "minimum", "maximum", "ratio"],
)
def test_a_sidecar_fits_limit_ranges_or_is_named_as_what_does_not(
    start_lab: Callable[..., Lab], bounds: dict[str, Any], refused: bool
) -> None:
    lab = start_lab(lambda *_: Training((0.5,) * 50), "--sidecar-image=registry.example.com/sidecar:1", trials=1)
    limits = {"limits": [{"type": "Container", **bounds}]}
    range_ = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "some"}, "spec": limits}
    lab.cluster.api.call("POST", f"/api/v1/namespaces/{lab.namespace}/limitranges", range_)
    source = {"type": "File", "file": {"path": "/logs/out"}}
    lab.cluster.apply(job_manifest(lab.namespace, metrics={"source": source}))
    if refused:
        assert lab.cluster.wait_for_phase("Failed")["status"]["completionReason"] == "InvalidTemplate"
        assert "--sidecar-resources" in lab.cluster.condition("TemplateValid")["message"]
        return
    pod = wait_until(lambda: next(iter(lab.cluster.pods()), None), "the API server has taken the Pod")
    (trial,) = wait_until(
        lambda: [
            item for item in lab.cluster.trials() if (item.get("status") or {}).get("podUID") == pod["metadata"]["uid"]
        ],
        "the Pod is known to be the trial's, whatever was added to it",
    )
    assert trial["status"]["attempt"] == 1
