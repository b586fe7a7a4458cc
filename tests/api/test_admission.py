"""The chart's admission policies on a real API server: three users, and the operator's own account."""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cluster.controlplane import KubectlError
from cluster.waiting import wait_until
from tests.api.chart import CHART, PROMETHEUS, helm, values_flags
from tests.api.crd_cases import good_job, merge
from tuning_operator.api.batchjobs import build_batch_job, build_service
from tuning_operator.api.job import parse_job
from tuning_operator.api.pods import build_pod
from tuning_operator.api.trial import new_trial
from tuning_operator.core.model.trial import Trial
from tuning_operator.core.suggest import Source, Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.controlplane import ControlPlane
    from tuning_operator.core.space import Value

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
POINT: dict[str, Value] = {"learning_rate": 0.1, "mini_batch_size": 32, "optimizer": "sgd"}


@dataclass(frozen=True)
class Namespace:
    """A namespace with a release in it."""

    server: ControlPlane
    name: str

    def tries(self, user: str, *words: str, body: dict[str, Any] | None = None) -> str:
        """What the API server says to a user's request; empty when it would be done."""
        stdin = json.dumps(body) if body else None
        try:
            self.server.kubectl(*words, "-n", self.name, "--dry-run=server", f"--as={user}", stdin=stdin)
        except KubectlError as error:
            return str(error)
        return ""

    def creates(self, user: str, body: dict[str, Any]) -> str:
        return self.tries(user, "create", "-f=-", body=body)

    def stores(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object as administrator."""
        stored: dict[str, Any] = json.loads(
            self.server.kubectl("create", "-n", self.name, "-f=-", "-o=json", stdin=json.dumps(body))
        )
        return stored

    @property
    def operator(self) -> str:
        return f"system:serviceaccount:{self.name}:tuning-operator"


@pytest.fixture(scope="module")
def here(control_plane: ControlPlane) -> Iterator[Namespace]:
    namespace = Namespace(control_plane, control_plane.create_namespace("admission"))
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    for name, rule in RULES.items():
        body = {**role, "metadata": {"name": name, "namespace": namespace.name}, "rules": [rule]}
        namespace.stores(body)
        users = [f"--user={user}" for user, names in USERS.items() if name in names]
        control_plane.kubectl("create", "rolebinding", name, f"--role={name}", *users, "-n", namespace.name)
    namespace.stores(good_job())
    flags = values_flags(PROMETHEUS | {"crds": {"install": False}, "rbac": {"userRoles": False}})
    where = f"--namespace={namespace.name}"
    helm("install", "tuning-operator", CHART, where, *flags, kubeconfig=control_plane.kubeconfig)
    try:
        # The API server takes up new policies within a second or two.
        wait_until(lambda: "denied request" in namespace.creates("joe", job()), "users' rights are looked at", 30)
        wait_until(
            lambda: "denied request" in namespace.creates(namespace.operator, pod(kind="Job")), "its Pods are", 30
        )
        wait_until(
            lambda: "denied request" in namespace.creates(namespace.operator, trial(kind="Job")), "its trials", 30
        )
        wait_until(
            lambda: "denied request" in namespace.creates(namespace.operator, service("web")), "its Services", 30
        )
        for body in (pod(), trial(), spread(), service()):
            refused = functools.partial(namespace.creates, namespace.operator, body)
            wait_until(lambda: not refused(), f"the operator may create a {body['kind']}", 30, refused)  # noqa: B023
        yield namespace
    finally:
        helm("uninstall", "tuning-operator", where, kubeconfig=control_plane.kubeconfig)


def job(**pod_spec: Any) -> dict[str, Any]:
    return good_job({"metadata": {"name": "another"}, "spec": {"template": {"spec": pod_spec}}})


def parsed() -> Any:
    body = good_job()
    body["metadata"] |= {"namespace": "admission", "uid": "1"}
    return parse_job(body)


def pod(labels: dict[str, Any] | None = None, kind: str = "TuningTrial", name: str = "", **spec: Any) -> dict[str, Any]:
    """The Pod of a trial as the operator makes it, but for what is said here."""
    made = build_pod(parsed().job, parsed().template, Trial("fashion-0001", 1, POINT, seed=1, uid="2"))
    made["metadata"]["ownerReferences"][0]["kind"] = kind
    metadata = {"labels": labels or {}} | ({"name": name} if name else {})
    changed: dict[str, Any] = merge(made, {"metadata": metadata, "spec": spec})
    return changed


def spread(name: str = "", template: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The batch Job of a trial of several nodes, but for what is said here."""
    made = build_batch_job(several(), pod())
    metadata = {"name": name} if name else {}
    changed: dict[str, Any] = merge(
        made, {"metadata": metadata, "spec": {**spec, "template": {"spec": template or {}}}}
    )
    return changed


def several() -> Any:
    body = good_job({"spec": {"nodes": 2}})
    body["metadata"] |= {"namespace": "admission", "uid": "1"}
    return parse_job(body).job


def service(name: str = "nodes-fashion", **spec: Any) -> dict[str, Any]:
    changed: dict[str, Any] = merge(build_service(several()), {"metadata": {"name": name}, "spec": spec})
    return changed


def trial(kind: str = "HyperparameterTuningJob", name: str = "fashion-0001") -> dict[str, Any]:
    made = new_trial(parsed().job, Suggestion(1, POINT, Source.RANDOM, ""))
    made["metadata"]["ownerReferences"][0]["kind"] = kind
    made["metadata"]["name"] = name
    return made


def container(**fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(pod()["spec"]["containers"][0])
    return made | fields


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
def test_who_may_create_a_job(here: Namespace, user: str, pod_spec: dict[str, Any], words: str) -> None:
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
    here: Namespace, user: str, patch: dict[str, Any], words: str
) -> None:
    said = here.tries(user, "patch", "tuningjob", "fashion", "--type=merge", f"--patch={json.dumps(patch)}")
    assert words in said if words else said == "", said


OURS = "belong to a TuningTrial"
LABELLED = "with the labels of their trial"
SERVICE = "only the headless Service"
NODE = "trainings get no access to the node"
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
def test_what_the_operator_may_create(here: Namespace, body: dict[str, Any], words: str) -> None:
    said = here.creates(here.operator, body)
    # Whether there is one of that name already is asked after the policies.
    assert words in said if words else said == "" or "AlreadyExists" in said, said


def test_the_operator_deletes_no_pod_but_a_trials(here: Namespace) -> None:
    foreign = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": pod()["spec"]}
    here.stores(foreign)
    owner = json.loads(here.server.kubectl("get", "tuningjob", "fashion", "-n", here.name, "-o=json"))
    for body in (trial(), pod()):
        body["metadata"]["ownerReferences"][0]["uid"] = owner["metadata"]["uid"]  # else it would be collected
        owner = here.stores(body)
    assert OURS in here.tries(here.operator, "delete", "pod", "web")
    assert here.tries(here.operator, "delete", "pod", "fashion-0001-1") == ""


def test_nobody_else_is_pinned(here: Namespace) -> None:
    assert here.creates("ana", {**pod(), "metadata": {"name": "mine"}}) == ""
