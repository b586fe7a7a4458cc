"""The operator as the chart installs it: restricted, tested by Helm, measured, removable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.jobs import OPERATOR_NAMESPACE, Namespace, job_manifest
from cluster.release import Release
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from cluster.jobs import Operator
    from cluster.tools import Tools

pytestmark = pytest.mark.e2e

DOCUMENTED_METRICS = {
    "tuning_operator_reconcile_seconds",
    "tuning_operator_queue_depth",
    "tuning_operator_suggestion_seconds",
    "tuning_operator_suggestion_fallbacks",
    "tuning_operator_early_stops",
    "tuning_operator_prometheus_errors",
    "tuning_operator_prometheus_query_seconds",
    "tuning_operator_api_errors",
    "tuning_operator_trials",
}


def test_it_runs_where_pods_have_to_be_restricted(operator: Operator) -> None:
    level = operator.release.tools.kubectl(
        "get",
        "namespace",
        OPERATOR_NAMESPACE,
        "-o",
        r"jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}",
    )
    (pod,) = operator.pods()
    assert level == "restricted"
    assert pod["status"]["phase"] == "Running"
    assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_helm_test_passes(operator: Operator) -> None:
    said = operator.release.tools.helm(
        "test", operator.release.name, "--namespace", OPERATOR_NAMESPACE, "--logs", "--timeout", "60s"
    )
    assert "Phase:          Succeeded" in said
    assert "it answers queries" in said


def test_a_job_is_seen_in_the_operators_metrics(operator: Operator, namespace: Namespace) -> None:
    namespace.apply(job_manifest(epochs=1, limits={"maxTrials": 1}))
    namespace.wait_for_end()
    families = {family.name: family for family in text_string_to_metric_families(operator.metrics())}
    assert set(families) >= DOCUMENTED_METRICS
    passes = [
        sample.value
        for sample in families["tuning_operator_reconcile_seconds"].samples
        if sample.name.endswith("_count") and sample.labels["result"] == "ok"
    ]
    assert sum(passes) > 3
    refused = [
        sample
        for sample in families["tuning_operator_api_errors"].samples
        if sample.labels.get("kind") == "Forbidden" and sample.value
    ]
    assert refused == []


def test_a_refused_pod_template_is_explained_in_the_servers_words(namespace: Namespace) -> None:
    manifest = job_manifest()
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = {
        "requests": {"memory": "2Gi"},
        "limits": {"memory": "1Gi"},
    }
    namespace.apply(manifest)
    status = namespace.wait_for_end()
    condition = next(item for item in status["conditions"] if item["type"] == "TemplateValid")
    assert status["phase"] == "Failed"
    assert status["completionReason"] == "InvalidTemplate"
    assert condition["status"] == "False"
    assert "must be less than or equal to memory limit of 1Gi" in condition["message"]
    assert namespace.trials() == []
    assert namespace.pods() == []


def test_an_uninstalled_release_leaves_definitions_and_jobs(tools: Tools, operator: Operator) -> None:
    other = Release(tools, "e2e-uninstall", ("e2e-uninstall",), name="tuning-operator-removed")
    assert other.name != operator.release.name
    jobs, where = Namespace(tools, other.namespace), ("--namespace", other.namespace)
    try:
        other.install()
        jobs.apply(job_manifest(suspend=True))
        other.uninstall()
        wait_until(
            lambda: other.name not in tools.kubectl("get", "all,roles,serviceaccounts", *where),
            "what the release had installed is gone",
            describe=lambda: tools.kubectl("get", "all,roles,serviceaccounts", *where),
        )
        assert "tuningjobs.tuning-operator.dev" in tools.kubectl("get", "crds", "-o", "name")
        assert jobs.job()["spec"]["suspend"] is True
    finally:
        tools.kubectl("delete", "namespace", other.namespace, "--wait=false")
