"""Every epoch that a training reports is in its TuningTrial, however short, and whatever happens to Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.jobs import items, job_manifest
from cluster.release import PROMETHEUS_NAMESPACE
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from cluster.jobs import Namespace
    from cluster.tools import Tools

pytestmark = pytest.mark.e2e

EPOCHS = 50


def quick_job(name: str, environment: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    manifest = job_manifest(name=name, epochs=EPOCHS, epoch_seconds=0.2, limits={"maxTrials": 1})
    template = manifest["spec"]["template"]
    template["metadata"] = {"annotations": annotations}
    template["spec"]["containers"][0]["env"] = [{"name": key, "value": value} for key, value in environment.items()]
    return manifest


def test_no_short_epoch_is_lost_when_either_prometheus_or_the_termination_message_is(
    tools: Tools, namespace: Namespace
) -> None:
    """Several epochs between two scrapes, and Prometheus replaced by an empty one in the middle."""
    elsewhere = {"TUNING_TERMINATION_LOG": "/tmp/unread"}
    unscraped = {"prometheus.io/scrape": "false"}
    namespace.apply(quick_job("scraped", elsewhere, {}))
    namespace.apply(quick_job("reported", {"TUNING_FINISH_TIMEOUT": "1"}, unscraped))
    namespace.apply(quick_job("both", {}, {}))
    wait_until(
        lambda: any((trial.get("status") or {}).get("epochs", 0) >= 5 for trial in namespace.trials("scraped")),
        "some epochs were seen by Prometheus",
        describe=lambda: namespace.kubectl("get", "tuningtrials,pods"),
    )
    first = prometheus_pods(tools)
    tools.kubectl("delete", "pod", "--namespace", PROMETHEUS_NAMESPACE, *first, "--grace-period=0", "--force")
    for job in ("scraped", "reported", "both"):
        status = namespace.wait_for_end(job)
        assert status["trialCounts"]["completed"] == 1
        (trial,) = namespace.trials(job)
        assert trial["status"]["curve"]["epochs"] == list(range(1, EPOCHS + 1))
        x = float(trial["spec"]["parameters"]["x"])
        expected = [x * epoch / 100 for epoch in range(1, EPOCHS + 1)]
        assert [float(value) for value in trial["status"]["curve"]["values"]] == pytest.approx(expected)
    assert set(prometheus_pods(tools)).isdisjoint(first)
    (scraped,) = (pod for pod in namespace.pods() if pod["metadata"]["name"].startswith("scraped"))
    assert "message" not in scraped["status"]["containerStatuses"][0]["state"]["terminated"]


def prometheus_pods(tools: Tools) -> list[str]:
    return [pod["metadata"]["name"] for pod in items(tools, f"/api/v1/namespaces/{PROMETHEUS_NAMESPACE}/pods")]
