"""The chart on a real API server: installed, upgraded and uninstalled, and what its rights allow."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from cluster.api import Api
from cluster.controlplane import ControlPlane, KubectlError
from cluster.release import PROMETHEUS_MANIFEST
from cluster.waiting import wait_until
from tests.api.chart import CHART, PROMETHEUS, helm, of_kind, render, values_flags
from tests.api.crd_cases import good_job
from tuning_operator.api.job import parse_job
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.pods import build_pod
from tuning_operator.core.model.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.api

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
PLURALS = ("tuningjobs", "tuningtrials")
GROUP = "tuning-operator.dev"
RIGHTS = {
    (GROUP, "tuningjobs"): {"get", "list", "watch", "delete"},
    (GROUP, "tuningjobs/status"): {"patch"},
    (GROUP, "tuningtrials"): {"get", "list", "watch", "create"},
    (GROUP, "tuningtrials/status"): {"patch"},
    ("", "pods"): {"get", "list", "watch", "create", "delete"},
    ("batch", "jobs"): {"get", "list", "watch", "create", "delete"},
    ("", "services"): {"get", "create"},
    ("events.k8s.io", "events"): {"create"},
}
FLOW_KINDS = ("flowschemas", "prioritylevelconfigurations")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Release:
    """One release in its own namespace, which enforces the restricted Pod security level."""

    server: ControlPlane
    namespace: str
    name: str = "tuning-operator"

    def helm(self, *words: str) -> str:
        return helm(*words, f"--namespace={self.namespace}", kubeconfig=self.server.kubeconfig)

    def install(self, *flags: str, **values: Any) -> str:
        words = ("upgrade", "--install", self.name, str(CHART), *values_flags(PROMETHEUS | values), *flags)
        return self.helm(*words)

    def uninstall(self) -> None:
        self.helm("uninstall", self.name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that knows nothing of the project before a release is installed."""
    with ControlPlane(tmp_path_factory.mktemp("chart") / "state", users={"ana": (), "vic": ()}) as running:
        yield running


@pytest.fixture
def release(server: ControlPlane) -> Iterator[Release]:
    namespace = server.create_namespace(f"release-{next(_numbers)}", RESTRICTED)
    made = Release(server, namespace)
    yield made
    made.helm("uninstall", made.name, "--ignore-not-found")
    definitions = [f"{plural}.tuning-operator.dev" for plural in PLURALS]
    server.kubectl("delete", "crd", "--ignore-not-found", "--wait=false", *definitions)
    wait_until(lambda: not _left(server, definitions), "the definitions are gone", seconds=60)


def _left(server: ControlPlane, definitions: list[str]) -> list[str]:
    """The definitions that are still there. Their end may be put off by minutes unless something happens to them."""
    left = server.kubectl("get", "crd", "--ignore-not-found", "--output=name", *definitions).split()
    for name in left:
        with contextlib.suppress(KubectlError):  # gone meanwhile
            server.kubectl("annotate", "--overwrite", name, f"looked-at={time.monotonic()}")
    return left


def test_installing_says_what_to_do_next(release: Release) -> None:
    notes = release.install()
    for words in (
        f"runs HyperparameterTuningJobs in {release.namespace}",
        "reads their metrics from http://prometheus.monitoring:9090",
        f"kubectl -n {release.namespace} rollout status deployment/tuning-operator",
        f"kubectl -n {release.namespace} apply -f job.yaml",
    ):
        assert words in notes
    assert "crds.install=false" in release.install("--take-ownership", crds={"install": False})


