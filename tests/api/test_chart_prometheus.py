"""The Prometheus that the chart brings along for trying: found by the operator, limited to what is watched."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.api.chart import CHART, NAMESPACE, HelmError, helm, of_kind, render

pytestmark = pytest.mark.api

BUNDLED = {"prometheus": {"bundled": True}}
NAME = "tuning-operator-prometheus"


def bundled(**values: Any) -> list[dict[str, Any]]:
    """What belongs to the bundled Prometheus."""
    return [body for body in render(BUNDLED | values) if body["metadata"]["name"] == NAME]


def configuration(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (body,) = of_kind(objects, "ConfigMap")
    found: dict[str, Any] = yaml.safe_load(body["data"]["prometheus.yml"])
    return found


def test_there_is_none_unless_it_is_asked_for() -> None:
    assert [body for body in render() if "prometheus" in body["metadata"]["name"]] == []


def test_the_operator_and_helm_test_ask_it() -> None:
    objects = render(BUNDLED)
    pods = [body["spec"] for body in of_kind(objects, "Pod")]
    pods += [
        body["spec"]["template"]["spec"] for body in of_kind(objects, "Deployment") if body["metadata"]["name"] != NAME
    ]
    asked = [
        entry["value"]
        for pod in pods
        for entry in pod["containers"][0]["env"]
        if entry["name"] == "TUNING_OPERATOR_PROMETHEUS_URL"
    ]
    (service,) = of_kind(bundled(), "Service")
    assert asked == [f"http://{NAME}.{NAMESPACE}:9090"] * 2
    assert service["spec"]["ports"][0]["port"] == 9090


def test_its_service_selects_it_and_not_the_operator() -> None:
    (service,) = of_kind(bundled(), "Service")
    deployments = of_kind(render(BUNDLED), "Deployment")
    wanted = service["spec"]["selector"].items()
    selected = [
        body["metadata"]["name"]
        for body in deployments
        if wanted <= body["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert selected == [NAME]


@pytest.mark.parametrize(
    ("values", "namespaces"),
    [({}, [NAMESPACE]), ({"watchNamespaces": ["team-a", "team-b"]}, ["team-a", "team-b"])],
)
def test_it_sees_the_pods_of_the_watched_namespaces_alone(values: dict[str, Any], namespaces: list[str]) -> None:
    objects = bundled(**values)
    (job,) = configuration(objects)["scrape_configs"]
    assert job["kubernetes_sd_configs"][0]["namespaces"] == {"names": namespaces}
    assert [body["metadata"]["namespace"] for body in of_kind(objects, "Role")] == namespaces
    assert [body["metadata"]["namespace"] for body in of_kind(objects, "RoleBinding")] == namespaces
    assert of_kind(objects, "ClusterRole") == []
    assert [body["rules"] for body in of_kind(objects, "Role")] == [
        [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    ] * len(namespaces)


def test_with_all_namespaces_it_sees_all_pods() -> None:
    objects = bundled(clusterWide=True)
    (job,) = configuration(objects)["scrape_configs"]
    assert "namespaces" not in job["kubernetes_sd_configs"][0]
    assert len(of_kind(objects, "ClusterRole")) == len(of_kind(objects, "ClusterRoleBinding")) == 1
    assert of_kind(objects, "Role") == []


def test_rights_can_be_brought_along() -> None:
    kinds = {body["kind"] for body in bundled(rbac={"create": False})}
    assert kinds == {"ConfigMap", "Deployment", "Service", "ServiceAccount"}


def test_it_takes_no_more_from_a_training_than_other_ways_to_scrape() -> None:
    (job,) = configuration(bundled())["scrape_configs"]
    (monitor,) = of_kind(render({"podMonitor": {"enabled": True}}), "PodMonitor")
    in_camel_case = {re.sub("_(.)", lambda match: match[1].upper(), name): value for name, value in job.items()}
    limits = {name: value for name, value in in_camel_case.items() if name.endswith("Limit")}
    assert len(limits) == 5
    assert limits.items() <= monitor["spec"].items()


def test_its_image_can_be_another() -> None:
    (deployment,) = of_kind(bundled(prometheus={"bundled": True, "bundledImage": "r.example.com/p:1"}), "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "r.example.com/p:1"


@pytest.mark.parametrize(
    ("prometheus", "words"),
    [
        ({"url": "http://prometheus:9090"}, "leave prometheus.url and prometheus.existingSecret empty"),
        ({"existingSecret": "access", "caKey": "ca.crt"}, "leave prometheus.url and prometheus.existingSecret empty"),
        ({"bundled": False}, "name the Prometheus .* or set prometheus.bundled=true"),
    ],
)
def test_one_prometheus_is_asked_for(prometheus: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmError, match=words):
        render({"prometheus": {"bundled": True} | prometheus})


def test_lint_finds_nothing() -> None:
    helm("lint", "--strict", CHART, "--set=prometheus.bundled=true")
