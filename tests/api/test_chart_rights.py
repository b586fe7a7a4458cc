"""The rights that the chart grants are those that the operator uses: no refusal, and none to spare.

A whole job under them, with a trial that is stopped early, and with names that somebody has taken, which is when the
operator looks at what is there.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from cluster.api import Api
from cluster.controlplane import ControlPlane
from cluster.operators import GROUP, Cluster, job_manifest, start_operator
from cluster.played_kubelet import NEVER, Kubelet, Training
from cluster.prometheus import Prometheus
from cluster.waiting import wait_until
from tests.api.chart import CHART, PROMETHEUS, helm, of_kind, render, values_flags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cluster.zygote import Zygote

pytestmark = pytest.mark.api

JOB: dict[str, Any] = {
    "earlyStopping": {"type": "Median", "median": {"minCompletedTrials": 1}},
    "limits": {"maxTrials": 3},
    "ttlSecondsAfterFinished": 5,
}
TAKEN_TRIAL = {
    "apiVersion": "tuning-operator.dev/v1alpha1",
    "kind": "TuningTrial",
    "metadata": {"name": "job-0001"},
    "spec": {"number": 1, "parameters": {"x": "0"}, "seed": 1},
}
TAKEN_BATCH_JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "spread-0001-1"},
    "spec": {
        "suspend": True,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}},
    },
}
TAKEN_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "job-0001-1"},
    "spec": {"containers": [{"name": "x", "image": "x", "env": [{"name": "HYPERPARAMETERS", "value": "{}"}]}]},
}


def worse_and_worse(_parameters: Mapping[str, Any], pod: str) -> Training:
    """The first trial is good, the others are bad and wait to be stopped; what is spread over nodes completes."""
    if pod.startswith("job-0001-"):
        return Training(tuple(0.9 * epoch / 10 for epoch in range(1, 11)))
    bad = tuple(0.1 * epoch / 10 for epoch in range(1, 10))
    return Training(bad, until=NEVER if pod.startswith("job-") else None)


@pytest.mark.parametrize(
    ("values", "namespaces"), [({"watchNamespaces": ["team"]}, ["team"]), ({"clusterWide": True}, ["*"])]
)
def test_a_whole_job_uses_all_rights_and_lacks_none(
    tmp_path: Path, zygote: Zygote, values: dict[str, Any], namespaces: list[str]
) -> None:
    with ControlPlane(tmp_path / "control-plane", audit=True) as server:
        for namespace in ("tuning-system", "team"):
            server.create_namespace(namespace)
        flags = values_flags(PROMETHEUS | values)
        helm("install", "tuning-operator", CHART, "--namespace=tuning-system", *flags, kubeconfig=server.kubeconfig)
        server.kubectl("wait", "--for=condition=Established", "crd/tuningjobs.tuning-operator.dev", "--timeout=20s")
        account = server.kubeconfig_for_service_account("tuning-system", "tuning-operator")
        cluster = Cluster(server.kubeconfig, "team")
        with (
            Kubelet(Api(server.kubeconfig), "team", worse_and_worse) as kubelet,
            Prometheus(
                tmp_path / "prometheus",
                [kubelet.target(name) for name in ("job-0001-2", "job-0002-1", "job-0003-1")],
                scrape_interval=0.5,
            ) as prometheus,
        ):
            operator = start_operator(account, namespaces, prometheus.url, tmp_path / "operator.log", zygote=zygote)
            try:
                take_names_for_a_while(cluster, job_manifest("team", **JOB))
                spread_over_nodes_with_a_name_taken(cluster)
                status = cluster.wait_for_phase("Completed")["status"]
                wait_until(lambda: not cluster.jobs(), "the jobs are deleted when their time is over")
            finally:
                operator.stop()
        assert status["trialCounts"]["earlyStopped"] == 2
        requests = requests_of(server, "system:serviceaccount:tuning-system:tuning-operator")
    assert [entry["requestURI"] for entry in requests if entry["responseStatus"]["code"] == 403] == []
    assert rights_used(requests) == rights_granted(values)


def take_names_for_a_while(cluster: Cluster, job: dict[str, Any]) -> None:
    """Let the operator find its first trial's name taken, for a while, and then its Pod's."""
    for path, body in (
        (f"{GROUP}/namespaces/team/tuningtrials", TAKEN_TRIAL),
        ("/api/v1/namespaces/team/pods", TAKEN_POD),
    ):
        cluster.api.call("POST", path, body)
    cluster.apply(job)
    wait_until(
        lambda: "TuningTrial job-0001 exists" in cluster.condition("Reconciled").get("message", ""),
        "the trial is another's",
    )
    cluster.api.call("DELETE", f"{GROUP}/namespaces/team/tuningtrials/job-0001")
    wait_until(lambda: is_told_taken(cluster, "Pod job-0001-1"), "the Pod is another's")


def spread_over_nodes_with_a_name_taken(cluster: Cluster) -> None:
    """Let the operator find the name of its batch Job taken."""
    path = "/apis/batch/v1/namespaces/team/jobs"
    cluster.api.call("POST", path, TAKEN_BATCH_JOB)
    spread = {"nodes": 2, "limits": {"maxTrials": 1}, "podCleanup": "Delete", "ttlSecondsAfterFinished": 5}
    cluster.apply(job_manifest("team", "spread", **spread))
    wait_until(lambda: is_told_taken(cluster, "Job spread-0001-1"), "the batch Job is another's")


def is_told_taken(cluster: Cluster, name: str) -> bool:
    notes = [event["note"] for event in cluster.events() if event["reason"] == "NameTaken"]
    return any(f"{name} exists" in note for note in notes)


def requests_of(server: ControlPlane, user: str) -> list[dict[str, Any]]:
    assert server.audit_log is not None
    entries = map(json.loads, server.audit_log.read_text().splitlines())
    return [entry for entry in entries if entry["user"]["username"] == user]


def rights_used(requests: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Group, resource and verb of all requests that are about objects."""
    used = set()
    for entry in requests:
        if "objectRef" in entry:
            about = entry["objectRef"]
            resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
            used.add((about.get("apiGroup", ""), resource, entry["verb"]))
    return used


def rights_granted(values: dict[str, Any]) -> set[tuple[str, str, str]]:
    objects = render(values)
    roles = of_kind(objects, "Role") or [
        body for body in of_kind(objects, "ClusterRole") if body["metadata"]["name"] == "tuning-operator"
    ]
    return {
        right
        for role in roles
        for rule in role["rules"]
        for right in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }
