"""The console in the chart: off by default, without rights or token, restricted, and with what it has to know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cluster.controlplane import ControlPlane
from cluster.waiting import wait_until
from tests.api.chart import CHART, NAMESPACE, PROMETHEUS, HelmError, Object, helm, of_kind, render, values_flags
from tuning_console.settings import Settings, parse_settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.api

NAME = "tuning-operator-console"
ON: dict[str, Any] = {"console": {"enabled": True}}


def of_console(objects: list[Object]) -> dict[str, Object]:
    return {body["kind"]: body for body in objects if body["metadata"]["name"] == NAME}


def pod_of(objects: list[Object]) -> Object:
    return dict(of_console(objects)["Deployment"]["spec"]["template"])


def container_of(objects: list[Object]) -> Object:
    (container,) = pod_of(objects)["spec"]["containers"]
    return dict(container)


def test_it_is_off_until_it_is_asked_for_and_adds_these_and_nothing_else() -> None:
    off, on = render(), render(ON)
    assert of_console(off) == {}
    assert set(of_console(on)) == {"Deployment", "Service", "ServiceAccount"}
    assert [body for body in on if body["metadata"]["name"] != NAME] == off


def test_its_account_has_no_rights_and_no_token_is_mounted() -> None:
    objects = render(ON | {"clusterWide": True})
    assert of_console(objects)["ServiceAccount"]["automountServiceAccountToken"] is False
    assert pod_of(objects)["spec"]["automountServiceAccountToken"] is False
    assert pod_of(objects)["spec"]["serviceAccountName"] == NAME
    bindings = of_kind(objects, "RoleBinding") + of_kind(objects, "ClusterRoleBinding")
    assert bindings
    assert NAME not in {subject["name"] for binding in bindings for subject in binding["subjects"]}
    assert [volume for volume in pod_of(objects)["spec"]["volumes"] if "configMap" not in volume] == []


def test_it_runs_restricted_and_read_only() -> None:
    pod, container = pod_of(render(ON))["spec"], container_of(render(ON))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for probe in ("livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}


def test_it_gets_its_settings() -> None:
    values = {"console": {"enabled": True, "tokenHeader": "X-Forwarded-Access-Token"}, "watchNamespaces": ["a", "b"]}
    container = container_of(render(values))
    settings = parse_settings([], {item["name"]: item["value"] for item in container["env"]})
    (mount,) = container["volumeMounts"]
    assert settings == Settings(
        ca_file=f"{mount['mountPath']}/ca.crt", token_header="X-Forwarded-Access-Token", namespaces=("a", "b")
    )
    assert {port["containerPort"] for port in container["ports"]} == {settings.port}
    (volume,) = pod_of(render(values))["spec"]["volumes"]
    assert volume["configMap"] == {"name": "kube-root-ca.crt"}


def test_services_reach_their_own_pods_alone() -> None:
    objects = render(ON)
    pods = {
        body["metadata"]["name"]: body["spec"]["template"]["metadata"]["labels"]
        for body in of_kind(objects, "Deployment")
    }
    for service in of_kind(objects, "Service"):
        selector = service["spec"]["selector"].items()
        assert [name for name, labels in pods.items() if selector <= labels.items()] == [service["metadata"]["name"]]


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "localhost/tuning-operator/console:0.1.0"),
        ({"repository": "r.example.com/c", "tag": "dev"}, "r.example.com/c:dev"),
        ({"repository": "r.example.com/c", "digest": f"sha256:{'0' * 64}"}, f"r.example.com/c@sha256:{'0' * 64}"),
    ],
)
def test_its_image_is_named_by_tag_or_digest(image: dict[str, str], reference: str) -> None:
    assert container_of(render({"console": {"enabled": True, "image": image}}))["image"] == reference


PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
API = {"ipBlock": {"cidr": "10.0.0.1/32"}}


def test_it_reaches_the_api_server_and_names_alone_if_you_say_so() -> None:
    policies = {"console": True, "consoleFrom": [PEER], "apiServer": {"ports": [6443], "peers": [API]}}
    objects = render(ON | {"networkPolicy": policies})
    policy = of_console(objects)["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= pod_of(objects)["metadata"]["labels"].items()
    assert policy["ingress"] == [{"ports": [{"port": "http"}], "from": [PEER]}]
    assert policy["egress"] == [
        {"ports": [{"protocol": "TCP", "port": 6443}], "to": [API]},
        {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
    ]


@pytest.mark.parametrize(
    ("console", "word"),
    [({"tokenHeader": "a b"}, "tokenHeader"), ({"replicas": -1}, "replicas"), ({"ingress": {}}, "ingress")],
)
def test_a_bad_value_is_refused_by_name(console: dict[str, Any], word: str) -> None:
    with pytest.raises(HelmError, match=word):
        render({"console": console})


def test_an_api_server_takes_it_under_the_restricted_level_and_its_account_may_nothing(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "control-plane") as server:
        server.create_namespace(NAMESPACE, {"pod-security.kubernetes.io/enforce": "restricted"})
        flags = values_flags(PROMETHEUS | ON)
        helm("install", "tuning-operator", CHART, f"--namespace={NAMESPACE}", *flags, kubeconfig=server.kubeconfig)
        pod = pod_of(render(ON))
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "console", **pod["metadata"]},
            "spec": pod["spec"],
        }
        wait_until(
            lambda: "console" in server.kubectl("get", "serviceaccounts", f"-n={NAMESPACE}", "--output=name"),
            "its account is there",
        )
        server.kubectl("create", f"-n={NAMESPACE}", "--dry-run=server", "--filename=-", stdin=json.dumps(body))
        account = server.kubeconfig_for_service_account(NAMESPACE, NAME)
        for resource in (
            "tuningjobs.tuning-operator.dev",
            "tuningtrials.tuning-operator.dev",
            "pods",
            "pods/log",
            "events",
            "secrets",
        ):
            assert may(server, account, "list", resource) is False


def may(server: ControlPlane, account: Path, verb: str, resource: str) -> bool:
    said = server.kubectl("auth", "can-i", "--list", f"-n={NAMESPACE}", config=account)
    return any(resource.split("/", maxsplit=1)[0] in line and verb in line for line in said.splitlines())
