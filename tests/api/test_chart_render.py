"""What the chart makes of its values."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.api.chart import (
    CHART,
    NAMESPACE,
    PROMETHEUS,
    HelmError,
    environment,
    helm,
    of_kind,
    operator_container,
    render,
)
from tests.api.conftest import CRDS
from tuning_operator.runtime.settings import Settings, parse_settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.api

URL = PROMETHEUS["prometheus"]["url"]
OTHER_SETTINGS = {
    "pollInterval": 0.5,
    "metricsWindow": 86400,
    "resyncInterval": 30,
    "workers": 64,
    "suggestionWorkers": 3,
    "suggestionTimeout": 12.5,
    "apiQps": 500,
    "apiBurst": 10000,
    "imagePullGrace": 0,
    "sidecarImage": "registry.example.com/sidecar:1",
    "jobMetrics": False,
    "logFormat": "plain",
    "logLevel": "debug",
}


@pytest.fixture
def defaults() -> list[dict[str, Any]]:
    return render()


def test_defaults_create_this_and_nothing_else(defaults: list[dict[str, Any]]) -> None:
    assert sorted((body["kind"], body["metadata"]["name"]) for body in defaults) == [
        ("ClusterRole", "tuning-operator-edit"),
        ("ClusterRole", "tuning-operator-view"),
        ("CustomResourceDefinition", "tuningjobs.tuning-operator.dev"),
        ("CustomResourceDefinition", "tuningtrials.tuning-operator.dev"),
        ("Deployment", "tuning-operator"),
        ("Pod", "tuning-operator-test"),
        ("Role", "tuning-operator"),
        ("RoleBinding", "tuning-operator"),
        ("Service", "tuning-operator"),
        ("ServiceAccount", "tuning-operator"),
        *(
            (kind, f"{subject}.tuning-operator.{NAMESPACE}")
            for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
            for subject in ("identity", "pods", "services", "templates", "trials", "users")
        ),
    ]


def test_whoever_has_one_namespace_alone_can_install_what_belongs_to_it() -> None:
    objects = render(
        {
            "crds": {"install": False},
            "rbac": {"userRoles": False},
            "admissionPolicies": {"users": False, "operator": False, "identity": False},
        }
    )
    assert {body["metadata"].get("namespace") for body in objects} == {NAMESPACE}


def test_default_settings_are_those_of_the_operator(defaults: list[dict[str, Any]]) -> None:
    assert parse_settings([], environment(defaults)) == Settings((NAMESPACE,), URL)


def test_every_setting_reaches_the_operator() -> None:
    settings = parse_settings([], environment(render({"settings": OTHER_SETTINGS})))
    snake = {re.sub(r"(?=[A-Z])", "_", name).lower(): value for name, value in OTHER_SETTINGS.items()}
    assert {name: getattr(settings, name) for name in snake} == snake
    fixed = {"namespaces", "prometheus_url", "metrics_port", "health_port"}
    access = {"prometheus_ca_file", "prometheus_token_file", "prometheus_header"}
    apart = {"last_words", "sidecar_resources"}  # see the next test
    assert {field.name for field in fields(Settings)} == snake.keys() | fixed | access | apart


def test_the_sidecar_and_the_last_words_reach_the_operator(defaults: list[dict[str, Any]]) -> None:
    env = environment(defaults)
    assert env["TUNING_OPERATOR_LAST_WORDS"] == "true"
    limits, requests = {"cpu": "500m", "memory": "256Mi"}, {"cpu": "10m", "memory": "64Mi"}
    assert json.loads(env["TUNING_OPERATOR_SIDECAR_RESOURCES"]) == {"limits": limits, "requests": requests}
    settings = {"lastWords": False, "sidecarResources": {"limits": {"cpu": None, "memory": "1Gi"}}}
    env = environment(render({"settings": settings}))
    assert env["TUNING_OPERATOR_LAST_WORDS"] == "false"
    changed = {"limits": {"memory": "1Gi"}, "requests": requests}
    assert json.loads(env["TUNING_OPERATOR_SIDECAR_RESOURCES"]) == changed


SECRET = {"url": URL, "existingSecret": "access"}


@pytest.mark.parametrize(
    ("values", "variables"),
    [
        ({"caKey": "root.pem"}, {"CA_FILE": "root.pem"}),
        ({"tokenKey": "bearer"}, {"TOKEN_FILE": "bearer"}),
        ({"caKey": "ca.crt", "tokenKey": "token"}, {"CA_FILE": "ca.crt", "TOKEN_FILE": "token"}),
    ],
)
def test_the_operator_and_helm_test_get_what_prometheus_asks_for(
    values: dict[str, str], variables: dict[str, str]
) -> None:
    objects = render({"prometheus": SECRET | values | {"headers": {"X-Scope-OrgID": "team", "B": "c"}}})
    (deployment,), (test,) = of_kind(objects, "Deployment"), of_kind(objects, "Pod")
    for spec in (deployment["spec"]["template"]["spec"], test["spec"]):
        (container,) = spec["containers"]
        (volume,) = (item["secret"] for item in spec["volumes"] if "secret" in item)
        (mount,) = (item for item in container["volumeMounts"] if item["name"] == "prometheus-access")
        env = {item["name"]: item["value"] for item in container["env"]}
        assert env["TUNING_OPERATOR_PROMETHEUS_URL"] == URL
        assert env["TUNING_OPERATOR_PROMETHEUS_HEADER"] == "B=c\nX-Scope-OrgID=team"
        assert volume["secretName"] == "access"
        assert mount["readOnly"] is True
        keys = {f"{mount['mountPath']}/{item['path']}": item["key"] for item in volume["items"]}
        assert len(keys) == len(variables)
        assert {name: keys[env[f"TUNING_OPERATOR_PROMETHEUS_{name}"]] for name in variables} == variables


def test_a_password_in_the_url_is_not_in_the_notes() -> None:
    url = "https://annalena:p@ss@prometheus.example.com/team"
    notes = helm("install", "release", CHART, "--dry-run=client", f"--set=prometheus.url={url}").partition("NOTES:")[2]
    assert "https://prometheus.example.com/team." in notes
    assert "annalena" not in notes
    assert "ss@" not in notes


def test_definitions_are_the_canonical_ones_and_outlive_the_release(defaults: list[dict[str, Any]]) -> None:
    rendered = of_kind(defaults, "CustomResourceDefinition")
    for body in rendered:
        assert body["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert rendered == [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    assert of_kind(render({"crds": {"install": False}}), "CustomResourceDefinition") == []


def test_a_packaged_chart_is_the_same(tmp_path: Path) -> None:
    helm("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("*.tgz")
    assert render(chart=package) == render()


def test_what_the_pod_is_given_arrives() -> None:
    given: dict[str, Any] = {
        "nodeSelector": {"pool": "cpu"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "imagePullSecrets": [{"name": "registry"}],
    }
    env = {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}
    more = {
        "podLabels": {"team": "platform", "app.kubernetes.io/name": "else"},
        "podAnnotations": {"prometheus.io/scrape": "false", "note": "x"},
        "extraEnv": [env],
        "resources": {"limits": {"memory": "4Gi"}},
    }
    objects = render(given | more)
    (deployment,) = of_kind(objects, "Deployment")
    template, container = deployment["spec"]["template"], operator_container(objects)
    assert {name: template["spec"][name] for name in given} == given
    assert template["metadata"]["labels"]["team"] == "platform"
    assert deployment["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert template["metadata"]["annotations"] == {
        "prometheus.io/scrape": "false",
        "prometheus.io/port": "8080",
        "note": "x",
    }
    assert env in container["env"]
    assert container["resources"]["limits"] == {"memory": "4Gi"}


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "localhost/tuning-operator/operator:0.1.0"),
        ({"repository": "r.example.com/op", "tag": "dev"}, "r.example.com/op:dev"),
        (
            {"repository": "r.example.com/op", "tag": "dev", "digest": f"sha256:{'0' * 64}"},
            f"r.example.com/op@sha256:{'0' * 64}",
        ),
    ],
)
def test_images_are_named_by_tag_or_digest(image: dict[str, str], reference: str) -> None:
    objects = render({f"image.{name}": value for name, value in image.items()})
    assert operator_container(objects)["image"] == reference
    (test,) = of_kind(objects, "Pod")
    assert [container["image"] for container in test["spec"]["containers"]] == [reference]


@pytest.mark.parametrize(
    ("values", "selector"),
    [
        ({}, {"matchNames": [NAMESPACE]}),
        ({"watchNamespaces": ["team-a", "team-b"]}, {"matchNames": ["team-a", "team-b"]}),
        ({"clusterWide": True}, {"any": True}),
    ],
)
def test_the_pod_monitor_scrapes_trainings_where_they_run(values: dict[str, Any], selector: dict[str, Any]) -> None:
    wanted = {"podMonitor": {"enabled": True, "interval": "3s", "labels": {"release": "prometheus"}}}
    (monitor,) = of_kind(render(values | wanted), "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["namespaceSelector"] == selector
    assert monitor["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/managed-by": "tuning-operator"}
    limits = {name: value for name, value in monitor["spec"].items() if "Limit" in name}
    assert limits == {name: value for name, value in default_values()["podMonitor"].items() if "Limit" in name}
    assert len(limits) == 5
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["interval"], endpoint["honorLabels"]) == ("metrics", "3s", False)


def test_the_service_monitor_scrapes_the_operator() -> None:
    objects = render({"serviceMonitor": {"enabled": True}})
    (monitor,), (service,) = of_kind(objects, "ServiceMonitor"), of_kind(objects, "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= {
        port["name"] for port in service["spec"]["ports"]
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prometheus": {"url": ""}}, "prometheus.url is missing"),
        ({"prometheus": {}}, "prometheus.url is missing"),
        ({"prometheus": {"url": URL, "caKey": "ca.crt"}}, "prometheus.existingSecret names .* set both, or neither"),
        ({"prometheus": SECRET}, "prometheus.existingSecret names .* set both, or neither"),
        ({"prometheus": SECRET | {"tokenKey": "a b"}}, "'/prometheus/tokenKey'.*does not match pattern"),
        ({"prometheus": {"url": URL, "headers": {"A": "b\nC=d"}}}, "'/prometheus/headers/A'.*does not match pattern"),
        ({"prometheus": {"url": "prometheus:9090"}}, "'/prometheus/url'.*does not match pattern '.https"),
        ({"watchNamespace": ["a"]}, "additional properties 'watchNamespace' not allowed"),
        ({"watchNamespaces": "team-a"}, "'/watchNamespaces'.*want array"),
        ({"watchNamespaces": ["Team A"]}, "'/watchNamespaces/0'.*does not match pattern"),
        ({"watchNamespaces": ["a"], "clusterWide": True}, "leave watchNamespaces empty, or clusterWide false"),
        ({"settings": {"logLevel": "verbose"}}, "'/settings/logLevel'.*'debug', 'info', 'warning'"),
        ({"settings": {"workers": 0}}, "'/settings/workers'.*minimum"),
        ({"settings": {"pollIntervall": 1}}, "'/settings'.*'pollIntervall' not allowed"),
        ({"settings": {"lastWords": "no"}}, "'/settings/lastWords'.*want boolean"),
        ({"settings": {"sidecarResources": {"limits": {"cpu": "much"}}}}, "limits/cpu'.*does not match pattern"),
        ({"settings": {"sidecarResources": {"limit": {}}}}, "'limit' not allowed"),
        ({"image": {"repository": "x", "digest": "latest"}}, "'/image/digest'.*does not match pattern"),
        ({"podMonitor": {"interval": 5}}, "'/podMonitor/interval'.*want string"),
        ({"replicas": 2}, "additional properties 'replicas' not allowed"),
        ({"networkPolicy": {"trials": True}}, "name it in networkPolicy.prometheus.peers"),
        ({"networkPolicy": {"trials": True}, "clusterWide": True}, "make a policy in each namespace"),
        ({"networkPolicy": {"metricsFrom": [{"pods": {}}]}}, "'/networkPolicy/metricsFrom/0'.*'pods' not allowed"),
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmError, match=words):
        render(values)


def test_lint_finds_nothing() -> None:
    helm("lint", "--strict", CHART, f"--set=prometheus.url={URL}")


def test_the_readme_lists_every_value() -> None:
    listed = re.findall(r"^\| `([A-Za-z.]+)` \|", (CHART / "README.md").read_text(), flags=re.MULTILINE)
    assert listed == list(_names(default_values()))


def default_values() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return values


def _names(values: dict[str, Any], above: str = "") -> Any:
    """Names of all values, in order; resources and other structures that are passed on count as one."""
    for name, value in values.items():
        if isinstance(value, dict) and value and not name.lower().endswith("resources"):
            yield from _names(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def test_dashboards_and_alerts_are_the_charts_files() -> None:
    labels = {"grafana_dashboard": "1"}
    objects = render({"dashboards": {"enabled": True}, "alerts": {"enabled": True, "labels": {"release": "prom"}}})
    boards = {body["metadata"]["name"]: body for body in of_kind(objects, "ConfigMap")}
    files = {path.stem: path.read_text() for path in (CHART / "files" / "dashboards").iterdir()}
    assert (
        set(boards)
        == {f"tuning-operator-dashboard-{name}" for name in files}
        == {
            "tuning-operator-dashboard-operator",
            "tuning-operator-dashboard-job",
        }
    )
    for name, text in files.items():
        body = boards[f"tuning-operator-dashboard-{name}"]
        assert labels.items() <= body["metadata"]["labels"].items()
        assert json.loads(body["data"][f"tuning-{name}.json"]) == json.loads(text)
    (rule,) = of_kind(objects, "PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "prom"
    assert rule["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
