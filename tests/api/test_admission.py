"""The chart's admission policies on a real API server: three users, and the operator's own account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cluster.waiting import wait_until
from tests.api.admission import Watched, container, job, pod, release, service, spread, trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.controlplane import ControlPlane

pytestmark = pytest.mark.api

# What each may do: ana everything that a data scientist may, pat no more with service accounts, joe with Pods neither.
RULES = {
    "jobs": {"apiGroups": ["tuning-operator.dev"], "resources": ["tuningjobs"], "verbs": ["*"]},
    "pods": {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]},
    "accounts": {
        "apiGroups": [""],
        "resources": ["serviceaccounts"],
        "resourceNames": ["trainer"],
        "verbs": ["impersonate"],
    },
}
USERS = {"ana": ("jobs", "pods", "accounts"), "pat": ("jobs", "pods"), "joe": ("jobs",)}


@pytest.fixture(scope="module")
def here(control_plane: ControlPlane) -> Iterator[Watched]:
    with release(control_plane, "admission") as watched:
        for name, rule in RULES.items():
            watched.grants(name, [rule], *(user for user, names in USERS.items() if name in names))
        wait_until(lambda: not watched.creates("ana", job(serviceAccountName="trainer")), "users' rights hold", 30)
        yield watched


@pytest.mark.parametrize(
    ("user", "pod_spec", "words"),
    [
        ("ana", {}, ""),
        ("pat", {}, ""),
        ("joe", {}, "joe may not in admission"),
        ("ana", {"serviceAccountName": "trainer"}, ""),
        ("ana", {"serviceAccountName": "admin"}, "ana may not act as the service account admin"),
        ("ana", {"serviceAccountName": "trainer", "serviceAccount": "admin"}, "may not act as the service account"),
        ("pat", {"serviceAccountName": "trainer"}, "pat may not act as the service account trainer"),
        ("pat", {"serviceAccount": "trainer"}, "pat may not act as the service account trainer"),
        ("pat", {"serviceAccountName": "default"}, ""),
        ("pat", {"serviceAccountName": ["trainer"]}, "denied request"),
    ],
)
def test_who_may_create_a_job(here: Watched, user: str, pod_spec: dict[str, Any], words: str) -> None:
    said = here.creates(user, job(**pod_spec))
    assert words in said if words else said == "", said


@pytest.mark.parametrize(
    ("user", "patch", "words"),
    [
        ("ana", {"spec": {"limits": {"maxTrials": 30}}}, ""),
        ("joe", {"spec": {"limits": {"maxTrials": 30}}}, "joe may not in admission"),
        ("joe", {"metadata": {"finalizers": ["example.com/x"]}}, ""),
    ],
)
def test_an_edit_needs_the_same_rights_unless_it_starts_nothing(
    here: Watched, user: str, patch: dict[str, Any], words: str
) -> None:
    said = here.tries(user, "patch", "tuningjob", "fashion", "--type=merge", f"--patch={json.dumps(patch)}")
    assert words in said if words else said == "", said


OURS = "belong to a TuningTrial"
LABELLED = "with the labels of their trial"
SERVICE = "only the headless Service"
NODE = "trainings get no access to their node"
MANAGED = {"app.kubernetes.io/managed-by": "tuning-operator"}
PRIVILEGED = {"securityContext": {"privileged": True}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (pod(), ""),
        (pod(kind="Job"), OURS),
        (pod(name="fashion-0002-1"), OURS),
        (pod(name="fashion-0001-x"), OURS),
        (pod({"tuning-operator.dev/trial": "fashion-0002"}), LABELLED),
        (pod({"tuning-operator.dev/job": None}), LABELLED),
        (pod({"app.kubernetes.io/managed-by": "Helm"}), LABELLED),
        (pod(hostNetwork=True), NODE),
        (pod(hostPID=True), NODE),
        (pod(volumes=[{"name": "node", "hostPath": {"path": "/"}}]), NODE),
        (pod(containers=[container(**PRIVILEGED)]), NODE),
        (pod(initContainers=[{"name": "first", "image": "x", **PRIVILEGED}]), NODE),
        (pod(containers=[container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})]), NODE),
        (pod(containers=[container(ports=[{"containerPort": 1, "hostPort": 1}])]), NODE),
        (spread(), ""),
        (spread(name="web"), OURS),
        (spread(manualSelector=True, selector={"matchLabels": MANAGED}), "no Pods but their own"),
        (spread(template={"hostPID": True}), NODE),
        (spread(template={"containers": [container(**PRIVILEGED)]}), NODE),
        (service(), ""),
        (service(name="web"), SERVICE),
        (service(clusterIP=None, ports=[{"port": 80}]), SERVICE),
        (service(externalIPs=["192.0.2.1"]), SERVICE),
        (service(selector={"tuning-operator.dev/job": None, "app": "web"}), SERVICE),
        (trial(), ""),
        (trial(kind="Job"), "belong to a HyperparameterTuningJob"),
        (trial(name="other-0001"), "belong to a HyperparameterTuningJob"),
    ],
)
def test_what_the_operator_may_create(here: Watched, body: dict[str, Any], words: str) -> None:
    said = here.creates(here.operator, body)
    # Whether there is one of that name already is asked after the policies.
    assert words in said if words else said == "" or "AlreadyExists" in said, said


def test_the_operator_deletes_no_pod_but_a_trials(here: Watched) -> None:
    foreign = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": pod()["spec"]}
    here.stores(foreign)
    owner = json.loads(here.server.kubectl("get", "tuningjob", "fashion", "-n", here.name, "-o=json"))
    for body in (trial(), pod()):
        body["metadata"]["ownerReferences"][0]["uid"] = owner["metadata"]["uid"]  # else it would be collected
        owner = here.stores(body)
    assert OURS in here.tries(here.operator, "delete", "pod", "web")
    assert here.tries(here.operator, "delete", "pod", "fashion-0001-1") == ""


def test_nobody_else_is_pinned(here: Watched) -> None:
    assert here.creates("ana", {**pod(), "metadata": {"name": "mine"}}) == ""