def test_jobs_outlive_the_release_and_the_next_one_takes_them_over(release: Release) -> None:
    release.install()
    release.server.kubectl("wait", "--for=condition=Established", "crd/tuningjobs.tuning-operator.dev", "--timeout=10s")
    apply = ("apply", "-n", release.namespace, "-f=-")
    release.server.kubectl(*apply, stdin=json.dumps(good_job()))
    release.uninstall()
    left = release.server.kubectl("get", "tuningjobs,deployment,role,sa", "-n", release.namespace, "-o=name").split()
    assert left == ["hyperparametertuningjob.tuning-operator.dev/fashion", "serviceaccount/default"]
    release.install()
    release.server.kubectl("get", "tuningjob", "fashion", "-n", release.namespace)


@pytest.mark.parametrize("values", [{}, {"clusterWide": True}, {"watchNamespaces": ["default"]}])
def test_the_operator_may_do_its_work_where_it_watches_and_nothing_else(
    release: Release, values: dict[str, Any]
) -> None:
    release.install(**values)
    account, nobody = (
        release.server.kubeconfig_for_service_account(release.namespace, name)
        for name in ("tuning-operator", "default")
    )
    watched = "default" if values else release.namespace
    assert _rights(account, watched, unlike=nobody) == RIGHTS
    elsewhere = RIGHTS if values.get("clusterWide") else {}
    assert _rights(account, "kube-system", unlike=nobody) == elsewhere


def test_all_that_is_shipped_passes_the_restricted_pod_security_level(release: Release) -> None:
    """The operator, the Pod of `helm test`, the demo's Prometheus, and the trainings of all examples."""
    release.install()
    release.server.kubectl("create", "serviceaccount", "prometheus", "-n", release.namespace)
    objects = render({})
    (test,) = of_kind(objects, "Pod")
    demo = list(yaml.safe_load_all(PROMETHEUS_MANIFEST.read_text()))
    pods = [test, *(pod_of(body) for body in of_kind([*objects, *demo], "Deployment")), *example_pods()]
    assert len(pods) >= 4
    for pod in pods:
        pod["metadata"].pop("namespace", None)
        pod["metadata"].setdefault("name", "shipped")
        release.server.kubectl("create", "-n", release.namespace, "--dry-run=server", "-f=-", stdin=json.dumps(pod))
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        with pytest.raises(KubectlError, match="restricted"):
            release.server.kubectl("create", "-n", release.namespace, "--dry-run=server", "-f=-", stdin=json.dumps(pod))


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", **deployment["spec"]["template"]}


def example_pods() -> Iterator[dict[str, Any]]:
    for path in sorted((CHART.parents[1] / "examples").glob("*.yaml")):
        for body in yaml.safe_load_all(path.read_text()):
            if body["kind"] == "HyperparameterTuningJob":
                body["metadata"] |= {"namespace": "here", "uid": "1"}
                parsed = parse_job(body)
                space = parsed.job.spec.space
                point = space.decode(np.full(len(space.parameters), 0.5))
                yield build_pod(
                    parsed.job,
                    parsed.template,
                    Trial("shipped-0001", 1, point, seed=1, uid="2"),
                    PodOptions("sidecar:1"),
                )


