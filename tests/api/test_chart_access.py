"""What the chart lets the operator do and reach, and who reaches it: rights, Pod security, networks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.chart import (
    NAMESPACE,
    environment,
    of_kind,
    operator_container,
    render,
)

pytestmark = pytest.mark.api


@pytest.mark.parametrize(
    ("values", "namespaces", "variable"),
    [
        ({}, [NAMESPACE], NAMESPACE),
        ({"watchNamespaces": ["team-a", "team-b"]}, ["team-a", "team-b"], "team-a,team-b"),
        ({"clusterWide": True}, [], "*"),
    ],
)
def test_rights_end_where_the_operator_watches(values: dict[str, Any], namespaces: list[str], variable: str) -> None:
    objects = render(values)
    assert environment(objects)["TUNING_OPERATOR_NAMESPACES"] == variable
    for kind in ("Role", "RoleBinding"):
        assert [body["metadata"]["namespace"] for body in of_kind(objects, kind)] == namespaces
    own = [body for body in of_kind(objects, "ClusterRole") if body["metadata"]["name"] == "tuning-operator"]
    bindings = of_kind(objects, "ClusterRoleBinding")
    assert (len(own), len(bindings)) == ((0, 0) if namespaces else (1, 1))
    for binding in of_kind(objects, "RoleBinding") + bindings:
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "tuning-operator", "namespace": NAMESPACE}]


def test_one_operator_writes_under_restricted_pod_security() -> None:
    defaults = render()
    (deployment,) = of_kind(defaults, "Deployment")
    pod, container = deployment["spec"]["template"]["spec"], operator_container(defaults)
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_the_operators_own_pod_is_no_training() -> None:
    (deployment,) = of_kind(render(), "Deployment")
    assert deployment["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/managed-by"] != "tuning-operator"


def test_accounts_and_rights_can_be_brought_along() -> None:
    objects = render(
        {"serviceAccount": {"create": False, "name": "mine"}, "rbac": {"create": False, "userRoles": False}}
    )
    (deployment,) = of_kind(objects, "Deployment")
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "mine"
    roles = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
    assert roles & {body["kind"] for body in objects} == set()


PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}


def test_the_operator_reaches_the_api_server_prometheus_and_names_alone() -> None:
    objects = render({"networkPolicy": {"operator": True, "prometheus": {"ports": [9090], "peers": [PEER]}}})
    (policy,), (deployment,) = of_kind(objects, "NetworkPolicy"), of_kind(objects, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    reached = [({port["port"] for port in rule["ports"]}, rule.get("to")) for rule in policy["spec"]["egress"]]
    assert reached == [({443, 6443}, None), ({9090}, [PEER]), ({53}, None)]
    asked = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert asked == {port["name"] for port in operator_container(objects)["ports"]}


def test_trainings_are_reached_by_prometheus_alone_where_they_run() -> None:
    values = {
        "networkPolicy": {"trials": True, "prometheus": {"peers": [PEER]}},
        "watchNamespaces": ["team-a", "team-b"],
    }
    policies = of_kind(render(values), "NetworkPolicy")
    named = {(policy["metadata"]["namespace"], policy["metadata"]["name"]): policy["spec"] for policy in policies}
    assert set(named) == {
        (namespace, f"tuning-operator-{part}") for namespace in ("team-a", "team-b") for part in ("nodes", "trials")
    }
    trials = {"matchLabels": {"app.kubernetes.io/managed-by": "tuning-operator"}}
    nodes = {**trials, "matchExpressions": [{"key": "batch.kubernetes.io/job-name", "operator": "Exists"}]}
    for (_, name), spec in named.items():
        assert spec["policyTypes"] == ["Ingress"]
        if name.endswith("-trials"):
            assert spec["podSelector"] == trials
            assert spec["ingress"] == [{"ports": [{"port": "metrics"}], "from": [PEER]}]
        else:
            assert spec["podSelector"] == nodes
            assert spec["ingress"] == [{"from": [{"podSelector": nodes}]}]
