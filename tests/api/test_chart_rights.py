"""The rights that the chart grants suffice: a whole job under them, early stopping included, meets no refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.chart import CHART, PROMETHEUS, helm, values_flags
from tests.api.operator.harness import METRIC, Cluster, job_manifest, operator_process
from tests.api.operator.kubelet import Kubelet, Training
from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.cluster.prometheus import Prometheus
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.api

JOB: dict[str, Any] = {
    "earlyStopping": {"type": "Median", "median": {"minCompletedTrials": 1}},
    "limits": {"maxTrials": 3},
    "ttlSecondsAfterFinished": 5,
}


def worse_and_worse(_parameters: Mapping[str, Any], pod: str) -> Training:
    """The first trial is quick and good, the others are slow and bad."""
    first = pod == "job-0001-1"
    level = 0.9 if first else 0.1
    return Training(tuple(level * epoch / 10 for epoch in range(1, 11)), epoch_seconds=0.1 if first else 0.5)


@pytest.mark.parametrize(
    ("values", "namespaces"), [({"watchNamespaces": ["team"]}, ["team"]), ({"clusterWide": True}, ["*"])]
)
def test_a_whole_job_meets_no_refusal(tmp_path: Path, values: dict[str, Any], namespaces: list[str]) -> None:
    with ControlPlane(tmp_path / "control-plane", audit=True) as server:
        for namespace in ("tuning", "team"):
            server.create_namespace(namespace)
        flags = values_flags(PROMETHEUS | values)
        helm("install", "tuning-operator", CHART, "--namespace=tuning", *flags, kubeconfig=server.kubeconfig)
        server.kubectl("wait", "--for=condition=Established", "crd/tuningjobs.tuning-operator.dev", "--timeout=20s")
        account = server.kubeconfig_for_service_account("tuning", "tuning-operator")
        cluster = Cluster(server.kubeconfig, "team")
        with (
            Kubelet(Api(server.kubeconfig), "team", worse_and_worse, METRIC) as kubelet,
            Prometheus(
                tmp_path / "prometheus", [kubelet.target(f"job-000{n}-1") for n in (1, 2, 3)], scrape_interval=0.5
            ) as prometheus,
        ):
            operator = operator_process(account, namespaces, prometheus.url, tmp_path / "operator.log")
            operator.start()
            try:
                cluster.apply(job_manifest("team", **JOB))
                status = cluster.wait_for_phase("Completed")["status"]
                wait_until(lambda: not cluster.jobs(), "the job is deleted when its time is over")
            finally:
                operator.stop()
        assert status["trialCounts"]["earlyStopped"] == 2
        requests = _requests(server, "system:serviceaccount:tuning:tuning-operator")
    used = {(entry["verb"], entry["objectRef"]["resource"]) for entry in requests if "objectRef" in entry}
    assert {("create", "pods"), ("delete", "pods"), ("create", "events"), ("patch", "tuningtrials")} <= used
    assert ("delete", "tuningjobs") in used
    assert [entry["requestURI"] for entry in requests if entry["responseStatus"]["code"] == 403] == []


def _requests(server: ControlPlane, user: str) -> list[dict[str, Any]]:
    assert server.audit_log is not None
    entries = map(json.loads, server.audit_log.read_text().splitlines())
    return [entry for entry in entries if entry["user"]["username"] == user]
