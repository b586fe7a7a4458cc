"""What the API server adds to a Pod, and what a stranger does: only an API server knows the former."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from cluster.api import Api
from tests.unit.api.manifests import job_body
from tests.unit.builders import trial
from tuning_operator.api.attempts import build_attempt
from tuning_operator.api.job import parse_job
from tuning_operator.api.likeness import is_like, is_same

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.api

Body = dict[str, Any]
PARAMETERS = [{"name": "lr", "continuous": {"min": 0.00001, "max": 1, "scale": "Log"}}]
PROBE = {"httpGet": {"path": "/", "port": "metrics"}}
TEMPLATE: Body = {
    "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "mine"}},
    "spec": {
        "initContainers": [{"name": "fetch", "image": "fetch:1", "args": ["$(HP_lr)"]}],
        "containers": [
            {
                "name": "train",
                "image": "trainer:1",
                "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                "envFrom": [{"secretRef": {"name": "keys"}}],
                "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}},
                "livenessProbe": PROBE,
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
            {"name": "other", "image": "other"},
        ],
        "volumes": [
            {"name": "data", "configMap": {"name": "data"}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "keys", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        ],
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "securityContext": {"runAsNonRoot": True},
    },
}


def created(api: Api, namespace: str, body: Body, *, dry_run: bool = False) -> Body:
    path = (
        f"/apis/batch/v1/namespaces/{namespace}/jobs"
        if body["kind"] == "Job"
        else f"/api/v1/namespaces/{namespace}/pods"
    )
    made: Body = api.call("POST", path + ("?dryRun=All" if dry_run else ""), body)
    return made


def wanted(namespace: str, nodes: int, template: Body = TEMPLATE) -> Body:
    body = build_attempt(parse_job(job_body(nodes=nodes, template=template, parameters=PARAMETERS)), trial(1))
    body["metadata"]["namespace"] = namespace
    return body


@pytest.fixture
def api(kubeconfig: Path) -> Api:
    return Api(kubeconfig)


@pytest.mark.parametrize("nodes", [1, 2])
def test_the_api_servers_defaults_are_known(api: Api, namespace: str, nodes: int) -> None:
    body = wanted(namespace, nodes)
    found = created(api, namespace, body)
    assert is_like(found, body)
    assert found != body


@pytest.mark.parametrize("nodes", [1, 2])
def test_what_admission_adds_is_what_it_would_add_to_another(api: Api, namespace: str, nodes: int) -> None:
    """Here a token, and a limit; elsewhere a proxy, or the name of a mirror."""
    limits = {"limits": [{"type": "Container", "default": {"cpu": "2"}}]}
    range_ = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "some"}, "spec": limits}
    api.call("POST", f"/api/v1/namespaces/{namespace}/limitranges", range_)
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["automountServiceAccountToken"] = True
    template["spec"]["volumes"][1]["emptyDir"] = {"sizeLimit": "1024Mi"}
    body = wanted(namespace, nodes, template)
    found = created(api, namespace, body)
    assert not is_like(found, body)
    probe = copy.deepcopy(body)
    probe["metadata"]["name"] = "job-0001-999999999"
    assert is_same(found, created(api, namespace, probe, dry_run=True))


@pytest.mark.parametrize("nodes", [1, 2])
@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["containers"][0].update(command=["forge"]),
        lambda pod: pod["containers"][0].update(image="forge"),
        lambda pod: pod["containers"][0].update(terminationMessagePath="/data/forged"),
        lambda pod: pod["containers"][0]["env"].append({"name": "PYTHONSTARTUP", "value": "/data/forge.py"}),
        lambda pod: pod["containers"][0].update(lifecycle={"postStart": {"exec": {"command": ["forge"]}}}),
        lambda pod: pod["containers"].append({"name": "forge", "image": "forge"}),
        lambda pod: pod["initContainers"].append({"name": "forge", "image": "forge"}),
        lambda pod: pod.update(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["data"]}]),
        lambda pod: pod.update(shareProcessNamespace=True),
        lambda pod: pod["volumes"][0]["configMap"].update(name="forged"),
    ],
)
def test_whatever_runs_something_else_is_told(api: Api, namespace: str, change: Any, nodes: int) -> None:
    body = wanted(namespace, nodes)
    planted = copy.deepcopy(body)
    change(planted["spec"] if nodes == 1 else planted["spec"]["template"]["spec"])
    found = created(api, namespace, planted)
    assert not is_like(found, body)
    probe = copy.deepcopy(body)
    probe["metadata"]["name"] = "job-0001-999999999"
    assert not is_same(found, created(api, namespace, probe, dry_run=True))


def test_annotations_and_labels_that_a_training_may_read_are_part_of_what_it_runs(api: Api, namespace: str) -> None:
    body = wanted(namespace, 1)
    found = created(api, namespace, body)
    for field, name in (("annotations", "note"), ("labels", "team"), ("labels", "tuning-operator.dev/trial")):
        planted = copy.deepcopy(found)
        planted["metadata"][field][name] = "another"
        assert not is_like(planted, body)
    del found["metadata"]["labels"]["tuning-operator.dev/job"]  # somebody took it off
    assert is_like(found, body)