def test_every_value_makes_objects_that_the_server_accepts(release: Release) -> None:
    release.server.create_namespace("team-a")
    release.install(
        watchNamespaces=[release.namespace, "team-a"],
        image={"repository": "r.example.com/operator", "digest": f"sha256:{'0' * 64}", "pullPolicy": "Always"},
        imagePullSecrets=[{"name": "registry"}],
        settings={"pollInterval": 0.5, "logFormat": "plain"},
        prometheus={
            **PROMETHEUS["prometheus"],
            "existingSecret": "access",
            "caKey": "ca.crt",
            "tokenKey": "token",
            "headers": {"X-Scope-OrgID": "team"},
        },
        extraEnv=[{"name": "TZ", "value": "UTC"}],
        serviceAccount={"name": "mine", "annotations": {"note": "x"}},
        resources={"requests": {"cpu": "1"}, "limits": {"memory": "4Gi"}},
        nodeSelector={"pool": "cpu"},
        tolerations=[{"key": "dedicated", "operator": "Exists"}],
        affinity={"nodeAffinity": {}},
        priorityClassName="system-cluster-critical",
        podLabels={"team": "platform"},
        podAnnotations={"note": "x"},
        networkPolicy={
            "operator": True,
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "platform"}}}],
            "apiServer": {"ports": [6443], "peers": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]},
            "prometheus": {"ports": [9090], "peers": [{"podSelector": {}, "namespaceSelector": {}}]},
            "trials": True,
        },
        fullnameOverride="tuner",
    )
    made = release.server.kubectl(
        "get", "deployment,service,role,rolebinding,sa,networkpolicy", "-n", release.namespace, "-o=name"
    )
    assert {line for line in made.split() if "default" not in line} == {
        "deployment.apps/tuner",
        "service/tuner",
        "role.rbac.authorization.k8s.io/tuner",
        "rolebinding.rbac.authorization.k8s.io/tuner",
        "serviceaccount/mine",
        "networkpolicy.networking.k8s.io/tuner",
        "networkpolicy.networking.k8s.io/tuner-nodes",
        "networkpolicy.networking.k8s.io/tuner-trials",
    }
    for kind in ("rolebinding", "networkpolicy"):
        assert "tuner" in release.server.kubectl("get", kind, "-n", "team-a", "-o=name")


def test_the_operators_requests_have_a_share_of_the_api_server(release: Release) -> None:
    """Those of another account in its namespace have none; by default the operator has none either."""
    release.install()
    account, other = (
        Api(release.server.kubeconfig_for_service_account(release.namespace, name))
        for name in ("tuning-operator", "default")
    )
    before = account.flow_schema()
    release.install(flowControl={"enabled": True, "concurrencyShares": 7})
    mine = f"tuning-operator.{release.namespace}"
    schema, level = (json.loads(release.server.kubectl("get", kind, mine, "-o=json")) for kind in FLOW_KINDS)
    assert level["spec"]["limited"]["nominalConcurrencyShares"] == 7
    wait_until(lambda: account.flow_schema() == schema["metadata"]["uid"], "the share is the operator's", seconds=20)
    assert other.flow_schema() == before


def test_users_see_and_edit_jobs_by_the_roles_they_have(release: Release) -> None:
    release.install()
    server, namespace = release.server, release.namespace
    for user, role in (("ana", "edit"), ("vic", "view")):
        server.kubectl("create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}", "-n", namespace)
    see, change = {"get", "list", "watch"}, {"create", "update", "patch", "delete", "deletecollection"}
    expected = {
        "vic": {"tuningjobs": see, "tuningtrials": see},
        "ana": {"tuningjobs": see | change, "tuningtrials": see},
    }

    def rights() -> dict[str, dict[str, set[str]]]:
        return {
            user: {
                resource: verbs
                for (group, resource), verbs in _all_rights(server.kubeconfig_for_user(user), namespace).items()
                if group == GROUP
            }
            for user in expected
        }

    # The controller-manager has to gather the new rules into the roles first.
    wait_until(lambda: rights() == expected, f"users' rights are {expected}", seconds=20, describe=rights)


def _rights(config: Path, namespace: str, unlike: Path) -> dict[tuple[str, str], set[str]]:
    """What the user of a kubeconfig may do in a namespace, unlike another: verbs by API group and resource."""
    common = _all_rights(unlike, namespace)
    return {what: verbs for what, verbs in _all_rights(config, namespace).items() if common.get(what) != verbs}


def _all_rights(config: Path, namespace: str) -> dict[tuple[str, str], set[str]]:
    review = {"spec": {"namespace": namespace}}
    answer = Api(config).call("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    rights: dict[tuple[str, str], set[str]] = {}
    for rule in answer["status"]["resourceRules"]:
        for what in itertools.product(rule["apiGroups"], rule["resources"]):
            rights.setdefault(what, set()).update(rule["verbs"])
    return rights
